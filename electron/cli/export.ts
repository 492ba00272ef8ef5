import { Option, type Command } from 'commander'
import type { ExportReport } from '../../workers/protocol/studio.ts'
import { exportFormats } from '../../workers/protocol/worker.ts'
import { bytes, duration, percent } from './format.ts'
import { compute, data, whole, type Options } from './running.ts'
import { callWorker, ExitCode } from './session.ts'

/** `export`: a model in another format, proven to work before the command ends. */
export function addExporting(program: Command): void {
  data(compute(program.command('export <model>').description('write a model for others to run, and verify it')), false)
    .addOption(new Option('--format <format>', 'what to write').choices(exportFormats).default('onnx'))
    .requiredOption('-o, --output <path>', 'the file; a new folder for --format folder')
    .option('--samples <n>', 'samples on which outputs are compared', whole, 256)
    .option('--name <name>', 'what the model cards call it')
    .action(async (model: string, o: Options) => {
      let passed = true
      await callWorker('export', { model, ...o }, o, (report) => {
        const made = report as unknown as ExportReport
        passed = made.verification.passed
        return exported(made)
      })
      // What was written stays for a look, but nobody's script takes it for good.
      if (!passed && process.exitCode === ExitCode.done) process.exitCode = ExitCode.failed
    })
}

function exported({ verification: v, bytes: size, sha256, files, notes, latency }: ExportReport): string {
  const source = v.inputs === 'data' ? 'test samples' : 'random inputs'
  return [
    `${v.passed ? 'verified' : 'NOT verified'}: read back and run on ${v.samples} ${source}`,
    `outputs differ by up to ${v.maxError.toPrecision(3)} of ${v.largestOutput.toPrecision(3)}`,
    ...(v.agreement === undefined ? [] : [`same answer ${percent(v.agreement)}`]),
    ...(v.accuracy
      ? [`accuracy ${percent(v.accuracy.source)} → ${percent(v.accuracy.exported)} on ${v.accuracy.n} samples`]
      : []),
    ...(latency ? [`latency ${duration(latency.medianMs)}, median of ${latency.n}`] : []),
    ...v.problems.map((problem) => `problem: ${problem}`),
    ...notes.map((note) => `note: ${note}`),
    `${bytes(size)}, SHA-256 ${sha256}`,
    ...files.map((file) => `written ${file}`),
  ].join('\n')
}

import { asAlambicError } from '../../workers/protocol/errors.ts'
import type { CallName, Report } from '../../workers/protocol/worker.ts'
import { Worker } from '../host/worker.ts'
import { ProgressPrinter } from './progress.ts'

/** What the process ends with. */
export const ExitCode = { done: 0, failed: 1, badInput: 2, stopped: 130 } as const

/** Errors that come from what was given, by area of their code. */
const inputAreas: ReadonlySet<string> = new Set([
  'usage',
  'data',
  'onnx',
  'model',
  'recipe',
  'cmpz',
  'target',
  'graph',
  'gradient',
  'ops',
  'zoo',
  'distil',
  'student',
  'export',
])

export interface Output {
  readonly json?: boolean | undefined
}

/** Calls a worker, shows its progress on stderr and its result on stdout, and sets the exit code. */
export async function callWorker(
  name: CallName,
  request: object,
  output: Output,
  show: (report: Report) => string,
): Promise<void> {
  const printer = new ProgressPrinter()
  const worker = new Worker({ progress: (p) => printer.show(p), event: (event) => printer.note(event) })
  let asked = 0
  const onInterrupt = () => {
    asked++
    if (asked > 1) return void worker.close().then(() => process.exit(ExitCode.stopped))
    process.stderr.write('\nstopping after this step and keeping the best; Ctrl-C again to end at once\n')
    worker.stop()
  }
  process.on('SIGINT', onInterrupt)
  process.on('SIGTERM', onInterrupt)
  try {
    const report = await worker.call(name, request)
    printer.end()
    process.stdout.write(`${output.json ? JSON.stringify(report, null, 2) : show(report)}\n`)
    process.exitCode = report['stopped'] === true ? ExitCode.stopped : ExitCode.done
  } catch (thrown) {
    printer.end()
    fail(thrown, output)
  } finally {
    process.off('SIGINT', onInterrupt)
    process.off('SIGTERM', onInterrupt)
    await worker.close()
  }
}

/** Prints an error: a sentence, what was expected and found, what to do; as JSON on stdout when that was asked for. */
export function fail(thrown: unknown, output: Output): void {
  const error = asAlambicError(thrown)
  process.stderr.write(`alambic: ${error.describe()}\n`)
  if (output.json) process.stdout.write(`${JSON.stringify({ error }, null, 2)}\n`)
  process.exitCode = inputAreas.has(error.code.split('.')[0] ?? '') ? ExitCode.badInput : ExitCode.failed
}

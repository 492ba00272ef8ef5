import type { Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { table } from './format.ts'
import { callWorker } from './session.ts'

interface Replayed {
  readonly equal: boolean
  readonly folder: string
  readonly steps: readonly { readonly step: string; readonly expected: string; readonly found: string }[]
}

/** `replay`: whether a recipe gives the same models again. */
export function addReplay(program: Command): void {
  program
    .command('replay <run>')
    .description('run a finished run again and compare the models of all its steps by SHA-256')
    .requiredOption('--run <folder>', 'the folder of the new run')
    .option('--json', 'exactly one JSON document on stdout')
    .action((run: string, o: { readonly run: string; readonly json?: boolean }) =>
      callWorker('replay', { run, folder: o.run }, o, shown),
    )
}

function shown(report: Report): string {
  const { equal, steps, folder } = report as unknown as Replayed
  const rows = steps.map((s) => [
    s.step,
    s.expected.slice(0, 16),
    s.expected === s.found ? 'the same' : s.found.slice(0, 16),
  ])
  return [
    table([['step', 'SHA-256', 'replayed'], ...rows]),
    equal ? 'every step gave the same model' : 'not the same: another device, runtime or number of threads?',
    `run folder ${folder}`,
  ].join('\n')
}

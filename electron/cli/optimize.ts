import { InvalidArgumentError, type Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { bytes, count, duration, integer, percent, table } from './format.ts'
import { deviceOption, share, whole, type Options } from './running.ts'
import { callWorker } from './session.ts'

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 }

/** `90s`, `10m`, `2h`; seconds without a unit. */
function seconds(text: string): number {
  const [, amount, unit = 's'] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? []
  const value = Number(amount) * (units[unit || 's'] ?? 1)
  if (!(value > 0)) throw new InvalidArgumentError('expected a time, such as 10m')
  return value
}

/** `optimize`: a search over recipes. */
export function addOptimizing(program: Command): void {
  program
    .command('optimize <model>')
    .description('find the recipe that meets a target at the least loss: trials, measured, within a time')
    .requiredOption('--data <name>', 'data set: a name or a folder')
    .requiredOption('--target <limit>', 'latency=50%, macs=50%, params=…, bytes=… or packed=… (a .cmpz container)')
    .requiredOption('--run <folder>', 'where trials are kept; a search goes on with what is there')
    .option('--max-drop <share>', 'largest accuracy that may be lost', share, 0.01)
    .option('--time <span>', 'how long it may take, such as 10m', seconds, 600)
    .option('--epochs <n>', 'epochs of the first trials that are trained; the best get three times as many', whole, 1)
    .option('--rungs <n>', 'how often the best go on to longer training', whole, 2)
    .option('--limit <n>', 'use only so many training samples', whole)
    .option('--seed <n>', 'seed of weights, order and dropout', whole, 42)
    .option('--threads <n>', 'threads of one operator', whole)
    .addOption(deviceOption())
    .option('-o, --output <file>', 'where the model goes')
    .option('--json', 'exactly one JSON document on stdout')
    .action((model: string, o: Options) => {
      const { run: folder, time, ...rest } = o
      return callWorker('optimize', { model, ...rest, folder, seconds: time }, o, optimized)
    })
}

interface Costs {
  readonly latency: number
  readonly bytes: number
  readonly packed: number
  readonly macs: number
  readonly params: number
}
interface Row {
  readonly candidate: string
  readonly epochs: number
  readonly accuracy: number
  readonly costs: Costs
}
interface Line {
  readonly layer: string
  readonly technique: string
  readonly drop: number
  readonly macs?: number
  readonly params: number
  readonly bytes: number
  readonly milliseconds?: number
}

function optimized(report: Report): string {
  const { front, sensitivity, found, output, folder } = report as unknown as {
    readonly front: readonly Row[]
    readonly sensitivity: readonly Line[]
    readonly found: Row
    readonly output: string
    readonly folder: string
  }
  const rows = front.map((p) => [
    p.candidate,
    String(p.epochs),
    percent(p.accuracy),
    integer(p.costs.params),
    count(p.costs.macs),
    bytes(p.costs.bytes),
    bytes(p.costs.packed),
    duration(p.costs.latency),
  ])
  const lines = sensitivity
    .slice(0, 8)
    .map((l) => [
      l.layer,
      l.technique,
      percent(l.drop),
      l.macs === undefined ? '–' : percent(l.macs),
      percent(l.params),
      percent(l.bytes),
      l.milliseconds === undefined ? '–' : duration(l.milliseconds),
    ])
  return [
    'cheapest places, each layer alone and untrained:',
    table([['layer', 'technique', 'drop', 'MACs saved', 'parameters saved', 'bytes saved', 'time saved'], ...lines]),
    'not beaten in cost and accuracy (samples kept out of training):',
    table([['recipe', 'epochs', 'accuracy', 'parameters', 'MACs', 'on disk', 'packed', 'latency'], ...rows]),
    `chosen: ${found.candidate}, ${found.epochs} epochs`,
    ...(typeof report['accuracy'] === 'number' ? [`accuracy on the test split ${percent(report['accuracy'])}`] : []),
    `written to ${output}; all trials in ${folder}`,
  ].join('\n')
}

import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { DeviceChoice } from '../../workers/protocol/devices.ts'
import { alambicHome } from '../../workers/protocol/files/home.ts'
import { callWorker } from './session.ts'
import { asRun } from './show.ts'

export type Options = Readonly<Record<string, unknown>>

export const whole = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value)) throw new InvalidArgumentError('not a whole number')
  return value
}
export const number = (text: string): number => {
  const value = Number(text)
  if (!Number.isFinite(value)) throw new InvalidArgumentError('not a number')
  return value
}

/** `1%` and `0.01` are the same share. */
export function share(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text)
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('not a share from 0 to 1, or from 0% to 100%')
  return value
}

/** The options that were given, of those with these names. */
export const given = (options: Options, names: readonly string[]): Options =>
  Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const])))

/** A folder for a run that nobody named: under the person's own data, so that it can be resumed. */
function newRunFolder(): string {
  const root = join(alambicHome(), 'runs')
  mkdirSync(root, { recursive: true })
  return join(mkdtempSync(join(root, `${new Date().toISOString().slice(0, 10)}-`)), 'run')
}

/** `--set a.b=1` adds a field to those given before; values are JSON where they can be, else text. */
function parseSet(text: string, all: Options = {}): Options {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected path=value')
  const raw = text.slice(at + 1)
  try {
    return { ...all, [text.slice(0, at)]: JSON.parse(raw) as unknown }
  } catch {
    return { ...all, [text.slice(0, at)]: raw }
  }
}

/** Options of the training commands that are fields of a step by the same name. */
const stepFields = ['epochs', 'batch', 'lr', 'optimizer', 'validation'] as const

/** Where to compute. */
export const deviceOption = (): Option =>
  new Option('--device <id>', 'what computes; auto measures and takes the fastest').choices(DeviceChoice.options)

export const json = (command: Command): Command => command.option('--json', 'exactly one JSON document on stdout')
export const compute = (command: Command): Command =>
  json(command).option('--threads <n>', 'threads of one operator', whole).addOption(deviceOption())
export const data = (command: Command, isRequired = true): Command =>
  isRequired
    ? command.requiredOption('--data <name>', 'data set: a name or a folder')
    : command.option('--data <name>', 'data set: a name or a folder')

export const running = (command: Command, needsData = true): Command =>
  data(compute(command), needsData)
    .option('--set <path=value>', 'change a field of the recipe (repeatable)', parseSet)
    .option('--seed <n>', 'seed of weights, order and dropout', whole, 42)
    .option('--limit <n>', 'use only so many training samples', whole)
    .option('--run <folder>', 'the folder of the run')
    .option('--project <name>', 'run it in a project of the studio: a name, a folder, or a new name')
    .option('--resume', 'go on with the run in --run')
    .option('-o, --output <file>', 'where the model goes')

export const training = (command: Command, needsData = true): Command =>
  running(command, needsData)
    .option('--epochs <n>', 'passes over the training set', whole)
    .option('--batch <n>', 'samples per step', whole)
    .option('--lr <rate>', 'base learning rate', number)
    .option('--optimizer <id>', 'sgd, adam, adamw or rmsprop')
    .option('--validation <share>', 'samples kept out to choose the best weights by; 0 keeps the last', number)

/** A recipe of a single step with the options that were given. */
export function oneStep(step: string, options: Options, more: Options = {}): Options {
  return { alambic: 1, name: step, steps: [{ step, ...given(options, stepFields), ...more }] }
}

/** Starts a run in a folder of its own, or goes on with one. */
export async function run(recipe: unknown, model: string, options: Options): Promise<void> {
  if (options['project'] !== undefined) {
    const { runInProject } = await import('./projects.ts')
    return runInProject({ ...options, recipe, model } as unknown as Parameters<typeof runInProject>[0], options)
  }
  const folder = (options['run'] as string | undefined) ?? newRunFolder()
  process.stderr.write(`run folder: ${folder}\n`)
  const { data: dataset, output, resume, seed, set, limit, threads, device } = options
  await callWorker(
    'run',
    { recipe, model, data: dataset, output, folder, resume: resume === true, seed, set, limit, threads, device },
    options,
    asRun,
  )
}

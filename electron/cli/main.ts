import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { callWorker, ExitCode, fail } from './session.ts'
import { addPacking } from './pack.ts'
import { addPruneFlags, pruneBare, pruneFields } from './prune.ts'
import { added, asList, asRun, asText, comparison, inspection } from './show.ts'

type Options = Readonly<Record<string, unknown>>

const whole = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value)) throw new InvalidArgumentError('not a whole number')
  return value
}
const number = (text: string): number => {
  const value = Number(text)
  if (!Number.isFinite(value)) throw new InvalidArgumentError('not a number')
  return value
}

/** A folder for a run that nobody named: under the person's own data, so that it can be resumed. */
function newRunFolder(): string {
  const root = join(process.env['ALAMBIC_HOME'] ?? join(homedir(), '.alambic'), 'runs')
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
const stepFields = ['epochs', 'batch', 'lr', 'optimizer', 'temperature', 'alpha', 'validation'] as const

const json = (command: Command): Command => command.option('--json', 'exactly one JSON document on stdout')
const compute = (command: Command): Command => json(command).option('--threads <n>', 'threads of one operator', whole)
const data = (command: Command, isRequired = true): Command =>
  isRequired
    ? command.requiredOption('--data <name>', 'data set: a name or a folder')
    : command.option('--data <name>', 'data set: a name or a folder')

const running = (command: Command, needsData = true): Command =>
  data(compute(command), needsData)
    .option('--set <path=value>', 'change a field of the recipe (repeatable)', parseSet)
    .option('--seed <n>', 'seed of weights, order and dropout', whole, 42)
    .option('--limit <n>', 'use only so many training samples', whole)
    .option('--run <folder>', 'the folder of the run')
    .option('--resume', 'go on with the run in --run')
    .option('-o, --output <file>', 'where the model goes')

const training = (command: Command, needsData = true): Command =>
  running(command, needsData)
    .option('--epochs <n>', 'passes over the training set', whole)
    .option('--batch <n>', 'samples per step', whole)
    .option('--lr <rate>', 'base learning rate', number)
    .option('--optimizer <id>', 'sgd, adam, adamw or rmsprop')
    .option('--validation <share>', 'samples kept out to choose the best weights by; 0 keeps the last', number)

/** A recipe of a single step with the options that were given. */
function oneStep(step: string, options: Options, more: Options = {}): Options {
  const given = stepFields.flatMap((field) => (options[field] === undefined ? [] : [[field, options[field]] as const]))
  return { alambic: 1, name: step, steps: [{ step, ...Object.fromEntries(given), ...more }] }
}

async function run(recipe: unknown, model: string, options: Options): Promise<void> {
  const folder = (options['run'] as string | undefined) ?? newRunFolder()
  process.stderr.write(`run folder: ${folder}\n`)
  const { data: dataset, output, resume, seed, set, limit, threads } = options
  await callWorker(
    'run',
    { recipe, model, data: dataset, output, folder, resume: resume === true, seed, set, limit, threads },
    options,
    asRun,
  )
}

function addRuns(program: Command): void {
  training(program.command('train <model>').description('train a net of the zoo, or a model file')).action(
    (model: string, o: Options) => run(oneStep('train', o), model, o),
  )
  training(program.command('finetune <model>').description('go on training a trained model gently')).action(
    (model: string, o: Options) => run(oneStep('finetune', o), model, o),
  )
  training(program.command('distill').alias('distil').description('train a student to follow a teacher'))
    .requiredOption('--teacher <model>', 'a model file')
    .requiredOption('--student <model>', 'a zoo id or a model file')
    .option('--temperature <t>', 'softens what the teacher says', number)
    .option('--alpha <share>', 'weight of the teacher; the labels get the rest', number)
    .action((o: Options) => run(oneStep('distil', o, { student: o['student'] }), o['teacher'] as string, o))
  // Without data the weights alone decide.
  addPruneFlags(
    training(program.command('prune <model>').description('remove channels, heads and hidden units'), false),
  ).action((model: string, o: Options) =>
    o['data'] === undefined ? pruneBare(model, o) : run(oneStep('prune', o, pruneFields(o)), model, o),
  )
  running(program.command('compress <model>').description('run a recipe on a model'))
    .requiredOption('--recipe <recipe>', 'a built-in or a YAML file')
    .action((model: string, o: Options) => run(o['recipe'], model, o))
}

function addMeasurements(program: Command): void {
  data(compute(program.command('evaluate <model>').description('accuracy on a data set')))
    .option('--split <name>', 'test, train or validation', 'test')
    .option('--limit <n>', 'use only so many training samples', whole)
    .action((model: string, o: Options) => callWorker('evaluate', { model, ...o }, o, asText))
  compute(program.command('measure <model>').description('latency, parameters, multiply-accumulates and bytes'))
    .option('--batch <n>', 'samples per inference', whole)
    .option('--runs <n>', 'timed runs', whole)
    .action((model: string, o: Options) => callWorker('measure', { model, ...o }, o, asText))
  json(program.command('inspect <model>').description('what a model is made of, and what of it can be trained'))
    .option('--text', 'print the whole graph')
    .option('--groups', 'what can be pruned, what goes together, and what stays whole')
    .action((model: string, o: Options) =>
      callWorker('inspect', { model, text: o['text'] === true, groups: o['groups'] === true }, o, inspection),
    )
  compute(program.command('compare <models...>').description('measure models side by side; the first is the baseline'))
    .option('--data <name>', 'data set: a name or a folder')
    .option('--batch <n>', 'samples per inference', whole)
    .action((models: string[], o: Options) => callWorker('compare', { models, ...o }, o, comparison))
}

function addLists(program: Command): void {
  const datasets = json(program.command('datasets').description('data sets by name'))
  datasets.action((o: Options) => callWorker('datasets', {}, o, asList('datasets')))
  json(datasets.command('add <name>').description('get a data set of the list from its package registry')).action(
    (name: string, _o: Options, command: Command) =>
      callWorker('addDataset', { name }, command.optsWithGlobals(), added),
  )
  for (const [name, key, text] of [
    ['zoo', 'nets', 'nets that come with Alambic'],
    ['recipes', 'recipes', 'recipes that come with Alambic'],
  ] as const) {
    json(program.command(name).description(text)).action((o: Options) => callWorker(name, {}, o, asList(key)))
  }
  json(program.command('doctor').description('what this machine can do')).action((o: Options) =>
    callWorker('doctor', {}, o, asText),
  )
}

function commands(): Command {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
    readonly description: string
  }
  const program = new Command('alambic').description(manifest.description).version(manifest.version)
  // Subcommands inherit these only when they are made after.
  program.showHelpAfterError().exitOverride()
  addRuns(program)
  addMeasurements(program)
  addPacking(program)
  addLists(program)
  return program
}

/** The command line. Without words it runs the sample. */
async function main(words: readonly string[]): Promise<void> {
  try {
    if (words.length === 0) {
      const { sample } = await import('./sample.ts')
      return await sample()
    }
    await commands().parseAsync([...words], { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return fail(thrown, {})
    process.exitCode = thrown.exitCode === 0 ? ExitCode.done : ExitCode.badInput
  }
}

await main(process.argv.slice(2))

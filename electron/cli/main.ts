import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addedEngine, engineTable } from './engines.ts'
import { addDistilling } from './distill.ts'
import { callWorker, ExitCode, fail } from './session.ts'
import { addExporting } from './export.ts'
import { addFactorizing } from './factorize.ts'
import { addStudents } from './student.ts'
import { addMethods } from './methods.ts'
import { addOptimizing } from './optimize.ts'
import { addPacking } from './pack.ts'
import { addReplay } from './replay.ts'
import { addQuantizing } from './quantize.ts'
import { addPruning } from './prune.ts'
import { addSpecializing } from './specialize.ts'
import { compute, data, json, oneStep, run, running, training, whole, type Options } from './running.ts'
import { added, asList, asText, comparison, inspection } from './show.ts'

function addRuns(program: Command): void {
  training(program.command('train <model>').description('train a net of the zoo, or a model file')).action(
    (model: string, o: Options) => run(oneStep('train', o), model, o),
  )
  training(program.command('finetune <model>').description('go on training a trained model gently')).action(
    (model: string, o: Options) => run(oneStep('finetune', o), model, o),
  )
  addDistilling(program)
  addStudents(program)
  addPruning(program)
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
    .option('--runs <n>', 'timed runs of each model, in turn', whole)
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
  const engines = json(program.command('engines').description('what could compute here, and why something does not'))
  engines.action((o: Options) => callWorker('engines', {}, o, engineTable))
  json(engines.command('add <name>').description('get an engine that is too large to come along: cuda, tf')).action(
    (name: string, _o: Options, command: Command) =>
      callWorker('addEngine', { name }, command.optsWithGlobals(), addedEngine),
  )
  json(engines.command('test <device>').description('check a training step and measure its speed; about 10 s')).action(
    (device: string, _o: Options, command: Command) =>
      callWorker('selfTest', { device }, command.optsWithGlobals(), asText),
  )
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
  addFactorizing(program)
  addPacking(program)
  addSpecializing(program)
  addExporting(program)
  addReplay(program)
  addOptimizing(program)
  addQuantizing(program)
  addLists(program)
  addMethods(program)
  addStudio(program)
  return program
}

const more = (value: string, all: readonly string[] = []): readonly string[] => [...all, value]

function addStudio(program: Command): void {
  program
    .command('studio')
    .description('open the studio: a window, a browser, or without a display the address')
    .option('--no-open', 'print the address and open nothing')
    .option('--no-desktop', 'in the browser, also where Electron is')
    .option('--port <n>', 'of the browser address; any free one when it is taken', whole)
    .option('--root <folder>', 'a folder that the browser may list and import from (repeatable)', more)
    .action(async (o: Options) => (await import('./studio.ts')).studio(o))
  json(program.command('projects').description('projects of the studio')).action(async (o: Options) =>
    (await import('./projects.ts')).listProjects(o),
  )
}

/** The command line. Without words it opens the studio. */
async function main(words: readonly string[]): Promise<void> {
  try {
    if (words.length === 0) {
      const { studio } = await import('./studio.ts')
      return await studio()
    }
    await commands().parseAsync([...words], { from: 'user' })
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) return fail(thrown, {})
    process.exitCode = thrown.exitCode === 0 ? ExitCode.done : ExitCode.badInput
  }
}

await main(process.argv.slice(2))

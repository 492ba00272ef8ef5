import { InvalidArgumentError, type Command } from 'commander'
import type { Report } from '../../workers/protocol/worker.ts'
import { integer, table } from './format.ts'
import { given, number, oneStep, run, training, type Options } from './running.ts'
import { callWorker } from './session.ts'
import { measuredTable } from './show.ts'

interface Rule {
  readonly layer: string
  readonly ratio: number
}

/** `--rule 'layer3.*=0.2'`, repeatable. */
function rule(text: string, all: readonly Rule[] = []): readonly Rule[] {
  const at = text.lastIndexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected layer=ratio')
  return [...all, { layer: text.slice(0, at), ratio: number(text.slice(at + 1)) }]
}

/** Flags that are fields of the step `prune`, by the flag's name. */
const fields = {
  method: 'method',
  ratio: 'ratio',
  scope: 'scope',
  budget: 'budget',
  rounds: 'steps',
  roundTo: 'roundTo',
  minimum: 'minimum',
  maxRatio: 'maxRatio',
  rule: 'rules',
  attention: 'attention',
  recover: 'recover',
  teacher: 'teacher',
  samples: 'samples',
} as const

/** The step's fields out of the flags that were given. */
const pruneFields = (o: Options): Options =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([flag, field]) => (o[flag] === undefined ? [] : [[field, o[flag]] as const])),
  )

/** The flags of `prune`, on a command that has those of training already. */
const addPruneFlags = (command: Command): Command =>
  command
    .option(
      '--method <id>',
      'what makes a channel important: l1, l2, lp, fpgm, bn-scale, lamp, random, taylor, obd, obd-diagonal …',
    )
    .option('--ratio <share>', 'share of the channels that goes', number)
    .option('--scope <which>', 'layer: the same share of each; global: the least important of all')
    .option('--budget <limit>', 'the most that may stay instead: macs=50%, params=1000000, bytes=25%')
    .option('--rounds <n>', 'cut in so many rounds', number)
    .option('--round-to <n>', 'channels that stay are a multiple of this', number)
    .option('--minimum <n>', 'channels that stay in any layer', number)
    .option('--max-ratio <share>', 'largest share that any layer loses', number)
    .option('--rule <layer=ratio>', 'a share for layers by name, with * and ? (repeatable)', rule)
    .option('--attention <what>', 'heads, or dims: the same elements of each head')
    .option('--recover <how>', 'none, bn (statistics anew) or finetune; needs --data')
    .option('--teacher <which>', 'what fine-tuning follows: labels, or self (the model before; needs no labels)')
    .option('--samples <n>', 'samples that scores and statistics are taken from', number)

/** `prune`, `slim` and `sparsify`. */
export function addPruning(program: Command): void {
  const command = program.command('prune <model>').description('remove channels, heads and hidden units')
  // Without data the weights alone decide.
  addPruneFlags(training(command, false)).action((model: string, o: Options) =>
    o['data'] === undefined ? pruneBare(model, o) : run(oneStep('prune', o, pruneFields(o)), model, o),
  )
  training(program.command('slim <model>').description('train channels to be dispensable, cut them, and train on'))
    .option('--regularizer <id>', 'scale (Network Slimming), group (DepGraph) or masked (GDP)')
    .option('--strength <n>', 'weight of the term that makes channels dispensable', number)
    .option('--sparse-epochs <n>', 'passes over the training set before the cut', number)
    .option('--ratio <share>', 'share of the channels that goes', number)
    .option('--budget <limit>', 'the most that may stay instead: macs=50%, params=1000000, bytes=25%')
    .action((model: string, o: Options) =>
      run(oneStep('slim', o, given(o, ['regularizer', 'strength', 'sparseEpochs', 'ratio', 'budget'])), model, o),
    )
  training(program.command('sparsify <model>').description('set single weights to zero, and train the others on'))
    .option('--method <id>', 'l1, random, lamp, taylor, obd, obd-diagonal, deviation, n:m or structured')
    .option('--sparsity <share>', 'share of the weights that become zero', number)
    .option('--scope <which>', 'layer: the same share of each; global: one ranking')
    .option('--rounds <n>', 'reach it in so many prunings', number)
    .action((model: string, o: Options) =>
      run(oneStep('sparsify', o, given(o, ['method', 'sparsity', 'scope', 'rounds'])), model, o),
    )
}

/** Prunes without data: one call, no run folder. */
async function pruneBare(model: string, o: Options): Promise<void> {
  const output = o['output'] ?? model.replace(/(\.onnx)?$/, '-pruned.onnx')
  const request = {
    model,
    output,
    options: pruneFields(o),
    seed: o['seed'],
    threads: o['threads'],
    device: o['device'],
  }
  await callWorker('prune', request, o, pruned)
}

interface Pruned {
  readonly output: string
  readonly pruning: {
    readonly groups: readonly { readonly name: string; readonly before: number; readonly after: number }[]
    readonly whole: readonly { readonly node: string; readonly channels: number; readonly reason: string }[]
    readonly unscored: readonly string[]
    readonly params: readonly [number, number]
  }
}

function pruned(report: Report): string {
  const { output, pruning } = report as unknown as Pruned
  const rows = pruning.groups.map((g) => [g.name, integer(g.before), integer(g.after)])
  const measured = report as unknown as Parameters<typeof measuredTable>[0][number]
  return [
    table([['group', 'before', 'after'], ...rows]),
    ...pruning.unscored.map((name) => `kept whole, nothing to score: ${name}`),
    ...pruning.whole.map((w) => `kept whole, ${w.node}: ${integer(w.channels)} channels, ${w.reason}`),
    `parameters ${integer(pruning.params[0])} → ${integer(pruning.params[1])}`,
    measuredTable([{ ...measured, label: 'model' }]),
    `written to ${output}`,
  ].join('\n')
}

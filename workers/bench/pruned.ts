import { mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ortCpu } from '../executors/ort/executor.ts'
import { head, machine, row } from './pairs.ts'
import { percent, recipeOf, runIn, spread } from './recipes.ts'
import type { Topic } from './topic.ts'

const root = join(tmpdir(), 'alambic-bench-pruned')

/** How long and on how much: words of the command line, `epochs=40 limit=5000 seeds=1`. */
const defaults = { epochs: 60, tune: 30, seeds: 3, limit: 50_000, batch: 128 }
type Sizes = typeof defaults

interface Case {
  readonly model: string
  readonly data: string
  /** The steps after the training of the base. */
  readonly steps: (sizes: Sizes) => readonly object[]
}

const budget = { scope: 'global', budget: 'macs=50%', recover: 'finetune' } as const
const tuned = ({ tune: epochs, batch }: Sizes) => ({ epochs, batch, lr: 0.001, validation: 0 })
const cut =
  (method: string): Case['steps'] =>
  (sizes) => [{ step: 'prune', method, ...budget, ...tuned(sizes) }]
const slim =
  (regularizer: string, strength: number): Case['steps'] =>
  (sizes) => [{ step: 'slim', regularizer, strength, ...budget, ...tuned(sizes), sparseEpochs: sizes.tune }]
const cifar = { model: 'resnet-20', data: 'cifar-10' }

/** ResNet-20 at half of its multiply-accumulates by five methods, and LeNet-5 with half of its filters. */
const cases: Readonly<Record<string, Case>> = {
  l1: { ...cifar, steps: cut('l1') },
  fpgm: { ...cifar, steps: cut('fpgm') },
  taylor: { ...cifar, steps: cut('taylor') },
  // λ of the authors' ResNets, and the decay of DepGraph's ResNet-56.
  slimming: { ...cifar, steps: slim('scale', 1e-5) },
  depgraph: { ...cifar, steps: slim('group', 5e-4) },
  gdp: {
    model: 'lenet-5',
    data: 'mnist',
    steps: (sizes) => [
      {
        step: 'slim',
        regularizer: 'masked',
        ratio: 0.5,
        recover: 'finetune',
        ...tuned(sizes),
        sparseEpochs: sizes.tune,
      },
    ],
  },
}

function sizesOf(words: readonly string[]): Sizes {
  const given = words.flatMap((word) => {
    const [name = '', value] = word.split('=')
    return name in defaults && Number(value) > 0 ? [[name, Number(value)] as const] : []
  })
  return { ...defaults, ...Object.fromEntries(given) }
}

interface Trained {
  readonly path: string
  readonly report: Readonly<Record<string, unknown>>
}

/** The unpruned net of a seed; trained once for all methods. */
async function baseOf({ model, data }: Case, seed: number, { epochs, batch, limit }: Sizes): Promise<Trained> {
  const path = join(root, `${model}-${seed}.onnx`)
  const known = bases.get(path)
  if (known) return known
  const step = { step: 'train', epochs, batch, lr: 0.003, schedule: 'cosine', validation: 0 }
  const report = await runIn(root, { recipe: recipeOf(step), model, data, seed, limit, output: path })
  const trained = { path, report }
  bases.set(path, trained)
  return trained
}
const bases = new Map<string, Trained>()

/**
 * What is left of accuracy when half of the multiply-accumulates are gone, over seeds. It takes hours:
 * `npm run bench -- pruned l1 gdp seeds=1 epochs=2 tune=1 limit=2000` is a short slice.
 */
export const benchmarkPruned: Topic = async ({ wanted }) => {
  mkdirSync(root, { recursive: true })
  const sizes = sizesOf(wanted)
  const named = Object.keys(cases).filter((name) => wanted.includes(name))
  console.log(machine(ortCpu.runtime))
  console.log(
    Object.entries(sizes)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    '\n',
  )
  head('method', 'net', 'before, %', 'after, %', 'params left', 'MACs left')
  for (const name of named.length > 0 ? named : Object.keys(cases)) {
    const each = cases[name] as Case
    const before: number[] = []
    const after: number[] = []
    let left = ['', '']
    for (let seed = 1; seed <= sizes.seeds; seed++) {
      const base = await baseOf(each, seed, sizes)
      const { limit } = sizes
      const recipe = recipeOf(...each.steps(sizes))
      const report = await runIn(root, { recipe, model: base.path, data: each.data, seed, limit })
      before.push(base.report['accuracy'] as number)
      after.push(report['accuracy'] as number)
      left = shares(base.report, report)
    }
    row(name, each.model, spread(before), spread(after), ...left)
  }
}

/** What the pruned net has of the base's parameters and multiply-accumulates. */
const shares = (before: Trained['report'], after: Trained['report']): string[] =>
  ['params', 'macs'].map((key) => percent((after[key] as number) / (before[key] as number)))

import { Loader, type Preprocessing, type Split } from '../../datasets/index.ts'
import type { Program, Tensors } from '../../executors/executor.ts'
import { toAttributes } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf, f32, i64, type Tensor } from '../../graph/tensor.ts'
import { tensorType } from '../../graph/types.ts'
import type { Where } from '../../measure/accuracy.ts'
import { isLive } from '../../ops/coupling/axis.ts'
import { FreshNames } from '../../passes/names.ts'
import { analyse, type AnalysisOptions, type Coupling } from '../../passes/prune/analysis.ts'
import { criteria, type Criterion, type CriterionId, type Evidence } from '../../passes/prune/criteria.ts'
import { groupsOf, type Group } from '../../passes/prune/groups.ts'
import { curvatureGraph } from '../../train/curvature.ts'
import { crossEntropy } from '../../train/losses.ts'
import { saliencyGraph } from '../../train/saliency.ts'

export interface EvidenceSource extends Where {
  readonly split: Split
  readonly preprocessing: Preprocessing
  readonly samples: number
  readonly batch: number
  readonly seed: number
  /** Called after every batch. */
  readonly progress: (done: number, total: number) => void
}

/** What a criterion needs beside the weights, measured on data. */
export async function gather(
  graph: Graph,
  method: CriterionId,
  options: AnalysisOptions,
  source: EvidenceSource,
): Promise<Evidence> {
  const { needs }: Criterion = criteria[method]
  if (needs === 'nothing') return {}
  const coupling = analyse(graph, options)
  if (needs === 'activations') return activations(coupling, source)
  return weightMeans(coupling, source, needs)
}

/** Runs a program over batches of the split; the last, smaller one is left out. */
async function overBatches(
  program: Program,
  batch: number,
  source: EvidenceSource,
  feeds: (x: Tensor, labels: Tensor | undefined) => Tensors,
  use: (results: Tensors) => void,
): Promise<number> {
  const loader = new Loader(source.split, {
    batch,
    seed: source.seed,
    preprocessing: source.preprocessing,
    dropLast: true,
  })
  const count = Math.max(1, Math.min(loader.stepsPerEpoch, Math.floor(source.samples / batch)))
  for (let i = 0; i < count; i++) {
    const { x, labels } = await loader.batchAt(i)
    use(await program.run(feeds(x, labels)))
    source.progress(i + 1, count)
  }
  return count
}

/** A graph that puts out something of every weight, for batches of a size. */
interface WeightMeasure {
  readonly graph: Graph
  readonly batch: readonly { readonly name: string }[]
  /** Output names by weight. */
  readonly outputs: ReadonlyMap<string, string>
}

/** What is measured of every weight, and which part of the evidence its mean over the batches is. */
const measures = {
  gradients: { key: 'gradient', single: false, make: gradientsOf, term: (v: number) => v },
  /** The empirical Fisher: samples must not be averaged before squaring. */
  'sample gradients': { key: 'squaredGradient', single: true, make: gradientsOf, term: (v: number) => v * v },
  curvature: {
    key: 'curvature',
    single: false,
    make: (graph: Graph, batch: number, of: readonly string[]): WeightMeasure => {
      const made = curvatureGraph(graph, { batch, of })
      return { ...made, outputs: made.curvatures }
    },
    term: (v: number) => v,
  },
} as const

function gradientsOf(graph: Graph, batch: number, of: readonly string[]): WeightMeasure {
  const made = saliencyGraph(graph, { loss: crossEntropy(), batch, of })
  return { ...made, outputs: made.gradients }
}

/** Means over the samples of E[g], of E[g²] of single samples, or of second derivatives. */
async function weightMeans(
  coupling: Coupling,
  source: EvidenceSource,
  needs: keyof typeof measures,
): Promise<Evidence> {
  const { key, single, make, term } = measures[needs]
  const wanted = [...new Set(coupling.sites.map((site) => site.constant.name))]
  const weights = wanted.filter((name) => coupling.graph.initializers.get(name)?.dtype === 'f32')
  const batch = single ? 1 : Math.min(source.batch, source.split.count)
  const measure = make(coupling.graph, batch, weights)
  const program = await source.executor.compile(
    measure.graph,
    source.threads === undefined ? {} : { threads: source.threads },
  )
  const sums = new Map<string, Float64Array>()
  try {
    const count = await overBatches(
      program,
      batch,
      source,
      (x, labels) =>
        Object.fromEntries(measure.batch.map(({ name }) => [name, name === 'labels' ? (labels as Tensor) : x])),
      (results) => {
        for (const [weight, output] of measure.outputs) addTo(sums, weight, results[output] as Tensor, term)
      },
    )
    const means = new Map(
      [...sums].map(([weight, sum]) => {
        const { dims } = coupling.graph.initializers.get(weight) as Tensor
        return [
          weight,
          f32(
            Float64Array.from(sum, (v) => v / count),
            dims,
          ),
        ]
      }),
    )
    return { [key]: ({ name }: { readonly name: string }) => means.get(name) }
  } finally {
    await program.dispose()
  }
}

function addTo(sums: Map<string, Float64Array>, name: string, tensor: Tensor, term: (v: number) => number): void {
  const values = arrayOf(tensor) as Float32Array
  const sum = sums.get(name) ?? new Float64Array(values.length)
  sums.set(name, sum)
  for (let i = 0; i < values.length; i++) {
    sum[i] = (sum[i] as number) + term(values[i] as number)
  }
}

// --- activations ----------------------------------------------------------------------------------------------------

const activationOps: ReadonlySet<string> = new Set([
  ...[
    'Relu',
    'Clip',
    'LeakyRelu',
    'Elu',
    'Selu',
    'Celu',
    'PRelu',
    'HardSwish',
    'Swish',
    'Gelu',
    'Mish',
    'Sigmoid',
    'Tanh',
  ],
])
const between: ReadonlySet<string> = new Set(['BatchNormalization', 'Add', 'Identity', 'Dropout'])

/** A value whose axis carries a group's units: the activation behind a layer that makes them. */
interface Probe {
  readonly group: Group
  readonly value: string
  readonly axis: number
  /** Unit of each index. */
  readonly units: Int32Array
}

/** Follows a layer's output to its activation, through normalization, bias and residual sum. */
function activationOf(graph: Graph, node: Node): string {
  let value = node.outputs[0] ?? ''
  for (let step = 0; step < 4; step++) {
    const next = graph.uses(value).flatMap((use) => (use.kind === 'node' && use.index === 0 ? [use.node] : []))
    const activation = next.find(({ op }) => activationOps.has(op))
    if (activation) return activation.outputs[0] ?? value
    const passing = next.find(({ op }) => between.has(op))
    if (!passing) return value
    value = passing.outputs[0] ?? value
  }
  return value
}

function probesOf(coupling: Coupling): Probe[] {
  return groupsOf(coupling).groups.flatMap((group) => {
    const unitOf = new Map([...group.atoms].map((root, unit) => [root, unit]))
    const makers = group.members.flatMap((m) => m.roles.filter(({ role }) => role === 'out').map(({ node }) => node))
    return [...new Set(makers)].flatMap((node): Probe[] => {
      const value = activationOf(coupling.graph, node)
      const axes = coupling.values.get(value) ?? []
      const axis = axes.findIndex((a) => isLive(a) && a.some((atom) => unitOf.has(coupling.atoms.find(atom))))
      const atoms = axes[axis]
      if (!isLive(atoms)) return []
      return [{ group, value, axis, units: atoms.map((atom) => unitOf.get(coupling.atoms.find(atom)) ?? -1) }]
    })
  })
}

/** For every probe the mean |a| and the share of non-zero a for each index, as outputs. */
function probedGraph(graph: Graph, probes: readonly Probe[]) {
  const names = new FreshNames(graph)
  const nodes = [...graph.nodes]
  const initializers = new Map(graph.initializers)
  const outputs: string[] = []
  const add = (op: string, inputs: string[], attributes: Parameters<typeof toAttributes>[2] = {}) => {
    const output = names.take(`probe.${op}`)
    nodes.push({
      name: output,
      op,
      domain: '',
      inputs,
      outputs: [output],
      attributes: toAttributes(op, '', attributes),
    })
    return output
  }
  for (const { value, axis } of probes) {
    const rank = graph.type(value)
    const size = rank?.kind === 'tensor' ? (rank.shape?.length ?? 0) : 0
    const axes = Array.from({ length: size }, (_, k) => k).filter((k) => k !== axis)
    const magnitude = add('Abs', [value])
    const some = add('Sign', [magnitude])
    for (const what of [magnitude, some]) {
      if (graph.opset < 18) {
        outputs.push(add('ReduceMean', [what], { axes, keepdims: 0 }))
        continue
      }
      const list = names.take('probe.axes')
      initializers.set(list, i64(axes))
      outputs.push(add('ReduceMean', [what, list], { keepdims: 0 }))
    }
  }
  const values = outputs.map((name) => ({ name, type: tensorType('f32', undefined) }))
  return { graph: graph.with({ nodes, initializers, outputs: values }), outputs }
}

async function activations(coupling: Coupling, source: EvidenceSource): Promise<Evidence> {
  const probes = probesOf(coupling)
  const { graph, outputs } = probedGraph(coupling.graph, probes)
  const input = graph.requiredInputs[0]?.name ?? ''
  const program = await source.executor.compile(graph, source.threads === undefined ? {} : { threads: source.threads })
  const sums = new Map<string, Float64Array>()
  try {
    await overBatches(
      program,
      Math.min(source.batch, source.split.count),
      source,
      (x) => ({ [input]: x }),
      (results) => {
        for (const name of outputs) addTo(sums, name, results[name] as Tensor, (v) => v)
      },
    )
  } finally {
    await program.dispose()
  }
  const byGroup = new Map<string, { mean: Float64Array; nonzero: Float64Array }>()
  probes.forEach(({ group, units }, i) => {
    const known = byGroup.get(keyOf(group)) ?? {
      mean: new Float64Array(group.size),
      nonzero: new Float64Array(group.size),
    }
    byGroup.set(keyOf(group), known)
    for (const [k, into] of [known.mean, known.nonzero].entries()) {
      const sum = sums.get(outputs[2 * i + k] as string) as Float64Array
      units.forEach((unit, index) => {
        if (unit >= 0) into[unit] = (into[unit] as number) + (sum[index] as number)
      })
    }
  })
  return { activation: (group) => byGroup.get(keyOf(group)) }
}

/** Groups of two analyses of one graph are the same when they begin with the same atom. */
const keyOf = (group: Group): string => `${group.name}/${group.atoms[0] ?? -1}`

import { attributesOf } from '../../graph/attributes.ts'
import { identity, type Graph, type Node } from '../../graph/graph.ts'
import { namesIn } from '../../graph/builder.ts'
import { arrayOf, f32, type Tensor } from '../../graph/tensor.ts'
import { Loader, type Preprocessing, type Split } from '../../datasets/index.ts'
import type { Where } from '../../measure/accuracy.ts'
import { Emitter } from '../../ops/emit.ts'
import { prepare } from '../../train/prepare.ts'
import { withInitializers } from '../fit.ts'

/** A batch normalization whose running statistics are constants. */
interface Site {
  readonly meanName: string
  readonly varianceName: string
  /** Outputs of the statistics graph: E[x] and the biased variance of one batch, `f32[C]`. */
  readonly mean: string
  readonly variance: string
}

const isBatchNorm = (graph: Graph, node: Node): boolean =>
  node.op === 'BatchNormalization' &&
  node.domain === '' &&
  node.inputs.slice(3, 5).every((s) => graph.initializers.has(s))

/** The graph with every batch normalization by the statistics of its batch, which it puts out. */
function statisticsGraph(prepared: Graph): { readonly graph: Graph; readonly sites: readonly Site[] } {
  const g = new Emitter(prepared.with({ nodes: [] }))
  g.reserve(namesIn(prepared))
  const sites: Site[] = []
  for (const node of prepared.nodes) {
    if (!isBatchNorm(prepared, node)) {
      g.append(node)
      continue
    }
    const [x = '', scale = '', shift = '', meanName = '', varianceName = ''] = node.inputs
    const rank = g.rank(x)
    const axes = [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2)]
    const column = [-1, ...Array<number>(rank - 2).fill(1)]
    const mean = g.op('ReduceMean', [x, g.ints(axes)], { keepdims: 1 })
    const centered = g.sub(x, mean)
    const variance = g.op('ReduceMean', [g.square(centered), g.ints(axes)], { keepdims: 1 })
    const { epsilon = 1e-5 } = attributesOf(node, 'BatchNormalization')
    const normal = g.div(centered, g.sqrt(g.add(variance, epsilon)))
    const y = g.add(g.mul(normal, g.reshape(scale, column)), g.reshape(shift, column))
    g.append(identity(y, node.outputs[0] ?? '', node.name))
    sites.push({ meanName, varianceName, mean: g.reshape(mean, [-1]), variance: g.reshape(variance, [-1]) })
  }
  g.outputs.length = 0
  for (const { mean, variance } of sites) {
    g.output(mean)
    g.output(variance)
  }
  return { graph: g.build(), sites }
}

/** Per channel the sums over batches of E[x] and E[x²]. */
interface Moments {
  readonly mean: Float64Array
  readonly square: Float64Array
}

/**
 * Batch-norm statistics anew, forward only and without labels: every normalization works by its batch's statistics
 * while those are averaged, μ = E[x] and σ² = E[x²] − μ² over `samples` samples (as in slimmable networks, Yu & Huang
 * 2019, arXiv:1903.05134, section 3.2). Gives the graph back as it is when it has no batch normalization.
 */
export async function reestimateBatchNorm(
  graph: Graph,
  split: Split,
  preprocessing: Preprocessing,
  where: Where,
  { samples, batch, seed }: { readonly samples: number; readonly batch: number; readonly seed: number },
): Promise<Graph> {
  if (!graph.nodes.some((node) => isBatchNorm(graph, node))) return graph
  const size = Math.min(batch, split.count)
  const { graph: statistics, sites } = statisticsGraph(prepare(graph, { batch: size }))
  const program = await where.executor.compile(
    statistics,
    where.threads === undefined ? {} : { threads: where.threads },
  )
  const input = graph.requiredInputs[0]?.name ?? ''
  const loader = new Loader(split, { batch: size, seed, preprocessing, dropLast: true })
  const count = Math.max(1, Math.min(loader.stepsPerEpoch, Math.floor(samples / size)))
  const sums = new Map<Site, Moments>()
  try {
    for (let i = 0; i < count; i++) {
      const { x } = await loader.batchAt(i)
      const results = await program.run({ [input]: x })
      for (const site of sites) addMoments(sums, site, results)
    }
  } finally {
    await program.dispose()
  }
  return withInitializers(graph, new Map([...sums].flatMap(([site, moments]) => averaged(site, moments, count))))
}

function addMoments(sums: Map<Site, Moments>, site: Site, results: Readonly<Record<string, Tensor>>): void {
  const mean = arrayOf(results[site.mean] as Tensor) as Float32Array
  const variance = arrayOf(results[site.variance] as Tensor) as Float32Array
  const known = sums.get(site) ?? { mean: new Float64Array(mean.length), square: new Float64Array(mean.length) }
  sums.set(site, known)
  mean.forEach((m, c) => {
    known.mean[c] = (known.mean[c] as number) + m
    known.square[c] = (known.square[c] as number) + (variance[c] as number) + m * m
  })
}

function averaged({ meanName, varianceName }: Site, { mean, square }: Moments, count: number): [string, Tensor][] {
  const m = mean.map((sum) => sum / count)
  const v = square.map((sum, c) => Math.max(0, sum / count - (m[c] as number) ** 2))
  return [
    [meanName, f32(m)],
    [varianceName, f32(v)],
  ]
}

import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { mulberry32 } from '../graph/random.ts'
import type { Tensor } from '../graph/tensor.ts'
import { bindDims, symbolsOf } from '../ops/bind.ts'
import { analyse, type AnalysisOptions } from '../passes/prune/analysis.ts'
import { cut, type Removal } from '../passes/prune/cut.ts'
import { groupsOf, type Groups } from '../passes/prune/groups.ts'
import { masked } from '../passes/prune/mask.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from './onnxruntime.ts'

/** A graph from its text whose f32 constants of more than one element are random; variances are positive. */
export function randomGraph(text: string): Graph {
  const graph = parse(text)
  const initializers = new Map<string, Tensor>()
  for (const [name, tensor] of graph.initializers) {
    const isWeight = tensor.dtype === 'f32' && tensor.dims.length > 0 && !name.startsWith('var')
    initializers.set(name, isWeight ? randomTensor(tensor.dims, name.length + 17 * initializers.size) : tensor)
  }
  return graph.with({ initializers })
}

/** Some units of every group, at least one and never all. */
export function randomRemoval({ groups }: Groups, share: number, seed: number): Removal {
  const random = mulberry32(seed)
  return new Map(
    groups.map(({ id, size }) => {
      const units = Array.from({ length: size }, (_, unit) => unit).filter(() => random() < share)
      const some = units.length === 0 ? [Math.floor(random() * size)] : units
      return [id, some.length === size ? some.slice(1) : some]
    }),
  )
}

export interface Compared {
  readonly groups: Groups
  readonly after: Graph
  /** Largest difference between the cut graph and the one whose units are zero, over all outputs. */
  readonly difference: number
}

/** Cuts, runs what was cut and the same with zeros instead in onnxruntime. */
export async function cutAndCompare(
  graph: Graph,
  options: AnalysisOptions & { readonly share?: number; readonly seed?: number; readonly removal?: Removal } = {},
): Promise<Compared> {
  const groups = groupsOf(analyse(graph, options))
  const removal = options.removal ?? randomRemoval(groups, options.share ?? 0.4, options.seed ?? 1)
  const after = cut(groups, removal)
  const open = Object.fromEntries([...symbolsOf(graph)].map((name) => [name, 2]))
  const feeds = randomFeeds(bindDims(graph, open))
  const expected = await runInOnnxruntime(masked(groups, removal), feeds)
  const found = await runInOnnxruntime(after, feeds)
  const differences = Object.entries(expected).map(([name, { values }]) =>
    largestDifference(values, found[name]?.values ?? []),
  )
  return { groups, after, difference: Math.max(...differences) }
}

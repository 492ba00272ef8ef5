import type { Tensors } from '../../executors/executor.ts'
import { referenceExecutor, saturatingExecutor, unsupportedNodes } from '../../executors/reference/index.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { arrayOf, type Tensor } from '../../graph/tensor.ts'
import { withIntegerProducts } from '../../passes/index.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import { SignalToNoise } from '../sqnr.ts'

/** How a whole quantized model fares where pairs of products saturate. */
export interface Portability {
  /** Samples that were run through the whole model. */
  readonly samples: number
  /** How many have another largest output; absent where outputs are no classes. */
  readonly changed?: number
  /** Of all outputs, with sums that saturate against those that don't, in decibels. */
  readonly sqnr: number
}

/**
 * Runs the whole model in the reference executor, once with exact sums and once with pairs that saturate in 16 bits as
 * on AVX2 without VNNI, until the samples or the time are used up; the first sample is always run. Undefined where the
 * reference executor lacks an operator. `data` yields single samples.
 */
export async function portabilityOf(
  quantized: Graph,
  layers: readonly Node[],
  data: CalibrationData,
  budgetMs: number,
): Promise<Portability | undefined> {
  const graph = withIntegerProducts(quantized, layers)
  if (unsupportedNodes(graph).length > 0) return undefined
  const [exact, saturating] = [await referenceExecutor.compile(graph), await saturatingExecutor.compile(graph)]
  const ratio = new SignalToNoise()
  const started = performance.now()
  const [output] = graph.outputs
  let [samples, changed, isClassifier] = [0, 0, graph.outputs.length === 1]
  for await (const { feeds } of data()) {
    const [left, right] = [await exact.run(feeds), await saturating.run(feeds)]
    compare(graph, left, right, ratio)
    const [a, b] = [left, right].map((results) => rowsOf(results[output?.name ?? '']))
    isClassifier &&= a !== undefined && b !== undefined
    samples += a?.length ?? 1
    changed += a?.filter((row, i) => largest(row) !== largest(b?.[i] ?? [])).length ?? 0
    if (performance.now() - started > budgetMs) break
  }
  return { samples, ...(isClassifier ? { changed } : {}), sqnr: ratio.decibels }
}

function compare(graph: Graph, left: Tensors, right: Tensors, ratio: SignalToNoise): void {
  for (const { name } of graph.outputs) {
    const [a, b] = [left[name], right[name]]
    if (a?.dtype === 'f32' && b) ratio.add(a, b)
  }
}

/** The rows of logits `[N, classes]`; undefined for anything else. */
function rowsOf(tensor: Tensor | undefined): readonly Float32Array[] | undefined {
  const [rows, classes] = tensor?.dims ?? []
  if (tensor?.dtype !== 'f32' || tensor.dims.length !== 2 || rows === undefined || !classes || classes < 2) {
    return undefined
  }
  const values = arrayOf(tensor) as Float32Array
  return Array.from({ length: rows }, (_, r) => values.subarray(r * classes, (r + 1) * classes))
}

const largest = (row: ArrayLike<number>): number =>
  Array.from(row).reduce((m, v, i, all) => (v > (all[m] as number) ? i : m), 0)

/** A model whose outputs are this near, and whose answers stay, loses nothing that matters. */
const NEAR = 30

/** What to tell a person whose model may run on such processors; undefined where nothing that matters is lost. */
export function portabilityWarning({ samples, changed = 0, sqnr }: Portability): string | undefined {
  if (changed === 0 && sqnr >= NEAR) return undefined
  const answers = changed > 0 ? `${changed} of ${samples} answers change` : `no answer of ${samples} changes`
  return `simulated on a processor with AVX2 but no VNNI, ${answers} and the outputs have ${sqnr.toFixed(0)} dB of signal to noise: use reduceRange for a model that is to run there`
}

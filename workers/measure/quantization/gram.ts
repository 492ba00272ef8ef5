import type { Graph } from '../../graph/graph.ts'
import { extract, Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, i64, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import type { Where } from './layers.ts'
import { memoryGroups } from '../memory-groups.ts'

/** Bytes of matrices that one run may put out. */
const MEMORY = 64 * 2 ** 20

/**
 * (2/n)·Σxxᵀ over the rows of values `[…, K]`, f64 `[K, K]`: the curvature of a layer's squared error by its weights.
 * The products are computed inside the graph, so memory does not grow with the samples.
 */
export async function gramMatrices(
  { executor, threads }: Where,
  graph: Graph,
  values: readonly string[],
  data: CalibrationData,
): Promise<ReadonlyMap<string, Float64Array>> {
  const sums = new Map<string, { sum: Float64Array; rows: number }>()
  const known = values.filter((value) => widthOf(graph, value) !== undefined)
  const bytesOf = (value: string) => 4 * (widthOf(graph, value) ?? 0) ** 2
  for (const group of memoryGroups(known, bytesOf, MEMORY)) {
    const program = await executor.compile(withGrams(graph, group), threads === undefined ? {} : { threads })
    try {
      for await (const { feeds } of data()) {
        const results = await program.run(feeds)
        for (const value of group) add(sums, value, results[`${value}/gram`], results[`${value}/rows`])
      }
    } finally {
      await program.dispose()
    }
  }
  return new Map([...sums].map(([name, { sum, rows }]) => [name, sum.map((v) => (2 * v) / rows)]))
}

function add(
  sums: Map<string, { sum: Float64Array; rows: number }>,
  value: string,
  gram: Tensor | undefined,
  rows: Tensor | undefined,
): void {
  const products = gram ? (arrayOf(gram) as Float32Array) : new Float32Array()
  const count = rows ? Number((arrayOf(rows) as BigInt64Array)[0]) : 0
  const known = sums.get(value) ?? { sum: new Float64Array(products.length), rows: 0 }
  for (let i = 0; i < products.length; i++) known.sum[i] = (known.sum[i] as number) + (products[i] as number)
  sums.set(value, { sum: known.sum, rows: known.rows + count })
}

const widthOf = (graph: Graph, value: string): number | undefined => {
  const last = asTensor(graph.type(value))?.shape?.at(-1)
  return typeof last === 'number' ? last : undefined
}

/** xᵀx of every value over all its rows, and how many rows there are. */
function withGrams(graph: Graph, values: readonly string[]): Graph {
  const inputs = graph.requiredInputs.map((v) => v.name)
  const rewriter = new Rewriter(extract(graph, inputs, values))
  const { builder } = rewriter
  for (const value of values) {
    const width = widthOf(graph, value) ?? 1
    const rows = builder.op('Reshape', [value, builder.constant(`${value}/shape`, i64([-1, width]))])
    builder.op('MatMul', [builder.op('Transpose', [rows], { perm: [1, 0] }), rows], {}, { names: [`${value}/gram`] })
    builder.op('Shape', [rows], {}, { names: [`${value}/rows`] })
    builder.types.set(`${value}/gram`, { kind: 'tensor', dtype: 'f32', shape: [width, width] })
    builder.types.set(`${value}/rows`, { kind: 'tensor', dtype: 'i64', shape: [2] })
    builder.output(`${value}/gram`)
    builder.output(`${value}/rows`)
    rewriter.removeOutput(value)
  }
  return rewriter.apply()
}

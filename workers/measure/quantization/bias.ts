import type { Graph, Node } from '../../graph/graph.ts'
import { extract, Rewriter } from '../../graph/rewrite.ts'
import { arrayOf, i64, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { withShiftedBias } from '../../passes/index.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import type { Where } from './layers.ts'

/** Mean of every channel (axis 1, or the last of a matrix) of some values over samples. */
export async function channelMeans(
  { executor, threads }: Where,
  graph: Graph,
  values: readonly string[],
  ranks: ReadonlyMap<string, number>,
  data: CalibrationData,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const program = await executor.compile(withMeans(graph, values, ranks), threads === undefined ? {} : { threads })
  const sums = new Map<string, Float64Array>()
  let samples = 0
  try {
    for await (const { feeds } of data()) {
      const count = Object.values(feeds)[0]?.dims[0] ?? 1
      const results = await program.run(feeds)
      for (const value of values) {
        const means = arrayOf(results[`${value}/mean`] as Tensor) as Float32Array
        const sum = sums.get(value) ?? new Float64Array(means.length)
        means.forEach((mean, c) => (sum[c] = (sum[c] as number) + count * mean))
        sums.set(value, sum)
      }
      samples += count
    }
  } finally {
    await program.dispose()
  }
  return new Map([...sums].map(([name, sum]) => [name, [...sum].map((v) => v / samples)]))
}

function withMeans(graph: Graph, values: readonly string[], ranks: ReadonlyMap<string, number>): Graph {
  const part = extract(
    graph,
    graph.requiredInputs.map((v) => v.name),
    values,
  )
  const rewriter = new Rewriter(part)
  const { builder } = rewriter
  for (const value of values) {
    const rank = ranks.get(value) ?? 4
    const axes = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== (rank > 2 ? 1 : rank - 1))
    const name = `${value}/mean`
    if (part.opset >= 18) {
      builder.op('ReduceMean', [value, builder.constant(`${name}/axes`, i64(axes))], { keepdims: 0 }, { names: [name] })
    } else builder.op('ReduceMean', [value], { axes, keepdims: 0 }, { names: [name] })
    builder.types.set(name, { kind: 'tensor', dtype: 'f32' })
    builder.output(name)
    rewriter.removeOutput(value)
  }
  return rewriter.apply()
}

export interface CorrectedLayer {
  readonly layer: string
  /** Largest |mean error| of a channel before the correction. */
  readonly error: number
}

/**
 * Adds E[y] − E[ŷ] to the bias of every layer, per output channel, in the order of the graph: each with everything
 * before it quantized and corrected (Nagel et al. 2019, arXiv:1906.04721, section 4.2; the empirical form).
 */
export async function correctBiases(
  where: Where,
  real: Graph,
  quantized: Graph,
  layers: readonly Node[],
  data: CalibrationData,
  onLayer: (done: number) => void = () => undefined,
): Promise<{ graph: Graph; layers: readonly CorrectedLayer[] }> {
  const sites = layers.flatMap((layer) => {
    const node = real.nodes.find((n) => n.name === layer.name && n.op === layer.op)
    const value = node?.outputs[0]
    const rank = asTensor(real.type(value ?? ''))?.shape?.length
    const canShift = withShiftedBias(quantized, layer, []) !== undefined
    return value !== undefined && rank !== undefined && canShift ? [{ layer, value, rank }] : []
  })
  const ranks = new Map(sites.map(({ value, rank }) => [value, rank]))
  const wanted = await channelMeans(where, real, [...ranks.keys()], ranks, data)
  const corrected: CorrectedLayer[] = []
  let graph = quantized
  for (const [i, { layer, value, rank }] of sites.entries()) {
    const own = graph.nodes.find((n) => n.name === layer.name && n.op === layer.op)?.outputs[0] ?? ''
    const found = (await channelMeans(where, graph, [own], new Map([[own, rank]]), data)).get(own) ?? []
    const shift = (wanted.get(value) ?? []).map((mean, c) => mean - (found[c] ?? mean))
    graph = withShiftedBias(graph, layer, shift) ?? graph
    corrected.push({ layer: layer.name, error: shift.reduce((most, s) => Math.max(most, Math.abs(s)), 0) })
    onLayer(i + 1)
  }
  return { graph, layers: corrected }
}

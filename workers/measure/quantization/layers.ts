import type { Executor } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { extract } from '../../graph/rewrite.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import { SignalToNoise } from '../sqnr.ts'

export interface Where {
  readonly executor: Executor
  readonly threads: number | undefined
}

/** A value of the float graph and the one of the quantized graph that stands for it. */
export interface Pair {
  readonly real: string
  readonly quantized: string
}

/** Values compared at once; more outputs would keep more activations alive. */
const GROUP = 24

/**
 * The signal-to-quantization-noise ratio of values of two graphs over samples, in decibels, in the order of the pairs.
 * With everything before a value quantized too, it shows how noise adds up along the net.
 */
export async function pairedSqnr(
  { executor, threads }: Where,
  real: Graph,
  quantized: Graph,
  pairs: readonly Pair[],
  data: CalibrationData,
): Promise<readonly number[]> {
  const ratios = pairs.map(() => new SignalToNoise())
  const options = threads === undefined ? {} : { threads }
  for (let from = 0; from < pairs.length; from += GROUP) {
    const group = pairs.slice(from, from + GROUP)
    const inputs = (graph: Graph) => graph.requiredInputs.map((v) => v.name)
    const names = (of: (pair: Pair) => string) => [...new Set(group.map(of))]
    const left = await executor.compile(
      extract(
        real,
        inputs(real),
        names((p) => p.real),
      ),
      options,
    )
    const right = await executor.compile(
      extract(
        quantized,
        inputs(quantized),
        names((p) => p.quantized),
      ),
      options,
    )
    try {
      for await (const { feeds } of data()) {
        const [a, b] = [await left.run(feeds), await right.run(feeds)]
        group.forEach((pair, i) => ratios[from + i]?.add(a[pair.real] as Tensor, b[pair.quantized] as Tensor))
      }
    } finally {
      await left.dispose()
      await right.dispose()
    }
  }
  return ratios.map((ratio) => ratio.decibels)
}

/** The outputs of a quantized graph against those of the float graph; the worst of them, in decibels. */
export async function outputSqnr(where: Where, real: Graph, quantized: Graph, data: CalibrationData): Promise<number> {
  const pairs = real.outputs.map((v) => ({ real: v.name, quantized: v.name }))
  return Math.min(...(await pairedSqnr(where, real, quantized, pairs, data)))
}

/** What stands for a value of the float graph after quantization; undefined where it is not quantized. */
export function dequantizedValue(quantized: Graph, value: string): string | undefined {
  const node = quantized.nodes.find((n) => n.name === `${value}_dq` && n.op === 'DequantizeLinear')
  return node?.outputs[0]
}

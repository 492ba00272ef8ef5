import { evaluationLoader, subset, type Preprocessing, type Split } from '../datasets/index.ts'
import type { Graph } from '../graph/graph.ts'
import { arrayOf, numbersOf, sizeOf, type Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { gram, matrixOf, type Matrix } from '../passes/factorize/matrix.ts'
import type { LayerWeight } from '../passes/layer-weights.ts'
import type { Where } from './accuracy.ts'

export interface MomentOptions extends Where {
  readonly samples: number
  readonly seed: number
}

/** Positions of a feature map that are looked at in each sample; neighbours say nearly the same. */
const POSITIONS = 64
const BATCH = 32

/**
 * E[(y − b)(y − b)ᵀ] of what layers put out on samples, by the names of their weights, `[out, out]` in float64. One
 * batch at a time: memory does not grow with the samples.
 */
export async function outputMoments(
  graph: Graph,
  layers: readonly LayerWeight[],
  split: Split,
  preprocessing: Preprocessing,
  { samples, seed, executor, threads }: MomentOptions,
): Promise<ReadonlyMap<string, Matrix>> {
  const outputs = layers.map(({ node }) => node.outputs[0] ?? '')
  const shown = graph.with({
    outputs: [...new Set(outputs)].map((name) => ({ name, type: graph.type(name) ?? { kind: 'unknown' as const } })),
  })
  const program = await executor.compile(shown, threads === undefined ? {} : { threads })
  const sums = layers.map(() => ({ sum: undefined as Float64Array | undefined, count: 0, size: 0 }))
  const input = graph.requiredInputs[0]
  const fixed = asTensor(input?.type)?.shape?.[0]
  const batch = typeof fixed === 'number' ? fixed : BATCH
  // Whole batches only: a fixed one takes no other.
  const count = Math.max(batch, Math.floor(Math.min(samples, split.count) / batch) * batch)
  const loader = evaluationLoader(subset(split, count, seed), { batch, preprocessing })
  try {
    for (let i = 0; i < loader.stepsPerEpoch; i++) {
      const { x } = await loader.batchAt(i)
      const results = await program.run({ [input?.name ?? '']: x })
      layers.forEach((layer, l) => {
        const seen = columnsOf(results[outputs[l] ?? ''] as Tensor, layer, biasOf(graph, layer))
        const part = gram(seen).data
        const own = sums[l] as (typeof sums)[number]
        own.sum = own.sum ? own.sum.map((v, at) => v + (part[at] as number)) : part
        own.count += seen.columns
        own.size = seen.rows
      })
    }
  } finally {
    await program.dispose()
  }
  return new Map(
    layers.flatMap(({ name }, l) => {
      const { sum, count, size } = sums[l] as (typeof sums)[number]
      return sum
        ? [
            [
              name,
              matrixOf(
                size,
                size,
                sum.map((v) => v / count),
              ),
            ],
          ]
        : []
    }),
  )
}

function biasOf(graph: Graph, { node }: LayerWeight): readonly number[] {
  const bias = graph.initializers.get(node.inputs[2] ?? '')
  return bias && bias.dims.length <= 1 ? numbersOf(bias) : []
}

/** Outputs as columns, one for each position that is looked at: channels are axis 1 of a convolution, else the last. */
function columnsOf(tensor: Tensor, { kind }: LayerWeight, bias: readonly number[]): Matrix {
  const values = arrayOf(tensor) as Float32Array
  const axis = kind === 'conv' ? 1 : tensor.dims.length - 1
  const channels = tensor.dims[axis] ?? 1
  const inner = sizeOf(tensor.dims.slice(axis + 1))
  const outer = sizeOf(tensor.dims.slice(0, axis))
  const stride = Math.max(1, Math.floor(inner / POSITIONS))
  const places = Math.ceil(inner / stride)
  const data = new Float64Array(channels * outer * places)
  const columns = outer * places
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      const shift = bias.length === channels ? (bias[c] as number) : 0
      for (let p = 0; p < places; p++) {
        data[c * columns + o * places + p] = (values[(o * channels + c) * inner + p * stride] as number) - shift
      }
    }
  }
  return matrixOf(channels, columns, data)
}

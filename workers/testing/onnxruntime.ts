import * as ort from 'onnxruntime-node'
import { modelOf, type Graph } from '../graph/graph.ts'
import { f32, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { staticShape } from '../graph/types.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { encodeForRuntime } from '../onnx/index.ts'
import type { DType } from '../graph/dtype.ts'

/** onnxruntime's names of the element types that tests feed and read. */
const names: Partial<Record<DType, string>> = {
  f32: 'float32',
  f64: 'float64',
  i64: 'int64',
  i32: 'int32',
  u8: 'uint8',
  bool: 'bool',
}

/** Runs a graph in onnxruntime's CPU provider, all graph optimizations off; outputs as plain numbers. */
export async function runInOnnxruntime(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, { dims: readonly number[]; values: number[] }>> {
  const options = { graphOptimizationLevel: 'disabled', intraOpNumThreads: 1, logSeverityLevel: 3 } as const
  const session = await ort.InferenceSession.create(encodeForRuntime(modelOf(graph)), options)
  const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]))
  const results = await session.run(inputs)
  await session.release()
  return Object.fromEntries(
    Object.entries(results).map(([name, { dims, data }]) => [
      name,
      { dims, values: Array.from(data as Float32Array, Number) },
    ]),
  )
}

function toOrt({ dtype, dims, bytes }: Tensor): ort.Tensor {
  const type = names[dtype]
  const copy = bytes.slice().buffer
  const arrays = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array } as const
  const Type = type !== undefined && type in arrays ? arrays[type as keyof typeof arrays] : Uint8Array
  return new ort.Tensor(type as 'float32', new Type(copy) as Float32Array, dims)
}

/** Gaussian feeds for every required input of static shape; in float64 where it asks for that. */
export function randomFeeds(graph: Graph, seed = 1): Record<string, Tensor> {
  const random = mulberry32(seed)
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }) => {
      const dims = staticShape(type) ?? []
      const double = type.kind === 'tensor' && type.dtype === 'f64'
      const values = Array.from({ length: sizeOf(dims) }, () => gaussian(random))
      return [name, double ? tensorOf('f64', dims, Float64Array.from(values)) : f32(values, dims)]
    }),
  )
}

/** A constant of standard normal numbers. */
export const randomTensor = (dims: readonly number[], seed = 1): Tensor => {
  const random = mulberry32(seed)
  return tensorOf(
    'f32',
    dims,
    Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
  )
}

/** The largest difference between two results, relative to the larger of 1 and the expected size. */
export function largestDifference(expected: readonly number[], found: readonly number[]): number {
  if (expected.length !== found.length) return Infinity
  return expected.reduce((worst, value, i) => {
    const other = found[i] ?? NaN
    if (Object.is(value, other) || (Number.isNaN(value) && Number.isNaN(other))) return worst
    const difference = Math.abs(value - other) / Math.max(1, Math.abs(value))
    return Number.isNaN(difference) ? Infinity : Math.max(worst, difference)
  }, 0)
}

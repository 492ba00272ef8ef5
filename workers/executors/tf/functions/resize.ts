import { EMIT_OPSET } from '../../../ops/emit.ts'
import { Call as ReferenceCall } from '../../reference/call.ts'
import { resizeSamples, type Sample } from '../../reference/kernels/resize.ts'
import { array } from '../../reference/value.ts'
import type { TfTensor } from '../tensorflow.ts'
import type { Call, Functions } from '../call.ts'
import type { Value } from '../value.ts'

/**
 * Every mode is linear and works on one axis after the other, so an axis is a product with a matrix of the weights that
 * the reference executor gives; TensorFlow's own kernels know three of ONNX's ways to count pixels.
 */
function resize(c: Call): Value {
  const value = c.value(0)
  const shape = array(value.dtype, value.dims, new Float64Array(0))
  const rest = c.values.slice(1).map((v) => v && { ...array(v.dtype, v.dims, Float64Array.from(v.numbers())) })
  const samples = resizeSamples(new ReferenceCall(c.node, EMIT_OPSET, [shape, ...rest], () => [], false))
  return c.plain(samples.reduce((x, along, axis) => (along ? product(c, x, axis, along) : x), value.plain()))
}

function product(c: Call, x: TfTensor, axis: number, samples: readonly (Sample | undefined)[]): TfTensor {
  const size = x.shape[axis] as number
  const matrix = new Float32Array(size * samples.length)
  samples.forEach((sample, out) =>
    sample?.indices.forEach((index, i) => {
      const at = index * samples.length + out
      matrix[at] = (matrix[at] as number) + (sample.weights[i] as number)
    }),
  )
  const perm = x.shape
    .map((_, i) => i)
    .filter((i) => i !== axis)
    .concat(axis)
  const moved = c.transpose(x, perm)
  const rows = c.reshape(moved, [moved.shape.slice(0, -1).reduce((n, d) => n * d, 1), size])
  const b = c.tf.tensor(matrix, [size, samples.length], 'float32')
  const result = c.run('BatchMatMul', { a: rows, b }, { transposeA: false, transposeB: false })
  const back = perm.map((_, i) => perm.indexOf(i))
  return c.transpose(c.reshape(result, [...moved.shape.slice(0, -1), samples.length]), back)
}

export const resizers: Functions = { Resize: resize }

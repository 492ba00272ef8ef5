import type { TfTensor } from '../tensorflow.ts'
import type { Call, Functions } from '../call.ts'
import type { Value } from '../value.ts'
import { add, mul } from './elementwise.ts'

const product = (c: Call, a: TfTensor, b: TfTensor, transposeA = false, transposeB = false): TfTensor =>
  c.run('BatchMatMul', { a, b }, { transposeA, transposeB })

/** numpy.matmul: vectors are rows on the left and columns on the right, leading axes broadcast. */
function matMul(c: Call): Value {
  const [a, b] = [c.x(0), c.x(1)]
  const rows = a.shape.length === 1 ? c.reshape(a, [1, ...a.shape]) : a
  const columns = b.shape.length === 1 ? c.reshape(b, [...b.shape, 1]) : b
  const result = product(c, rows, columns)
  const dims = result.shape.filter((_, i, all) => {
    if (i === all.length - 2) return a.shape.length > 1
    return i !== all.length - 1 || b.shape.length > 1
  })
  return c.plain(dims.length === result.shape.length ? result : c.reshape(result, dims))
}

/** alpha·A′·B′ + beta·C. */
function gemm(c: Call): Value {
  const [alpha, beta] = [c.number('alpha', 1), c.number('beta', 1)]
  const result = product(c, c.x(0), c.x(1), c.number('transA', 0) !== 0, c.number('transB', 0) !== 0)
  const scaled = alpha === 1 ? result : mul(c, result, c.scalar(alpha))
  const bias = c.optional(2)?.plain()
  if (!bias || beta === 0) return c.plain(scaled)
  return c.plain(add(c, scaled, beta === 1 ? bias : mul(c, bias, c.scalar(beta))))
}

export const linear: Functions = { Gemm: gemm, MatMul: matMul }

import { mapBinary } from '../map.ts'
import type { Call, Kernels } from '../call.ts'
import {
  broadcastDims,
  broadcastOffsets,
  broadcastTo,
  ramp,
  separable,
  sizeOf,
  stridesOf,
  transpose,
} from '../iterate.ts'
import { array, floats, fromNumbers, isFloating, type NdArray } from '../value.ts'
import { centred } from './conv.ts'

/** out[m,n] += Σ a[m,k] · b[k,n], rows outermost so that the inner loop runs along both rows. */
function multiplyInto(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  [outAt, aAt, bAt]: readonly [number, number, number],
  [m, k, n]: readonly [number, number, number],
): void {
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = a[aAt + i * k + p] as number
      const [row, other] = [outAt + i * n, bAt + p * n]
      for (let j = 0; j < n; j++) out[row + j] = (out[row + j] as number) + factor * (b[other + j] as number)
    }
  }
}

/** Numpy's matmul of plain numbers: batch axes broadcast, vectors count as a row (left) or a column (right). */
export function multiply(
  aDims: readonly number[],
  a: Float64Array,
  bDims: readonly number[],
  b: Float64Array,
  call: Call,
): { dims: number[]; data: Float64Array } {
  const left = aDims.length === 1 ? [1, ...aDims] : aDims
  const right = bDims.length === 1 ? [...bDims, 1] : bDims
  const [m, k] = [left.at(-2) as number, left.at(-1) as number]
  const n = right.at(-1) as number
  if (right.at(-2) !== k) {
    call.fail('the inner dimensions differ', { found: `[${aDims.join(',')}] × [${bDims.join(',')}]` })
  }
  const batch = broadcastDims(left.slice(0, -2), right.slice(0, -2))
  const as = broadcastOffsets(left.slice(0, -2), batch)
  const bs = broadcastOffsets(right.slice(0, -2), batch)
  const data = new Float64Array(sizeOf(batch) * m * n)
  for (let i = 0; i < as.length; i++) {
    multiplyInto(data, a, b, [i * m * n, (as[i] as number) * m * k, (bs[i] as number) * k * n], [m, k, n])
  }
  return { dims: [...batch, ...(aDims.length === 1 ? [] : [m]), ...(bDims.length === 1 ? [] : [n])], data }
}

export function matMul(a: NdArray, b: NdArray, call: Call): NdArray {
  const { dims, data } = multiply(a.dims, floats(a), b.dims, floats(b), call)
  return isFloating(a.dtype) ? array(a.dtype, dims, data) : fromNumbers(a.dtype, dims, data)
}

/** α·A'·B' + β·C */
export function gemm(call: Call): NdArray {
  const flip = (x: NdArray, attribute: string) => (call.flag(attribute) ? transpose(x, [1, 0]) : x)
  const a = flip(call.input(0), 'transA')
  const b = flip(call.input(1), 'transB')
  const { dims, data } = multiply(a.dims, floats(a), b.dims, floats(b), call)
  const [alpha, beta] = [call.number('alpha', 1), call.number('beta', 1)]
  const c = call.optional(2)
  const added = c && floats(broadcastTo(c, dims))
  for (let i = 0; i < data.length; i++)
    data[i] = alpha * (data[i] as number) + (added ? beta * (added[i] as number) : 0)
  return isFloating(a.dtype) ? array(a.dtype, dims, data) : fromNumbers(a.dtype, dims, data)
}

/** Zero points are one number, or one per row of A and per column of B. */
function matMulInteger(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  const { dims, data } = multiply(
    a.dims,
    centred(a, call.optional(2), a.dims.length - 2),
    b.dims,
    centred(b, call.optional(3), b.dims.length - 1),
    call,
  )
  return fromNumbers('i32', dims, data)
}

interface Equation {
  readonly operands: readonly (readonly string[])[]
  readonly output: readonly string[]
}

/** Labels of an Einsum equation; the axes of an ellipsis become labels of their own, counted from the right. */
function parseEquation(equation: string, ranks: readonly number[], call: Call): Equation {
  const [left = '', right] = equation.replaceAll(' ', '').split('->')
  const terms = left.split(',')
  if (terms.length !== ranks.length) call.fail(`the equation "${equation}" does not have ${ranks.length} operands`)
  const widest = Math.max(0, ...terms.map((t, i) => (t.includes('...') ? (ranks[i] as number) - (t.length - 3) : 0)))
  const expand = (term: string, width: number) => {
    const [before = '', after] = term.split('...')
    const dots = after === undefined ? [] : Array.from({ length: width }, (_, i) => `.${widest - width + i}`)
    return [...before, ...dots, ...(after ?? '')]
  }
  const operands = terms.map((t, i) => expand(t, (ranks[i] as number) - (t.length - 3)))
  if (right !== undefined) return { operands, output: expand(right, widest) }
  const counts = new Map<string, number>()
  operands.flat().forEach((label) => counts.set(label, (counts.get(label) ?? 0) + 1))
  const once = [...counts].filter(([label, n]) => n === 1 || label.startsWith('.')).map(([label]) => label)
  return { operands, output: once.sort() }
}

/** The size of every label; 1 broadcasts. */
function labelSizes(inputs: readonly NdArray[], operands: Equation['operands']): Map<string, number> {
  const sizes = new Map<string, number>()
  operands.forEach((labels, i) =>
    labels.forEach((label, d) => sizes.set(label, Math.max(sizes.get(label) ?? 1, inputs[i]?.dims[d] ?? 1))),
  )
  return sizes
}

/** Where an operand's elements lie for every combination of some labels; a repeated label walks a diagonal. */
function labelOffsets(
  { dims }: NdArray,
  own: readonly string[],
  labels: readonly string[],
  sizes: ReadonlyMap<string, number>,
): Int32Array {
  const strides = stridesOf(dims)
  const step = (label: string) =>
    own.reduce((sum, l, d) => sum + (l === label && dims[d] !== 1 ? (strides[d] as number) : 0), 0)
  return separable(labels.map((label) => ramp(sizes.get(label) as number, step(label))))
}

/** Sums the product of the operands over every label that the output lacks. */
function einsum(call: Call): NdArray {
  const inputs = call.rest(0)
  const ranks = inputs.map((x) => x.dims.length)
  const { operands, output } = parseEquation(call.text('equation', ''), ranks, call)
  const sizes = labelSizes(inputs, operands)
  const summed = [...sizes.keys()].filter((label) => !output.includes(label))
  const parts = inputs.map((x, i) => {
    const own = operands[i] as readonly string[]
    return { data: floats(x), kept: labelOffsets(x, own, output, sizes), gone: labelOffsets(x, own, summed, sizes) }
  })
  const count = (labels: readonly string[]) => sizeOf(labels.map((label) => sizes.get(label) as number))
  const terms = count(summed)
  const data = Float64Array.from({ length: count(output) }, (_, o) => {
    let sum = 0
    for (let s = 0; s < terms; s++) {
      let product = 1
      for (const { data, kept, gone } of parts) product *= data[(kept[o] as number) + (gone[s] as number)] as number
      sum += product
    }
    return sum
  })
  const dims = output.map((label) => sizes.get(label) as number)
  const dtype = (inputs[0] as NdArray).dtype
  return isFloating(dtype) ? array(dtype, dims, data) : fromNumbers(dtype, dims, data)
}

export const linear: Kernels = {
  MatMul: (call) => matMul(call.input(0), call.input(1), call),
  Gemm: gemm,
  MatMulInteger: matMulInteger,
  Einsum: einsum,
}

/** y = x + bias along the last axis, when there is a bias. */
export const addLast = (x: NdArray, bias: NdArray | undefined): NdArray =>
  bias ? mapBinary(x, bias, (a, b) => a + b) : x

import type { PlainAttributes } from '../../graph/attributes.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { Emitter } from '../emit.ts'
import { COMPOSITES } from '../composites.ts'
import { range, type GradientContext, type GradientTable } from './rule.ts'

/** dA = dY·Bᵀ, dB = Aᵀ·dY. Vectors are matrices with one row or column; batches are summed by the caller. */
function matmul({ g, inputs: [a, b], dy }: GradientContext<'MatMul'>): string[] {
  const aIsVector = g.rank(a) === 1
  const bIsVector = g.rank(b) === 1
  const left = aIsVector ? g.unsqueeze(a, [0]) : a
  const right = bIsVector ? g.unsqueeze(b, [1]) : b
  let grad = dy
  if (bIsVector) grad = g.unsqueeze(grad, [-1])
  if (aIsVector) grad = g.unsqueeze(grad, [-2])
  const da = g.matmul(grad, g.swapLast(right))
  const db = sharedRight(g, left, right, grad)
  return [
    aIsVector ? g.squeeze(g.sumTo(da, g.shape(left)), [0]) : da,
    bIsVector ? g.squeeze(g.sumTo(db, g.shape(right)), [1]) : db,
  ]
}

/** The gradient of a right operand that all batches share is one tall product instead of a sum of many small ones. */
function sharedRight(g: Emitter, a: string, b: string, dy: string): string {
  const [k, m] = g.shape(b)
  if (g.rank(b) !== 2 || g.rank(a) === 2 || typeof k !== 'number' || typeof m !== 'number') {
    return g.matmul(g.swapLast(a), dy)
  }
  return g.op('Gemm', [g.reshape(a, [-1, k]), g.reshape(dy, [-1, m])], { transA: 1 })
}

/** Y = α·A′·B′ + β·C, where a prime is a transpose if the attribute asks for it. */
function gemm({ g, inputs: [a, b], dy, attr }: GradientContext<'Gemm'>): string[] {
  const alpha = attr.alpha ?? 1
  const transA = attr.transA ?? 0
  const transB = attr.transB ?? 0
  const da = transA
    ? g.op('Gemm', [b, dy], { alpha, transA: transB, transB: 1 })
    : g.op('Gemm', [dy, b], { alpha, transB: 1 - transB })
  const db = transB
    ? g.op('Gemm', [dy, a], { alpha, transA: 1, transB: transA })
    : g.op('Gemm', [a, dy], { alpha, transA: 1 - transA })
  const beta = attr.beta ?? 1
  return [da, db, beta === 1 ? dy : g.mul(dy, beta)]
}

/** Sum over every axis but the channels', innermost first (one reduction over all is many times slower). */
export function sumPerChannel(g: Emitter, a: string): string {
  const rank = g.rank(a)
  const inner = rank > 2 ? g.sum(a, range(rank).slice(2), false) : a
  return g.sum(inner, [0], false)
}

function conv(c: GradientContext<'Conv'>): string[] {
  const { g, inputs, dy } = c
  const [x, w] = inputs
  const dx = composite(c, 'ConvInputGrad', [dy, w, x])
  const dw = composite(c, 'ConvFilterGrad', [dy, x, w])
  return inputs[2] ? [dx, dw, sumPerChannel(g, dy)] : [dx, dw]
}

/** A transposed convolution is the input gradient of a convolution, so its own gradients are that one's other two. */
function convTranspose(c: GradientContext<'ConvTranspose'>): string[] {
  const { g, inputs, dy, node } = c
  const [x, w] = inputs
  const attr = forwardAttributes(c.attr, g, x, dy, w, node.name)
  const dx = g.op('Conv', [dy, w], attr)
  const dw = g.node(COMPOSITES, 'ConvFilterGrad', [x, dy, w], attr)[0] as string
  return inputs[2] ? [dx, dw, sumPerChannel(g, dy)] : [dx, dw]
}

/** The attributes of the convolution that a ConvTranspose undoes: `output_padding` and `output_shape` become pads. */
function forwardAttributes(
  attr: PlainAttributes<'ConvTranspose'>,
  g: Emitter,
  x: string,
  y: string,
  w: string,
  name: string,
): PlainAttributes<'Conv'> {
  const { strides, dilations, group, kernel_shape } = attr
  const spatial = g.rank(x) - 2
  const pads = attr.pads ?? Array<number>(2 * spatial).fill(0)
  if (attr.output_shape !== undefined || (attr.auto_pad ?? 'NOTSET') !== 'NOTSET') {
    const [xs, ys, ws] = [g.dims(x), g.dims(y), g.dims(w)]
    const auto = attr.auto_pad ?? 'NOTSET'
    if (auto === 'VALID') return plain({ strides, dilations, group, kernel_shape, pads: pads.map(() => 0) })
    const totals = range(spatial).map((i) => {
      const full =
        ((xs[i + 2] as number) - 1) * (strides?.[i] ?? 1) + ((ws[i + 2] as number) - 1) * (dilations?.[i] ?? 1) + 1
      return full + (attr.output_padding?.[i] ?? 0) - (ys[i + 2] as number)
    })
    if (totals.some((t) => t < 0)) {
      throw new AlambicError(
        'gradient.conv-transpose',
        `node "${name}" (ConvTranspose): its output is larger than its kernel reaches`,
      )
    }
    const begin = totals.map((t) => (auto === 'SAME_UPPER' ? Math.floor(t / 2) : Math.ceil(t / 2)))
    return plain({
      strides,
      dilations,
      group,
      kernel_shape,
      pads: [...begin, ...totals.map((t, i) => t - (begin[i] as number))],
    })
  }
  return plain({ strides, dilations, group, kernel_shape, pads })
}

/** Drops the attributes that are undefined. */
const plain = (attributes: { [K in keyof PlainAttributes<'Conv'>]: PlainAttributes<'Conv'>[K] | undefined }) =>
  Object.fromEntries(Object.entries(attributes).filter(([, v]) => v !== undefined)) as PlainAttributes<'Conv'>

const composite = (c: GradientContext<'Conv'>, op: string, inputs: readonly string[]): string =>
  c.g.node(COMPOSITES, op, inputs, c.attr)[0] as string

/** Each operand's gradient is the same contraction with the other operand and dY in its place. */
function einsum({ g, node, inputs, dy, attr }: GradientContext<'Einsum'>): string[] {
  const equation = (attr.equation ?? '').replaceAll(' ', '')
  const [left = '', output = ''] = equation.split('->')
  const terms = left.split(',')
  if (!equation.includes('->') || equation.includes('.') || terms.length > 2 || terms.some(hasRepeat)) {
    throw new AlambicError(
      'gradient.einsum',
      `node "${node.name}" (Einsum): no gradient for the equation "${equation}"`,
      {
        expected: 'one or two operands, an explicit output, no ellipsis and no repeated letter within an operand',
        found: equation,
      },
    )
  }
  return terms.map((term, i) => {
    const others = terms.flatMap((t, j) => (j === i ? [] : [{ letters: t, value: inputs[j] as string }]))
    const available = new Set([output, ...others.map((o) => o.letters)].join(''))
    const kept = [...term].filter((letter) => available.has(letter)).join('')
    const contracted = g.op('Einsum', [dy, ...others.map((o) => o.value)], {
      equation: `${[output, ...others.map((o) => o.letters)].join(',')}->${kept}`,
    })
    // Letters that only this operand has were summed over: their gradient is the same along the whole axis.
    const missing = range(term.length).filter((axis) => !available.has(term[axis] as string))
    const x = inputs[i] as string
    return missing.length === 0 ? contracted : g.expandLike(g.unsqueeze(contracted, missing), x)
  })
}

const hasRepeat = (term: string): boolean => new Set(term).size !== term.length

export const linear = {
  MatMul: matmul,
  Gemm: gemm,
  Conv: conv,
  ConvTranspose: convTranspose,
  Einsum: einsum,
} satisfies GradientTable

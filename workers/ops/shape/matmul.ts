import { tensorType, type Dim, type Shape } from '../../graph/types.ts'
import { add, exactDivide, multiply, unify } from '../dims.ts'
import { broadcastDim, broadcastShapes } from './broadcast.ts'
import { likeInput, spellShape, type Call, type OutputTypes, type TypeRules } from './call.ts'

/** The shape of numpy's matmul of inputs `a` and `b`; vectors lose the axis that was added for them. */
export function matmulShape<A>(c: Call<A>, a = 0, b = 1): Shape | undefined {
  const [left, right] = [c.shape(a), c.shape(b)]
  return left && right && matmulOf(c, left, right)
}

export function matmulOf<A>(c: Call<A>, left: Shape, right: Shape): Shape | undefined {
  if (left.length === 0 || right.length === 0) throw c.contradiction('a scalar has no axis to multiply over')
  const inner = unify(left.at(-1) ?? '?', right.at(right.length === 1 ? 0 : -2) ?? '?')
  if (inner === undefined) {
    throw c.contradiction(
      `its inner sizes differ`,
      `${left.at(-1)} rows in the second input`,
      `${spellShape(left)} and ${spellShape(right)}`,
    )
  }
  const batch = broadcastShapes(left.slice(0, -2), right.slice(0, -2))
  if (!batch)
    throw c.contradiction(
      `its batch axes cannot be broadcast together`,
      'sizes that are equal or 1',
      `${spellShape(left)} and ${spellShape(right)}`,
    )
  const rows = left.length === 1 ? [] : left.slice(-2, -1)
  const columns = right.length === 1 ? [] : right.slice(-1)
  return [...batch, ...rows, ...columns]
}

interface GemmAttributes {
  readonly transA?: number | undefined
  readonly transB?: number | undefined
}

/** αA′B′ + βC of matrices `a` and `b`. */
export function gemmShape<A extends GemmAttributes>(c: Call<A>, a = 0, b = 1): Shape | undefined {
  const [left, right] = [c.shape(a), c.shape(b)]
  if ((left && left.length !== 2) || (right && right.length !== 2)) {
    throw c.contradiction(
      'it multiplies matrices',
      'two inputs of rank 2',
      `${spellShape(left)} and ${spellShape(right)}`,
    )
  }
  const [transA, transB] = [c.attr.transA ?? 0, c.attr.transB ?? 0]
  const inner = unify(c.dim(a, transA ? 0 : 1), c.dim(b, transB ? 1 : 0))
  if (inner === undefined) {
    throw c.contradiction(
      `its inner sizes differ`,
      `${c.dim(a, transA ? 0 : 1)} in both`,
      `${spellShape(left)}${transA ? ' transposed' : ''} and ${spellShape(right)}${transB ? ' transposed' : ''}`,
    )
  }
  return [c.dim(a, transA ? 1 : 0), c.dim(b, transB ? 0 : 1)]
}

// --- Einsum ----------------------------------------------------------------------------------------------------

/** An einsum equation taken apart: the letters of each operand and of the result, `…` as one letter. */
export function parseEinsum(equation: string): { inputs: string[]; output: string } {
  const plain = equation.replaceAll(/\s+/g, '').replaceAll('...', '…')
  const [left = '', right] = plain.split('->')
  const inputs = left.split(',')
  if (right !== undefined) return { inputs, output: right }
  const letters = [...left.replaceAll(',', '')]
  const once = letters.filter((l) => l !== '…' && letters.indexOf(l) === letters.lastIndexOf(l)).sort()
  return { inputs, output: (letters.includes('…') ? '…' : '') + once.join('') }
}

/** Sizes by letter and of the ellipsis; throws when one letter stands for two sizes. */
export function einsumSizes<A>(
  c: Call<A>,
  inputs: readonly string[],
): { sizes: Map<string, Dim>; rest: Shape | undefined } {
  const sizes = new Map<string, Dim>()
  let rest: Shape | undefined = []
  for (const [i, letters] of inputs.entries()) {
    const shape = c.shape(i)
    if (!shape) {
      if (letters.includes('…')) rest = undefined
      continue
    }
    const hidden = letters.includes('…') ? shape.length - (letters.length - 1) : 0
    if (letters.length - (letters.includes('…') ? 1 : 0) + hidden !== shape.length || hidden < 0) {
      throw c.contradiction(`operand ${i} is written "${letters}"`, `rank ${letters.length}`, spellShape(shape))
    }
    let axis = 0
    for (const letter of letters) {
      if (letter === '…') {
        rest = rest && broadcastShapes(rest, shape.slice(axis, axis + hidden))
        axis += hidden
        continue
      }
      const size = broadcastDim(sizes.get(letter) ?? 1, shape[axis] ?? '?')
      if (size === undefined) {
        throw c.contradiction(
          `axis "${letter}" has two sizes`,
          `${sizes.get(letter)}`,
          `${shape[axis]} in operand ${i}`,
        )
      }
      sizes.set(letter, size)
      axis++
    }
  }
  return { sizes, rest }
}

function einsumShape(c: Call<{ readonly equation?: string }>): Shape | undefined {
  const { inputs, output } = parseEinsum(c.attr.equation ?? '')
  const { sizes, rest } = einsumSizes(c, inputs)
  if (output.includes('…') && !rest) return undefined
  return [...output].flatMap((letter) => (letter === '…' ? (rest ?? []) : [sizes.get(letter) ?? '?']))
}

// --- attention -------------------------------------------------------------------------------------------------

export interface HeadAttributes {
  readonly q_num_heads?: number
  readonly kv_num_heads?: number
}

/** Q [N, heads, T, d] or [N, T, heads·d]; outputs Y, present key, present value, scores. */
function attention(c: Call<HeadAttributes>): OutputTypes {
  const rank = c.rank(0)
  if (rank !== 3 && rank !== 4) return [tensorType(c.dtype(0))]
  const packed = rank === 3
  const { q_num_heads: heads = '?', kv_num_heads: kvHeads = '?' } = c.attr
  const batch = c.dim(0, 0)
  const queries = c.dim(0, -2)
  const qHeads = packed ? heads : c.dim(0, 1)
  const keyHeads = packed ? kvHeads : c.dim(1, 1)
  const keySize = packed ? exactDivide(c.dim(1, 2), kvHeads) : c.dim(1, 3)
  const valueSize = packed ? exactDivide(c.dim(2, 2), kvHeads) : c.dim(2, 3)
  const total = c.has(4) ? add(c.dim(4, 2), c.dim(1, -2)) : c.dim(1, -2)
  const y = packed ? [batch, queries, multiply(qHeads, valueSize)] : [batch, qHeads, queries, valueSize]
  return [
    tensorType(c.dtype(0), y),
    tensorType(c.dtype(1), [batch, keyHeads, total, keySize]),
    tensorType(c.dtype(2), [batch, keyHeads, total, valueSize]),
    tensorType(c.dtype(0), [batch, qHeads, queries, total]),
  ]
}

/** Q, K, V packed as [B, T, heads·size]; the state is [B, kv heads, key size, value size]. */
function linearAttention(c: Call<HeadAttributes>): OutputTypes {
  const { q_num_heads: heads = '?', kv_num_heads: kvHeads = '?' } = c.attr
  const keySize = exactDivide(c.dim(1, 2), kvHeads)
  const valueSize = exactDivide(c.dim(2, 2), kvHeads)
  return [
    tensorType(c.dtype(0), [c.dim(0, 0), c.dim(0, 1), multiply(heads, valueSize)]),
    tensorType(c.has(3) ? c.dtype(3) : c.dtype(0), [c.dim(0, 0), kvHeads, keySize, valueSize]),
  ]
}

export const matmul = {
  MatMul: (c) => c.out(c.dtype(0) ?? c.dtype(1), matmulShape(c)),
  MatMulInteger: (c) => c.out('i32', matmulShape(c)),
  /** a, scale, zero point, b, scale, zero point, scale and zero point of the output. */
  QLinearMatMul: (c) => c.out(c.dtype(7), matmulShape(c, 0, 3)),
  Gemm: (c) => c.out(c.dtype(0) ?? c.dtype(1), gemmShape(c)),
  Einsum: (c) => c.out(c.dtype(0), einsumShape(c)),
  /** One determinant per matrix of a batch. */
  Det: (c) => c.out(c.dtype(0), c.shape(0)?.slice(0, -2)),
  Attention: attention,
  LinearAttention: linearAttention,
  RotaryEmbedding: likeInput,
} satisfies TypeRules

import { sizeOf } from '../../graph/tensor.ts'
import { tensorType, type Dim, type Shape, type TensorType } from '../../graph/types.ts'
import { isNumber } from '../dims.ts'
import { likeInput, requireAxis, withDim, type Call, type OutputTypes, type TypeRules } from './call.ts'

export interface AxisAttribute {
  readonly axis?: number
}

function gatherShape(c: Call<AxisAttribute>): Shape | undefined {
  const [data, indices] = [c.shape(0), c.shape(1)]
  if (!data || !indices) return undefined
  const axis = requireAxis(c, c.attr.axis ?? 0, data.length)
  return [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]
}

function gatherNDShape(c: Call<{ readonly batch_dims?: number }>): Shape | undefined {
  const [data, indices] = [c.shape(0), c.shape(1)]
  const depth = indices?.at(-1)
  if (!data || !indices || !isNumber(depth)) return undefined
  const batch = c.attr.batch_dims ?? 0
  if (batch + depth > data.length) {
    throw c.contradiction(`its indices have ${depth} coordinates`, `at most ${data.length - batch}`, `${depth}`)
  }
  return [...indices.slice(0, -1), ...data.slice(batch + depth)]
}

export interface TopKAttributes extends AxisAttribute {
  readonly k?: number
}

function topK(c: Call<TopKAttributes>): OutputTypes {
  const shape = c.shape(0)
  if (!shape) return [tensorType(c.dtype(0)), tensorType('i64')]
  const axis = requireAxis(c, c.attr.axis ?? -1, shape.length)
  const k = c.attr.k ?? c.sizes(1)?.[0] ?? '?'
  const size = shape[axis] ?? '?'
  if (isNumber(k) && isNumber(size) && k > size) {
    throw c.contradiction(`it takes the ${k} greatest of ${size} elements`, `at most ${size}`, `${k}`)
  }
  const picked = withDim(shape, axis, k)
  return [tensorType(c.dtype(0), picked), tensorType('i64', picked)]
}

function oneHotShape(c: Call<AxisAttribute>): Shape | undefined {
  const indices = c.shape(0)
  if (!indices) return undefined
  const rank = indices.length + 1
  const axis = requireAxis(c, c.attr.axis ?? -1, rank)
  return indices.toSpliced(axis, 0, c.sizes(1)?.[0] ?? '?')
}

function compressShape(c: Call<AxisAttribute>): Shape | undefined {
  if (c.attr.axis === undefined) return [selected(c)]
  const shape = c.shape(0)
  return shape && withDim(shape, requireAxis(c, c.attr.axis, shape.length), selected(c))
}

const selected = (c: Call<AxisAttribute>): Dim => c.numbers(1)?.filter((v) => v !== 0).length ?? '?'

function unique(c: Call<AxisAttribute>): OutputTypes {
  const shape = c.shape(0)
  const list = tensorType('i64', ['?'])
  const { axis } = c.attr
  if (axis === undefined) {
    const total: Dim = shape?.every(isNumber) ? sizeOf(shape) : '?'
    return [tensorType(c.dtype(0), ['?']), list, tensorType('i64', [total]), list]
  }
  const at = shape && requireAxis(c, axis, shape.length)
  const values: TensorType = tensorType(c.dtype(0), shape && at !== undefined ? withDim(shape, at, '?') : undefined)
  return [values, list, tensorType('i64', [at === undefined ? '?' : (shape?.[at] ?? '?')]), list]
}

/** Picking and placing elements by index. */
export const indexing = {
  Gather: (c) => c.out(c.dtype(0), gatherShape(c)),
  GatherElements: (c) => c.out(c.dtype(0), c.shape(1)),
  GatherND: (c) => c.out(c.dtype(0), gatherNDShape(c)),
  Scatter: likeInput,
  ScatterElements: likeInput,
  ScatterND: likeInput,
  TopK: topK,
  OneHot: (c) => c.out(c.dtype(2), oneHotShape(c)),
  Compress: (c) => c.out(c.dtype(0), compressShape(c)),
  /** A scalar is [0, n] to the specification and [1, n] to onnxruntime. */
  NonZero: (c) => c.out('i64', [c.rank(0) || '?', '?']),
  /** [selected, 3]: batch, class and box of each. */
  NonMaxSuppression: (c) => c.out('i64', ['?', 3]),
  Unique: unique,
} satisfies TypeRules

import { int64s } from '../../reference/value.ts'
import { tfTypes, type TfTensor } from '../tensorflow.ts'
import { normalAxis, type Call, type Functions } from '../call.ts'
import { Value } from '../value.ts'
import { add } from './elementwise.ts'

/** Indices from the end counted from the beginning, as TensorFlow wants them. */
function normalIndices(c: Call, indices: TfTensor, size: number): TfTensor {
  const zero = c.tf.tensor(Int32Array.of(0), [], 'int32')
  const negative = c.run('Cast', { x: c.run('Less', { a: indices, b: zero }) }, { dtype: 'int32' })
  const shift = c.run('Multiply', { a: negative, b: c.tf.tensor(Int32Array.of(size), [], 'int32') })
  return c.run('Add', { a: indices, b: shift })
}

function gather(c: Call): Value {
  const [data, indices] = [c.value(0), c.value(1)]
  const axis = c.axis('axis', 0, data.rank)
  const at = normalIndices(c, indices.plain(), data.dims[axis] as number)
  // The kernels take a vector of indices at least.
  const flat = c.reshape(at, [indices.size])
  const picked = c.run('GatherV2', { x: data.plain(), indices: flat }, { axis, batchDims: 0 })
  return c.plain(c.reshape(picked, [...data.dims.slice(0, axis), ...indices.dims, ...data.dims.slice(axis + 1)]))
}

/** The coordinates in a tensor of rank r that index `along` an axis stands for: [count, r]. */
function coordinates(c: Call, indices: Value, axis: number, size: number): TfTensor {
  const { dims, rank, size: count } = indices
  const strides = dims.map((_, i) => dims.slice(i + 1).reduce((n, d) => n * d, 1))
  const columns = dims.map((d, i) => {
    if (i === axis) return c.reshape(normalIndices(c, indices.plain(), size), [count, 1])
    const along = Int32Array.from({ length: count }, (_, at) => Math.floor(at / (strides[i] as number)) % d)
    return c.tf.tensor(along, [count, 1], 'int32')
  })
  return rank === 1 ? (columns[0] as TfTensor) : c.run('Concat', columns, { axis: 1 })
}

function gatherElements(c: Call): Value {
  const [data, indices] = [c.value(0), c.value(1)]
  const axis = c.axis('axis', 0, data.rank)
  const at = coordinates(c, indices, axis, data.dims[axis] as number)
  return c.plain(c.reshape(c.run('GatherNd', { params: data.plain(), indices: at }), indices.dims))
}

/** Writes, or adds, updates at coordinates [count, r]. */
function scattered(c: Call, at: TfTensor, updates: TfTensor): Value {
  const data = c.x(0)
  const shape = [...data.shape]
  const reduction = c.text('reduction', 'none')
  if (reduction === 'add') {
    const sums = c.run('ScatterNd', { indices: at, updates }, { shape })
    return c.plain(add(c, data, sums))
  }
  if (reduction !== 'none') c.fail(`does not reduce with "${reduction}" on TensorFlow`)
  return c.plain(c.run('TensorScatterUpdate', { tensor: data, indices: at, updates }, {}))
}

function scatterElements(c: Call): Value {
  const [data, indices] = [c.value(0), c.value(1)]
  const axis = c.axis('axis', 0, data.rank)
  const at = coordinates(c, indices, axis, data.dims[axis] as number)
  return scattered(c, at, c.reshape(c.x(2), [indices.size]))
}

function scatterNd(c: Call): Value {
  const [data, indices] = [c.value(0), c.value(1)]
  const depth = indices.dims.at(-1) as number
  const count = indices.size / Math.max(1, depth)
  const updates = c.reshape(c.x(2), [count, ...data.dims.slice(depth)])
  return scattered(c, c.reshape(indices.plain(), [count, depth]), updates)
}

function gatherNd(c: Call): Value {
  if (c.number('batch_dims', 0) !== 0) c.fail('batch_dims is not supported on TensorFlow')
  return c.plain(c.run('GatherNd', { params: c.x(0), indices: c.x(1) }))
}

function oneHot(c: Call): Value {
  const [indices, values] = [c.value(0), c.value(2)]
  const [depth] = c.value(1).numbers() as [number]
  const [off, on] = values.numbers() as [number, number]
  const axis = normalAxis(c.number('axis', -1), indices.rank + 1)
  const at = normalIndices(c, indices.plain(), depth)
  const attrs = { dtype: tfTypes[values.dtype] ?? 'float32', depth, onValue: on, offValue: off }
  const last = c.run('OneHot', { indices: at }, attrs)
  const { rank } = indices
  const perm = Array.from({ length: rank + 1 }, (_, i) => (i === axis ? rank : i < axis ? i : i - 1))
  return c.plain(c.transpose(last, perm), values.dtype)
}

function range(c: Call): Value {
  const [start, limit, delta] = [0, 1, 2].map((i) => c.value(i).numbers()[0]) as [number, number, number]
  const count = Math.max(0, Math.ceil((limit - start) / delta))
  return Value.host(c.tf, int64s(Array.from({ length: count }, (_, i) => start + i * delta)))
}

export const indexing: Functions = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherNd,
  OneHot: oneHot,
  Range: range,
  ScatterElements: scatterElements,
  ScatterND: scatterNd,
}

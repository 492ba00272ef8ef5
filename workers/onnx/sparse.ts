import { AlambicError } from '../protocol/errors.ts'
import type { Int } from '../graph/attributes.ts'
import { byteLength, dtypes } from '../graph/dtype.ts'
import { arrayOf, type Tensor, sizeOf } from '../graph/tensor.ts'
import { beyond, Context } from './context.ts'
import { ints, message, readFields, type Message, type WithUnknown } from './fields.ts'
import { defaultLimits } from './limits.ts'
import { readTensor, type NamedTensor } from './tensors.ts'
import { quoted } from './wire/failure.ts'
import { Reader } from './wire/reader.ts'

/**
 * A tensor of which only the elements that differ from zero are listed: `values` [n], and `indices` [n] into the
 * flattened tensor or [n, rank].
 */
export interface SparseTensor {
  readonly name: string
  readonly dims: readonly number[]
  readonly values: Tensor
  readonly indices: Tensor
}

interface SparseDraft extends WithUnknown {
  readonly dims: Int[]
  values: NamedTensor | undefined
  indices: NamedTensor | undefined
}

const sparseMessage: Message<SparseDraft> = {
  name: 'SparseTensorProto',
  fields: {
    1: message('values', (s, reader, context) => (s.values = readTensor(reader, context))),
    2: message('indices', (s, reader, context) => (s.indices = readTensor(reader, context))),
    3: ints('dims', (s, dim) => s.dims.push(dim)),
  },
}

/** Reads a SparseTensorProto and checks that its parts fit each other. */
export function readSparse(reader: Reader, context: Context): SparseTensor {
  const draft = readFields<SparseDraft>(
    sparseMessage,
    reader,
    { dims: [], values: undefined, indices: undefined, unknownFields: [] },
    context,
  )
  const { values, indices } = draft
  if (!values || !indices) throw malformed('a sparse tensor lacks its values or its indices')
  const label = `sparse tensor ${quoted(values.name)}`
  const dims = draft.dims.map((dim) => {
    if (typeof dim !== 'number' || dim < 0) throw malformed(`${label} has a dimension of ${dim}`)
    return dim
  })
  if (dims.length > context.limits.dims) throw beyond('dims', 'dimensions in one tensor', context.limits.dims)
  const count = values.tensor.dims[0] ?? 0
  const shape = indices.tensor.dims.join(',')
  const fits = values.tensor.dims.length === 1 && (shape === `${count}` || shape === `${count},${dims.length}`)
  if (indices.tensor.dtype !== 'i64' || !fits) {
    throw malformed(`${label} has indices ${indices.tensor.dtype}[${shape}] for ${count} values`, {
      expected: `i64[${count}] or i64[${count},${dims.length}]`,
      found: `${indices.tensor.dtype}[${shape}]`,
    })
  }
  return { name: values.name, dims, values: values.tensor, indices: indices.tensor }
}

const malformed = (message: string, details = {}): AlambicError => new AlambicError('onnx.sparse', message, details)

/** The same tensor with its zeros written out; bounded by the limit `sparseBytes` for all of a model's. */
export function dense(sparse: SparseTensor, context: Context): Tensor {
  const { dtype } = sparse.values
  const { bits } = dtypes[dtype]
  const label = `sparse tensor ${quoted(sparse.name)}`
  if (dtype === 'string' || bits < 8)
    throw malformed(`${label} holds ${dtype} values, which have no zero byte pattern of their own`)
  const count = sizeOf(sparse.dims)
  context.sparseBytes += byteLength(dtype, count)
  const { sparseBytes } = context.limits
  if (!(context.sparseBytes <= sparseBytes)) throw beyond('sparseBytes', 'bytes in sparse tensors', sparseBytes)
  const width = bits / 8
  const bytes = new Uint8Array(count * width)
  positionsOf(sparse, count, label).forEach((position, i) => {
    bytes.set(sparse.values.bytes.subarray(i * width, (i + 1) * width), position * width)
  })
  return { dtype, dims: sparse.dims, bytes }
}

function positionsOf({ dims, indices }: SparseTensor, count: number, label: string): number[] {
  const flat = Array.from(arrayOf(indices) as BigInt64Array, Number)
  const outside = (index: number, size: number) =>
    malformed(`${label} has an index of ${index} where there are ${size} places`, {
      expected: `0 to ${size - 1}`,
      found: `${index}`,
    })
  if (indices.dims.length === 1) {
    for (const index of flat) if (index < 0 || index >= count) throw outside(index, count)
    return flat
  }
  return Array.from({ length: indices.dims[0] as number }, (_, i) =>
    dims.reduce((position, size, axis) => {
      const index = flat[i * dims.length + axis] as number
      if (index < 0 || index >= size) throw outside(index, size)
      return position * size + index
    }, 0),
  )
}

/** The tensors of an attribute of kind `sparse` (a Constant's `sparse_value`). */
export function sparseTensorsOf(fields: Uint8Array): readonly SparseTensor[] {
  const reader = new Reader(fields)
  const context = new Context(defaultLimits)
  const tensors: SparseTensor[] = []
  while (reader.next()) tensors.push(readSparse(reader.message(), context))
  return tensors
}

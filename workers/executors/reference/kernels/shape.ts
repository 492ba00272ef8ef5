import { sparseTensorsOf, type SparseTensor } from '../../../onnx/sparse.ts'
import type { Call, Kernels } from '../call.ts'
import {
  around,
  broadcastDims,
  broadcastTo,
  normalizeAxis,
  ramp,
  reshape,
  separable,
  sizeOf,
  stridesOf,
  take,
  transpose,
} from '../iterate.ts'
import { array, fromTensor, int64s, integers, type NdArray } from '../value.ts'

/** 0 copies a dimension (unless `allowzero`), −1 takes what is left. */
export function reshapedDims(
  dims: readonly number[],
  wanted: readonly number[],
  allowZero: boolean,
  call: Call,
): number[] {
  const target = wanted.map((d, i) =>
    d === 0 && !allowZero ? (dims[i] ?? call.fail(`there is no dimension ${i} to copy`)) : d,
  )
  const known = target.reduce((n, d) => (d === -1 ? n : n * d), 1)
  const rest = known === 0 ? 0 : sizeOf(dims) / known
  const result = target.map((d) => (d === -1 ? rest : d))
  if (!Number.isInteger(rest) || sizeOf(result) !== sizeOf(dims)) {
    call.fail('the number of elements would change', {
      expected: `[${dims.join(',')}]`,
      found: `[${wanted.join(',')}]`,
    })
  }
  return result
}

function flatten(call: Call): NdArray {
  const x = call.input(0)
  const axis = call.number('axis', 1)
  const at = axis < 0 ? axis + x.dims.length : axis
  return reshape(x, [sizeOf(x.dims.slice(0, at)), sizeOf(x.dims.slice(at))])
}

function squeeze(call: Call): NdArray {
  const x = call.input(0)
  const axes = call.intsFrom(1, 'axes')?.map((a) => normalizeAxis(a, x.dims.length))
  return reshape(
    x,
    x.dims.filter((d, i) => (axes ? !axes.includes(i) : d !== 1)),
  )
}

function unsqueeze(call: Call): NdArray {
  const x = call.input(0)
  const given = call.intsFrom(1, 'axes') ?? call.fail('has no axes')
  const rank = x.dims.length + given.length
  const axes = given.map((a) => normalizeAxis(a, rank))
  const rest = x.dims[Symbol.iterator]()
  return reshape(
    x,
    Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.next().value as number))),
  )
}

function shapeOf(call: Call): NdArray {
  const { dims } = call.input(0)
  const end = call.number('end', undefined)
  return int64s(dims.slice(call.number('start', 0), end))
}

function expand(call: Call): NdArray {
  const [x, shape] = [call.input(0), integers(call.input(1))]
  return broadcastTo(x, broadcastDims(x.dims, shape))
}

function tile(call: Call): NdArray {
  const [x, repeats] = [call.input(0), integers(call.input(1))]
  const strides = stridesOf(x.dims)
  const tables = x.dims.map((size, d) =>
    Array.from({ length: size * (repeats[d] as number) }, (_, i) => (i % size) * (strides[d] as number)),
  )
  return take(
    x,
    tables.map((t) => t.length),
    separable(tables),
  )
}

/** Moves blocks of channels into space; CRD and DCR differ in where the block axes stand among the channels. */
function depthToSpace(call: Call): NdArray {
  const x = call.input(0)
  const [n, c, h, w] = x.dims as [number, number, number, number]
  const b = call.number('blocksize', 1)
  const depth = c / (b * b)
  const moved =
    call.text('mode', 'DCR') === 'DCR'
      ? transpose(reshape(x, [n, b, b, depth, h, w]), [0, 3, 4, 1, 5, 2])
      : transpose(reshape(x, [n, depth, b, b, h, w]), [0, 1, 4, 2, 5, 3])
  return reshape(moved, [n, depth, h * b, w * b])
}

function spaceToDepth(call: Call): NdArray {
  const x = call.input(0)
  const [n, c, h, w] = x.dims as [number, number, number, number]
  const b = call.number('blocksize', 1)
  const blocks = reshape(x, [n, c, h / b, b, w / b, b])
  const perm = call.text('mode', 'DCR') === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]
  return reshape(transpose(blocks, perm), [n, c * b * b, h / b, w / b])
}

/** Crops or pads the centre of some axes to given sizes. */
function centerCropPad(call: Call): NdArray {
  const [x, shape] = [call.input(0), integers(call.input(1))]
  const axes = (call.numbers('axes') ?? x.dims.map((_, d) => d)).map((a) => normalizeAxis(a, x.dims.length))
  const strides = stridesOf(x.dims)
  const tables = x.dims.map((size, d) => {
    const at = axes.indexOf(d)
    const wanted = at < 0 ? size : (shape[at] as number)
    // Cropping drops the odd element at the end, padding adds it there.
    const shift = wanted < size ? Math.floor((size - wanted) / 2) : -Math.floor((wanted - size) / 2)
    return Array.from({ length: wanted }, (_, i) => {
      const from = i + shift
      return from < 0 || from >= size ? -1 : from * (strides[d] as number)
    })
  })
  return take(
    x,
    tables.map((t) => t.length),
    separable(tables),
  )
}

/** Every matrix's upper (or lower) triangle from the k-th diagonal on; the rest is zero. */
function trilu(call: Call): NdArray {
  const x = call.input(0)
  const k = call.numberFrom(1, 'k', 0)
  const upper = call.flag('upper', true)
  const [rows, columns] = [x.dims.at(-2) as number, x.dims.at(-1) as number]
  const offsets = Int32Array.from({ length: x.data.length }, (_, i) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns]
    return (upper ? column - row >= k : column - row <= k) ? i : -1
  })
  return take(x, x.dims, offsets)
}

/** Reverses the first `sequence_lens[b]` steps of each batch entry. */
function reverseSequence(call: Call): NdArray {
  const [x, lengths] = [call.input(0), integers(call.input(1))]
  const [time, batch] = [call.number('time_axis', 0), call.number('batch_axis', 1)]
  const t = around(x.dims, time)
  const b = around(x.dims, batch)
  const offsets = Int32Array.from({ length: x.data.length }, (_, i) => {
    const step = Math.floor(i / t.inner) % t.size
    const length = lengths[Math.floor(i / b.inner) % b.size] as number
    return step < length ? i + (length - 1 - 2 * step) * t.inner : i
  })
  return take(x, x.dims, offsets)
}

/** A constant from whichever attribute holds it. */
function constant(call: Call): NdArray {
  const value = call.tensor('value')
  if (value) return fromTensor(value)
  const float = call.number('value_float', undefined)
  if (float !== undefined) return array('f32', [], Float64Array.of(float))
  const int = call.number('value_int', undefined)
  if (int !== undefined) return int64s([int], [])
  if (call.has('value_string')) return array('string', [], [call.text('value_string', '')])
  const list = call.numbers('value_floats')
  if (list) return array('f32', [list.length], Float64Array.from(list))
  const ints = call.numbers('value_ints')
  if (ints) return int64s(ints)
  const texts = call.texts('value_strings')
  if (texts) return array('string', [texts.length], [...texts])
  const bytes = call.sparse('sparse_value')
  const [sparse] = bytes ? sparseTensorsOf(bytes) : []
  return sparse ? denseOf(sparse) : call.fail('has no value')
}

/** A sparse tensor with its zeros written out; its indices are flat or coordinates. */
function denseOf({ dims, values, indices }: SparseTensor): NdArray {
  const source = fromTensor(values)
  const strides = stridesOf(dims)
  const coordinates = integers(fromTensor(indices))
  const width = indices.dims.length === 1 ? 1 : dims.length
  const offsets = new Int32Array(sizeOf(dims)).fill(-1)
  for (let n = 0; n < source.data.length; n++) {
    const tuple = coordinates.slice(n * width, (n + 1) * width)
    const at = indices.dims.length === 1 ? tuple[0] : tuple.reduce((sum, c, d) => sum + c * (strides[d] as number), 0)
    offsets[at as number] = n
  }
  return take(source, dims, offsets)
}

export const shapes: Kernels = {
  Identity: (call) => call.values[0] ?? call.fail('has no input'),
  Constant: constant,
  Reshape: (call) => {
    const x = call.input(0)
    const shape = call.intsFrom(1, 'shape') ?? call.fail('has no shape')
    return reshape(x, reshapedDims(x.dims, shape, call.flag('allowzero'), call))
  },
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Shape: shapeOf,
  Size: (call) => int64s([call.input(0).data.length], []),
  Transpose: (call) => {
    const x = call.input(0)
    return transpose(x, call.numbers('perm') ?? ramp(x.dims.length, 1).reverse())
  },
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  CenterCropPad: centerCropPad,
  Trilu: trilu,
  ReverseSequence: reverseSequence,
}

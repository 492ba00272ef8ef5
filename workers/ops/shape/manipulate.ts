import { tensorType, type Dim, type Shape, type ValueType } from '../../graph/types.ts'
import {
  add,
  equal,
  exactDivide,
  floorDivide,
  isNumber,
  multiply,
  product,
  subtract,
  unify,
  openShape,
  unknownDims,
} from '../dims.ts'
import { broadcastShapes } from './broadcast.ts'
import {
  axisOf,
  likeInput,
  requireAxis,
  spellShape,
  withDim,
  type Call,
  type OutputTypes,
  type TypeRules,
} from './call.ts'
import { resize } from './resize.ts'
import { sliceShape } from './slice.ts'

// --- Reshape and Flatten -----------------------------------------------------------------------------------------

/** The shape that `target` asks of a tensor of shape `input`: 0 copies a size, −1 takes what is left. */
export function reshaped<A>(c: Call<A>, input: Shape | undefined, target: readonly Dim[], allowZero: boolean): Shape {
  const dims = target.map((d, i) => (d === 0 && !allowZero ? (input?.[i] ?? '?') : d))
  const open = dims.flatMap((d, i) => (d === -1 || d === '?' ? [i] : []))
  if (!input) return dims.map((d) => (d === -1 ? '?' : d))
  // Sizes that are copied in place cancel out, even where they are unknown.
  const copied = (i: number) => target[i] === 0 && !allowZero
  const from = product(input.filter((_, i) => !copied(i) || dims[i] !== input[i]))
  const to = product(dims.filter((_, i) => !open.includes(i) && (!copied(i) || dims[i] !== input[i])))
  const [at] = open
  if (at === undefined) {
    if (equal(from, to) === false) throw mismatch(c, input, dims)
    return dims
  }
  const rest = open.length === 1 ? exactDivide(from, to) : '?'
  if (open.length === 1 && isNumber(from) && isNumber(to) && rest === '?' && to !== 0) throw mismatch(c, input, dims)
  return dims.map((d, i) => (i === at ? rest : d === -1 ? '?' : d))
}

const mismatch = <A>(c: Call<A>, input: Shape, target: Shape) =>
  c.contradiction(
    `its input has ${product(input)} elements, which do not fit the shape ${spellShape(target)}`,
    spellShape(target),
    spellShape(input),
  )

function reshapeShape(c: Call<{ readonly shape?: readonly number[]; readonly allowzero?: number }>): Shape | undefined {
  const target = c.attr.shape ?? c.sizes(1)
  if (target) return reshaped(c, c.shape(0), target, (c.attr.allowzero ?? 0) !== 0)
  return c.rank(1) === 1 ? openShape(c.dim(1, 0)) : undefined
}

function flattenShape(c: Call<{ readonly axis?: number }>): Shape {
  const shape = c.shape(0)
  if (!shape) return ['?', '?']
  const axis = c.attr.axis ?? 1
  const at = axis < 0 ? axis + shape.length : axis
  return [product(shape.slice(0, at)), product(shape.slice(at))]
}

// --- axes that come and go ---------------------------------------------------------------------------------------

export interface AxesAttribute {
  readonly axes?: readonly number[]
}

const givenAxes = (c: Call<AxesAttribute>): readonly number[] | undefined => c.attr.axes ?? c.numbers(1)

function squeezeShape(c: Call<AxesAttribute>): Shape | undefined {
  const shape = c.shape(0)
  if (!shape) return undefined
  const axes = givenAxes(c)
  if (!axes) {
    if (c.has(1)) return openShape(subtract(shape.length, c.dim(1, 0)))
    return shape.every(isNumber) ? shape.filter((d) => d !== 1) : undefined
  }
  const gone = new Set(axes.map((a) => requireAxis(c, a, shape.length)))
  for (const axis of gone) {
    const size = shape[axis] ?? '?'
    if (isNumber(size) && size !== 1) throw c.contradiction(`axis ${axis} cannot be squeezed`, 'size 1', `size ${size}`)
  }
  return shape.filter((_, i) => !gone.has(i))
}

function unsqueezeShape(c: Call<AxesAttribute>): Shape | undefined {
  const shape = c.shape(0)
  const axes = givenAxes(c)
  if (!shape) return undefined
  if (!axes) return openShape(add(shape.length, c.dim(1, 0)))
  const rank = shape.length + axes.length
  const added = new Set(axes.map((a) => requireAxis(c, a, rank)))
  if (added.size !== axes.length)
    throw c.contradiction('an axis is named twice', 'distinct axes', `[${axes.join(', ')}]`)
  const rest = shape.values()
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (rest.next().value ?? '?')))
}

function transposeShape(c: Call<{ readonly perm?: readonly number[] }>): Shape | undefined {
  const shape = c.shape(0)
  const perm = c.attr.perm
  if (!shape || !perm) return shape?.toReversed() ?? (perm && unknownDims(perm.length))
  if (perm.length !== shape.length || new Set(perm).size !== perm.length) {
    throw c.contradiction(
      `perm does not permute the axes of its input`,
      `${shape.length} distinct axes`,
      `[${perm.join(', ')}]`,
    )
  }
  return perm.map((a) => shape[requireAxis(c, a, shape.length)] ?? '?')
}

// --- Concat and Split --------------------------------------------------------------------------------------------

function concatShape(c: Call<{ readonly axis?: number }>): Shape | undefined {
  const inputs = c.inputsFrom(0)
  const shapes = inputs.map((i) => c.shape(i))
  const known = shapes.find((s) => s !== undefined)
  if (!known) return undefined
  const axis = requireAxis(c, c.attr.axis ?? (c.opset < 4 ? 1 : 0), known.length)
  let result: Shape = withDim(unknownDims(known.length), axis, 0)
  for (const [i, shape] of shapes.entries()) {
    if (shape && shape.length !== known.length) throw concatMismatch(c, i, known, shape)
    result = result.map((size, a) => {
      const dim = shape?.[a] ?? '?'
      const joined = a === axis ? add(size, dim) : unify(size, dim)
      if (joined === undefined) throw concatMismatch(c, i, result, shape)
      return joined
    })
  }
  return result
}

const concatMismatch = <A>(c: Call<A>, input: number, expected: Shape, found: Shape | undefined) =>
  c.contradiction(
    `input ${input} differs from the others in more than the axis of concatenation`,
    spellShape(expected),
    spellShape(found),
  )

export interface SplitAttributes {
  readonly axis?: number
  readonly split?: readonly number[]
  readonly num_outputs?: number
}

/** The sizes along the split axis, one for each output. */
export function splitSizes(c: Call<SplitAttributes>, total: Dim): readonly Dim[] {
  const count = c.node.outputs.length
  const given = c.attr.split ?? (c.has(1) ? (c.sizes(1) ?? unknownDims(count)) : undefined)
  if (given) {
    if (equal(given.reduce<Dim>(add, 0), total) === false) {
      throw c.contradiction(`its parts do not add up to the axis`, `${total}`, `[${given.join(', ')}]`)
    }
    return given
  }
  if (!isNumber(total)) return new Array<Dim>(count).fill(exactDivide(total, count))
  // From opset 18 the last part may be smaller.
  const chunk = Math.ceil(total / count)
  if (c.opset < 18 && total % count !== 0) {
    throw c.contradiction(`its axis cannot be split into ${count} equal parts`, `a multiple of ${count}`, `${total}`)
  }
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(chunk, total - i * chunk)))
}

function split(c: Call<SplitAttributes>): OutputTypes {
  const shape = c.shape(0)
  if (!shape) return c.node.outputs.map(() => tensorType(c.dtype(0)))
  const axis = requireAxis(c, c.attr.axis ?? 0, shape.length)
  const sizes = splitSizes(c, shape[axis] ?? '?')
  return c.node.outputs.map((_, i) => tensorType(c.dtype(0), withDim(shape, axis, sizes[i] ?? '?')))
}

// --- Expand, Tile, Pad -------------------------------------------------------------------------------------------

function expandShape(c: Call): Shape | undefined {
  const target = c.sizes(1) ?? openShape(c.dim(1, 0))
  const shape = c.shape(0)
  if (!target || !shape) return undefined
  const result = broadcastShapes(shape, target)
  if (!result) throw c.contradiction(`its input cannot be expanded`, spellShape(target), spellShape(shape))
  return result
}

function tileShape(c: Call): Shape | undefined {
  const repeats = c.sizes(1)
  if (c.opset < 6) return c.shape(0) && unknownDims(c.shape(0)?.length ?? 0)
  return c.shape(0)?.map((d, i) => (repeats ? multiply(d, repeats[i] ?? 1) : '?'))
}

interface PadAttributes {
  readonly pads?: readonly number[]
  readonly paddings?: readonly number[]
}

function padShape(c: Call<PadAttributes>): Shape | undefined {
  const shape = c.shape(0)
  const pads = c.attr.pads ?? c.attr.paddings ?? c.sizes(1)
  if (!shape) return undefined
  const axes = c.has(3) ? c.numbers(3) : shape.map((_, i) => i)
  if (!axes) return unknownDims(shape.length)
  if (!pads) return shape.map((d, i) => (axes.some((a) => axisOf(a, shape.length) === i) ? '?' : d))
  if (pads.length !== 2 * axes.length) {
    throw c.contradiction(
      `it has ${pads.length} pads for ${axes.length} axes`,
      `${2 * axes.length} pads`,
      `[${pads.join(', ')}]`,
    )
  }
  const result = [...shape]
  for (const [i, a] of axes.entries()) {
    const axis = requireAxis(c, a, shape.length)
    result[axis] = add(result[axis] ?? '?', add(pads[i] ?? 0, pads[i + axes.length] ?? 0))
  }
  return result
}

function cropShape(c: Call<AxesAttribute>): Shape | undefined {
  const shape = c.shape(0)
  if (!shape) return undefined
  const axes = (c.attr.axes ?? shape.map((_, i) => i)).map((a) => requireAxis(c, a, shape.length))
  const target = c.sizes(1)
  return shape.map((d, i) => (axes.includes(i) ? (target?.[axes.indexOf(i)] ?? '?') : d))
}

/** The part of a shape that Shape's `start` and `end` select (opset 15). */
export const shapeSlice = (shape: Shape, attr: { readonly start?: number; readonly end?: number }): Shape =>
  shape.slice(attr.start ?? 0, attr.end ?? shape.length)

const stringSplit = (c: Call): OutputTypes => {
  const shape = c.shape(0)
  const parts: ValueType = tensorType('string', shape && [...shape, '?'])
  return [parts, tensorType('i64', shape)]
}

/** Operators that move elements about or change a tensor's shape. */
export const manipulate = {
  Reshape: (c) => c.out(c.dtype(0), reshapeShape(c)),
  Flatten: (c) => c.out(c.dtype(0), flattenShape(c)),
  Squeeze: (c) => c.out(c.dtype(0), squeezeShape(c)),
  Unsqueeze: (c) => c.out(c.dtype(0), unsqueezeShape(c)),
  Transpose: (c) => c.out(c.dtype(0), transposeShape(c)),
  Concat: (c) =>
    c.out(
      c
        .inputsFrom(0)
        .map((i) => c.dtype(i))
        .find((d) => d),
      concatShape(c),
    ),
  Split: split,
  Slice: (c) => c.out(c.dtype(0), sliceShape(c)),
  Expand: (c) => c.out(c.dtype(0), expandShape(c)),
  Tile: (c) => c.out(c.dtype(0), tileShape(c)),
  Pad: (c) => c.out(c.dtype(0), padShape(c)),
  CenterCropPad: (c) => c.out(c.dtype(0), cropShape(c)),
  Shape: (c) => c.out('i64', [c.shape(0) ? shapeSlice(c.shape(0) ?? [], c.attr).length : '?']),
  Size: (c) => c.out('i64', []),
  ...resize,
  ReverseSequence: likeInput,
  TensorScatter: likeInput,
  StringNormalizer: (c) => {
    // Stop words shorten the list.
    const shape = c.shape(0)
    return c.out('string', c.attr.stopwords?.length ? shape?.map((d, i) => (i === shape.length - 1 ? '?' : d)) : shape)
  },
  StringSplit: stringSplit,
  RegexFullMatch: (c) => c.out('bool', c.shape(0)),
  TfIdfVectorizer: (c) => {
    const columns = Math.max(-1, ...(c.attr.ngram_indexes ?? [])) + 1
    return c.out('f32', c.shape(0) && [...(c.shape(0) ?? []).slice(0, -1), columns])
  },
  ImageDecoder: (c) => c.out('u8', ['?', '?', c.attr.pixel_format === 'Grayscale' ? 1 : 3]),
  /** Frames of [batch, length, 1 or 2] along axis 1; a one-sided spectrum has half of the bins and one. */
  STFT: (c) => {
    const size = c.number(3) ?? (c.has(2) ? c.dim(2, 0) : '?')
    const step = c.number(1)
    const frames = step === undefined ? '?' : add(floorDivide(subtract(c.dim(0, 1), size), step), 1)
    const bins = (c.attr.onesided ?? 1) ? add(floorDivide(size, 2), 1) : size
    return c.out(c.dtype(0), [c.dim(0, 0), frames, bins, 2])
  },
  DFT: (c) => c.out(c.dtype(0), dftShape(c)),
} satisfies TypeRules

function dftShape(
  c: Call<{ readonly axis?: number; readonly onesided?: number; readonly inverse?: number }>,
): Shape | undefined {
  const shape = c.shape(0)
  const given = c.has(2) ? c.number(2) : (c.attr.axis ?? (c.opset < 20 ? 1 : -2))
  if (!shape || given === undefined) return shape && unknownDims(shape.length)
  const axis = requireAxis(c, given, shape.length)
  const length = c.has(1) ? (c.sizes(1)?.[0] ?? '?') : (shape[axis] ?? '?')
  const onesided = (c.attr.onesided ?? 0) !== 0
  const inverse = (c.attr.inverse ?? 0) !== 0
  // A one-sided inverse gives a real signal back; its length is dft_length, else twice the bins but two.
  if (onesided && inverse) {
    const full = c.has(1) ? length : subtract(multiply(length, 2), 2)
    return withDim(withDim(shape, axis, full), shape.length - 1, 1)
  }
  const bins = onesided ? add(floorDivide(length, 2), 1) : length
  return withDim(withDim(shape, axis, bins), shape.length - 1, 2)
}

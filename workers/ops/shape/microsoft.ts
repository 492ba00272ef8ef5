import { tensorType, type Dim, type Shape } from '../../graph/types.ts'
import { add, exactDivide, multiply, unknownDims } from '../dims.ts'
import { broadcastInputs } from './broadcast.ts'
import { likeInput, withDim, requireAxis, type Call, type LooseTypeRules, type OutputTypes } from './call.ts'
import { convShape } from './conv.ts'
import { gemmShape, matmulOf, matmulShape } from './matmul.ts'
import { attentions } from './microsoft-attention.ts'
import { globalPoolShape, poolShape } from './pool.ts'
import { dequantize, quantize } from './quantization.ts'
import { slidShape, windowsOf } from './window.ts'

// --- channels last -----------------------------------------------------------------------------------------------

/** Axis 1 to the end and back: onnxruntime's NHWC operators. */
const toFirst = (shape: Shape | undefined): Shape | undefined =>
  shape && shape.length > 2 ? [shape[0] ?? '?', shape.at(-1) ?? '?', ...shape.slice(1, -1)] : shape
const toLast = (shape: Shape | undefined): Shape | undefined =>
  shape && shape.length > 2 ? [shape[0] ?? '?', ...shape.slice(2), shape[1] ?? '?'] : shape

/** X [N, …spatial, C] and W [M, …kernel, C/group]. */
function channelsLastConv(c: Call): Shape | undefined {
  const [input, weight] = [c.shape(0), c.shape(1)]
  const conv = c.as('Conv')
  const kernel = conv.attr.kernel_shape ?? weight?.slice(1, -1)
  if (!input || !kernel || kernel.length !== input.length - 2) return input && unknownDims(input.length)
  return [input[0] ?? '?', ...slidShape(conv, input.slice(1, -1), windowsOf(conv, kernel)), weight?.[0] ?? '?']
}

function pooled(
  c: Call,
  first: (c: Call) => Shape | undefined,
  last: (shape: Shape) => Shape | undefined,
): OutputTypes {
  const shape = c.shape(0)
  const result = c.int('channels_last') ? toLast(shape && last(toFirst(shape) ?? shape)) : first(c)
  return c.out(c.dtype(0), result)
}

const averagePool = (c: Call): OutputTypes => {
  const pool = c.as('AveragePool')
  const spatial = (shape: Shape): Shape | undefined =>
    pool.attr.kernel_shape && [
      ...shape.slice(0, 2),
      ...slidShape(pool, shape.slice(2), windowsOf(pool, pool.attr.kernel_shape)),
    ]
  return pooled(c, () => poolShape(pool), spatial)
}

// --- products ----------------------------------------------------------------------------------------------------

const swapped = (shape: Shape | undefined): Shape | undefined =>
  shape && shape.length > 1 ? [...shape.slice(0, -2), shape.at(-1) ?? '?', shape.at(-2) ?? '?'] : shape

function fusedMatmul(c: Call): OutputTypes {
  const [a, b] = [c.shape(0), c.shape(1)]
  if (c.int('transBatchA') || c.int('transBatchB')) return c.out(c.dtype(0), undefined)
  const left = c.int('transA') ? swapped(a) : a
  const right = c.int('transB') ? swapped(b) : b
  return c.out(c.dtype(0), left && right && matmulOf(c, left, right))
}

/** A [… , K] times a packed weight of N rows. */
const packedMatmul = (c: Call): OutputTypes => {
  const shape = c.shape(0)
  return c.out(c.dtype(0), shape && withDim(shape, shape.length - 1, c.int('N') ?? '?'))
}

// --- normalization -----------------------------------------------------------------------------------------------

/** Y, mean and 1/deviation of the last axis, and the sum that was normalized. */
function skipNormalization(c: Call): OutputTypes {
  const shape = c.shape(0)
  const statistics = tensorType('f32', shape && withDim(shape, shape.length - 1, 1))
  return [tensorType(c.dtype(0), shape), statistics, statistics, tensorType(c.dtype(0), shape)]
}

function simplifiedNormalization(c: Call): OutputTypes {
  const shape = c.shape(0)
  const axis = shape && requireAxis(c, c.int('axis') ?? -1, shape.length)
  const statistics = tensorType(
    'f32',
    shape?.map((d, i) => (i < (axis ?? 0) ? d : 1)),
  )
  return [tensorType(c.has(1) ? (c.dtype(1) ?? c.dtype(0)) : c.dtype(0), shape), statistics, statistics]
}

/** Ids [B, S] looked up in tables [V, H]; outputs [B, S, H], mask index [B] and the sum before normalization. */
const embeddings =
  (table: number) =>
  (c: Call): OutputTypes => {
    const states = tensorType(c.dtype(table), [c.dim(0, 0), c.dim(0, 1), c.dim(table, 1)])
    return [states, tensorType('i32', [c.dim(0, 0)]), states]
  }

// --- quantized ---------------------------------------------------------------------------------------------------

const quantizedBinary = (c: Call): OutputTypes => c.out(c.dtype(0), broadcastInputs(c, [0, 3]))

/** Scale and zero point of the result, then (x, scale, zero point) for every part. */
function quantizedConcat(c: Call): OutputTypes {
  const parts = c.inputsFrom(2).filter((i) => (i - 2) % 3 === 0)
  const [first] = parts
  const shape = first === undefined ? undefined : c.shape(first)
  if (!shape) return c.out(c.dtype(1), undefined)
  const axis = requireAxis(c, c.int('axis') ?? 0, shape.length)
  const total = parts.reduce<Dim>((sum, i) => add(sum, c.dim(i, axis)), 0)
  return c.out(c.dtype(1), withDim(shape, axis, total))
}

/** W [directions, input, 4·hidden] and R [directions, hidden, 4·hidden], unlike LSTM's. */
function dynamicLstm(c: Call): OutputTypes {
  const hidden = c.int('hidden_size') ?? c.dim(2, 1)
  const directions = c.dim(1, 0)
  const state = tensorType(c.dtype(0), [directions, c.dim(0, 1), hidden])
  return [tensorType(c.dtype(0), [c.dim(0, 0), directions, c.dim(0, 1), hidden]), state, state]
}

/** Rows of a quantized table; in bytes, its last axis holds 8/bits elements each. */
function gatherQuantized(c: Call): OutputTypes {
  const [data, indices] = [c.shape(0), c.shape(1)]
  if (!data || !indices) return c.out(c.dtype(2), undefined)
  const axis = requireAxis(c, c.int('gather_axis') ?? 0, data.length)
  const perByte = c.dtype(0) === 'u8' ? Math.floor(8 / (c.int('bits') ?? 4)) : 1
  const table = withDim(data, data.length - 1, multiply(data.at(-1) ?? '?', perByte))
  return c.out(c.dtype(2), [...table.slice(0, axis), ...indices, ...table.slice(axis + 1)])
}

const halved = (c: Call): OutputTypes => {
  const shape = c.shape(0)
  return c.out(c.dtype(0), shape && withDim(shape, shape.length - 1, exactDivide(c.dim(0, -1), 2)))
}

/** Operators of onnxruntime's own domain `com.microsoft` (onnxruntime, docs/ContribOperators.md). */
export const microsoft: LooseTypeRules = {
  BiasAdd: likeInput,
  BiasDropout: (c) => [c.valueType(0), tensorType('bool', c.shape(0))],
  BiasGelu: likeInput,
  BiasSoftmax: likeInput,
  BiasSplitGelu: halved,
  DynamicQuantizeLSTM: dynamicLstm,
  DynamicQuantizeMatMul: (c) => c.out(c.dtype(0), matmulShape(c)),
  EmbedLayerNormalization: embeddings(2),
  ExpandDims: (c) => {
    const [shape, axis] = [c.shape(0), c.number(1)]
    return c.out(
      c.dtype(0),
      shape && axis !== undefined ? shape.toSpliced(axis < 0 ? axis + shape.length + 1 : axis, 0, 1) : undefined,
    )
  },
  FastGelu: likeInput,
  FusedConv: (c) => c.out(c.dtype(0), convShape(c.as('Conv'))),
  FusedGemm: (c) => c.out(c.dtype(0), gemmShape(c.as('Gemm'))),
  FusedMatMul: fusedMatmul,
  GatherBlockQuantized: gatherQuantized,
  Gelu: likeInput,
  GemmFastGelu: (c) => c.out(c.dtype(0), matmulShape(c)),
  GroupNorm: likeInput,
  Inverse: likeInput,
  LayerNormalization: (c) => simplifiedNormalization(c),
  MatMulInteger16: (c) => c.out('i32', matmulShape(c)),
  MatMulIntegerToFloat: (c) => c.out(c.dtype(2), matmulShape(c)),
  MatMulBnb4: packedMatmul,
  MatMulFpQ4: packedMatmul,
  MatMulNBits: packedMatmul,
  NhwcConv: (c) => c.out(c.dtype(0), channelsLastConv(c)),
  NhwcFusedConv: (c) => c.out(c.dtype(0), channelsLastConv(c)),
  NhwcMaxPool: (c) => {
    const pool = c.as('MaxPool')
    const kernel = pool.attr.kernel_shape
    const shape = c.shape(0)
    if (!shape || !kernel) return c.out(c.dtype(0), undefined)
    return c.out(c.dtype(0), [
      c.dim(0, 0),
      ...slidShape(pool, shape.slice(1, -1), windowsOf(pool, kernel)),
      c.dim(0, -1),
    ])
  },
  QEmbedLayerNormalization: (c) => {
    const states = tensorType('f32', [c.dim(0, 0), c.dim(0, 1), c.dim(2, 1)])
    return [states, tensorType('i32', [c.dim(0, 0)])]
  },
  QGemm: (c) => c.out(c.has(8) ? c.dtype(8) : 'f32', gemmShape(c.as('Gemm'), 0, 3)),
  QLinearAdd: quantizedBinary,
  QLinearAveragePool: averagePool,
  QLinearConcat: quantizedConcat,
  QLinearConv: (c) =>
    c.out(c.dtype(7), c.int('channels_last') ? channelsLastQuantizedConv(c) : convShape(c.as('Conv'), 0, 3)),
  QLinearGlobalAveragePool: (c) => pooled(c, globalPoolShape, (shape) => shape.map((d, i) => (i < 2 ? d : 1))),
  QLinearLeakyRelu: likeInput,
  QLinearMul: quantizedBinary,
  QLinearSigmoid: likeInput,
  QLinearSoftmax: likeInput,
  QLinearWhere: (c) => c.out(c.dtype(1), broadcastInputs(c, [0, 1, 4])),
  QuantizeLinear: (c) => quantize(c.as('QuantizeLinear')),
  DequantizeLinear: (c) => dequantize(c.as('DequantizeLinear')),
  QuickGelu: likeInput,
  SimplifiedLayerNormalization: simplifiedNormalization,
  SkipGroupNorm: (c) => [c.valueType(0), c.valueType(0)],
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  TransposeMatMul: fusedMatmul,
  Trilu: likeInput,
  ...attentions,
}

/** X [N, …spatial, C]; W keeps the order [M, C/group, …kernel]. */
function channelsLastQuantizedConv(c: Call): Shape | undefined {
  const conv = c.as('Conv')
  const [input, weight] = [c.shape(0), c.shape(3)]
  const kernel = conv.attr.kernel_shape ?? weight?.slice(2)
  if (!input || !kernel) return input && unknownDims(input.length)
  return [c.dim(0, 0), ...slidShape(conv, input.slice(1, -1), windowsOf(conv, kernel)), weight?.[0] ?? '?']
}

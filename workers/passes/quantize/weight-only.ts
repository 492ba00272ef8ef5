import { attributesOf } from '../../graph/attributes.ts'
import { nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { packBits, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { weightUseOf } from '../../ops/quant.ts'
import type { Affine } from './affine.ts'
import { gptq, roundToNearest, type BlockOptions, type RowCodes, type Rows } from './gptq.ts'
import { layerName } from './plan.ts'
import {
  appendNode,
  codeTensor,
  decodeWeight,
  dequantizedConstant,
  floatsOf,
  quantizeWeight,
  type QuantizedWeight,
} from './weights.ts'

export interface WeightOnlyOptions {
  readonly bits: 4 | 8
  /** Inputs that share a scale: 16, 32, 64, 128 or 256. */
  readonly blockSize: number
  /** Codes around a fixed middle; else each block has a zero point of its own. */
  readonly symmetric: boolean
  readonly method: 'rtn' | 'mse' | 'gptq'
  /** onnxruntime's MatMulNBits, or the standard block-wise DequantizeLinear of opset 21. */
  readonly format: 'matmulnbits' | 'dequantize'
  /** Convolutions too, with a scale per output channel (in 8 bits below opset 21): smaller, not faster. */
  readonly convolutions: boolean
  readonly actOrder?: boolean
  readonly exclude?: ReadonlySet<string>
  /** Bits of single layers, by name; 32 leaves a layer in float. */
  readonly layerBits?: ReadonlyMap<string, number>
  /** Σxxᵀ of the inputs of each layer, f64 `[inputs, inputs]` or `[group, inputs, inputs]`, by layer name; for GPTQ. */
  readonly hessians?: ReadonlyMap<string, Float64Array>
}

export interface WeightOnlyLayer {
  readonly layer: string
  readonly op: string
  readonly bits: number
  /** Σ(ŵ − w)²/Σw² of the weight. */
  readonly error: number
}

export interface WeightOnlyReport extends PassReport {
  readonly layers: readonly WeightOnlyLayer[]
  readonly left: readonly { readonly node: string; readonly reason: string }[]
}

/** The opset in which DequantizeLinear got blocks and 4-bit types. */
export const BLOCK_OPSET = 21

/** MatMul and Gemm nodes with a constant matrix: what weight-only quantization and GPTQ work on. */
export function matrixLayers(graph: Graph): readonly Node[] {
  return graph.nodes.filter((node) => {
    if (node.op !== 'MatMul' && node.op !== 'Gemm') return false
    const use = weightUseOf(node, graph)
    return use !== undefined && graph.initializers.get(use.name)?.dims.length === 2
  })
}

/**
 * Stores the weights of matrix products in blocks of 4 or 8 bits; activations stay in float. The graph must be
 * prepared, at opset 21 for the standard format. Sources: Frantar et al. 2023 (arXiv:2210.17323) for GPTQ; the
 * definition of com.microsoft.MatMulNBits; ONNX DequantizeLinear-21.
 */
export function quantizeWeights(graph: Graph, options: WeightOnlyOptions): PassResult<WeightOnlyReport> {
  const rewriter = new Rewriter(graph)
  const layers: WeightOnlyLayer[] = []
  const left: { node: string; reason: string }[] = []
  const matrices = new Set(matrixLayers(graph))
  for (const node of graph.nodes) {
    const isConvolution = node.op === 'Conv' || node.op === 'ConvTranspose'
    if (!isConvolution && node.op !== 'MatMul' && node.op !== 'Gemm') continue
    const own = optionsOf(node, options)
    const reason = whyNot(node, graph, matrices, isConvolution, own)
    if (reason !== undefined) {
      left.push({ node: nodeLabel(node), reason })
      continue
    }
    layers.push(isConvolution ? convolution(rewriter, graph, node, own) : matrix(rewriter, graph, node, own))
  }
  if (layers.length === 0) return { graph, report: { modified: false, layers, left } }
  return { graph: rewriter.apply(), report: { modified: true, layers, left } }
}

/** The options with a layer's own bits. */
function optionsOf(node: Node, options: WeightOnlyOptions): WeightOnlyOptions {
  const bits = options.layerBits?.get(layerName(node))
  if (bits === 4 || bits === 8) return { ...options, bits }
  return bits === undefined ? options : { ...options, exclude: new Set([layerName(node)]) }
}

function whyNot(
  node: Node,
  graph: Graph,
  matrices: ReadonlySet<Node>,
  isConvolution: boolean,
  options: WeightOnlyOptions,
): string | undefined {
  if (options.exclude?.has(layerName(node))) return 'it was told to stay in float'
  if (isConvolution) {
    if (!options.convolutions) return 'convolutions stay in float unless told'
    return weightUseOf(node, graph) ? undefined : 'its weight is not a float32 constant'
  }
  if (!matrices.has(node)) return 'its second operand is not a constant float32 matrix'
  if (node.op === 'Gemm' && attributesOf(node, 'Gemm').transA) return 'it transposes its input'
  return undefined
}

/** The weight of a MatMul or Gemm as rows of outputs, and whether it is stored that way. */
export function rowsOf(graph: Graph, node: Node): { rows: Rows; name: string; stored: boolean } {
  const name = node.inputs[1] ?? ''
  const tensor = graph.initializers.get(name) as Tensor
  const [d0 = 1, d1 = 1] = tensor.dims
  const values = floatsOf(tensor)
  const stored = node.op === 'Gemm' && attributesOf(node, 'Gemm').transB === 1
  if (stored) return { name, stored, rows: { rows: d0, columns: d1, values: Float64Array.from(values) } }
  const out = new Float64Array(values.length)
  for (let k = 0; k < d0; k++) for (let n = 0; n < d1; n++) out[n * d0 + k] = values[k * d1 + n] as number
  return { name, stored, rows: { rows: d1, columns: d0, values: out } }
}

/** Finds the codes of a matrix by the chosen method; layers without a Hessian are rounded to nearest. */
export function codesOfRows(rows: Rows, block: BlockOptions, options: WeightOnlyOptions, layer: string): RowCodes {
  const choice = { ...block, mse: options.method !== 'rtn' }
  const hessian = options.method === 'gptq' ? options.hessians?.get(layer) : undefined
  if (!hessian) return roundToNearest(rows, choice)
  return gptq(rows, hessian, { ...choice, actOrder: options.actOrder ?? false })
}

function matrix(rewriter: Rewriter, graph: Graph, node: Node, options: WeightOnlyOptions): WeightOnlyLayer {
  const { rows, name, stored } = rowsOf(graph, node)
  const { bits, blockSize, symmetric } = options
  const type = options.format === 'matmulnbits' || !symmetric ? (bits === 4 ? 'u4' : 'u8') : bits === 4 ? 'i4' : 'i8'
  // MatMulNBits has its middle code at 2^(bits−1): symmetric codes are the signed ones, moved.
  const signed = bits === 4 ? ('i4' as const) : ('i8' as const)
  const block: BlockOptions = symmetric
    ? { type: signed, symmetric: true, block: blockSize, codes: [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] }
    : { type: bits === 4 ? 'u4' : 'u8', block: blockSize }
  const result = codesOfRows(rows, block, options, layerName(node))
  const site = { rewriter, graph, node, name, rows, result, options }
  if (options.format === 'matmulnbits') matMulNBits(site)
  else blockwise(site, type, stored)
  return { layer: layerName(node), op: node.op, bits, error: relativeError(rows, result, blockSize) }
}

interface Site {
  readonly rewriter: Rewriter
  readonly graph: Graph
  readonly node: Node
  readonly name: string
  readonly rows: Rows
  readonly result: RowCodes
  readonly options: WeightOnlyOptions
}

function relativeError({ values, columns }: Rows, { codes, affines }: RowCodes, block: number): number {
  const blocks = Math.ceil(columns / block)
  let [noise, signal] = [0, 0]
  codes.forEach((code, i) => {
    const affine = affines[Math.floor(i / columns) * blocks + Math.floor((i % columns) / block)]
    const v = values[i] as number
    noise += ((affine?.scale ?? 0) * (code - (affine?.zeroPoint ?? 0)) - v) ** 2
    signal += v * v
  })
  return signal === 0 ? 0 : noise / signal
}

/** B u8 `[N, ⌈K/block⌉, block·bits/8]`, low bits first; scales `[N·⌈K/block⌉]`; zero points packed the same way. */
function matMulNBits({ rewriter, node, name, rows, result, options }: Site): void {
  const { bits, blockSize, symmetric } = options
  const { builder } = rewriter
  const middle = symmetric ? 2 ** (bits - 1) : 0
  const blocks = Math.ceil(rows.columns / blockSize)
  const padded = new Uint8Array(rows.rows * blocks * blockSize).fill(middle)
  for (let n = 0; n < rows.rows; n++) {
    for (let k = 0; k < rows.columns; k++) {
      padded[n * blocks * blockSize + k] = (result.codes[n * rows.columns + k] as number) + middle
    }
  }
  const bytes = bits === 4 ? packBits('u4', padded) : padded
  const constants = [
    builder.constant(`${name}_Q${bits}`, tensorOf('u8', [rows.rows, blocks, (blockSize * bits) / 8], bytes)),
    builder.constant(
      `${name}_scales`,
      tensorOf(
        'f32',
        [rows.rows * blocks],
        Float32Array.from(result.affines, (a) => a.scale),
      ),
    ),
  ]
  if (!symmetric) constants.push(builder.constant(`${name}_zero_points`, zeroPoints(result, rows.rows, blocks, bits)))
  const attributes = { K: rows.columns, N: rows.rows, bits, block_size: blockSize, accuracy_level: 0 }
  const [product = ''] = builder.node('com.microsoft', 'MatMulNBits', [node.inputs[0] ?? '', ...constants], attributes)
  const bias = node.op === 'Gemm' ? (node.inputs[2] ?? '') : ''
  rewriter.replace(node, bias === '' ? product : builder.op('Add', [product, bias]))
}

/** Zero points of one row after another, each row padded to a whole byte. */
function zeroPoints({ affines }: RowCodes, rows: number, blocks: number, bits: number): Tensor {
  const zeros = affines.map((a) => a.zeroPoint)
  if (bits === 8) return tensorOf('u8', [rows * blocks], Uint8Array.from(zeros))
  const perRow = Math.ceil(blocks / 2)
  const bytes = new Uint8Array(rows * perRow)
  for (let r = 0; r < rows; r++) bytes.set(packBits('u4', zeros.slice(r * blocks, (r + 1) * blocks)), r * perRow)
  return tensorOf('u8', [bytes.length], bytes)
}

/** The standard form: codes in the weight's own layout, scales with one entry per block along the inputs' axis. */
function blockwise(
  { rewriter, node, name, rows, result, options }: Site,
  type: 'u4' | 'u8' | 'i4' | 'i8',
  stored: boolean,
): void {
  const { builder } = rewriter
  const blocks = Math.ceil(rows.columns / options.blockSize)
  const layout = <T extends Int32Array | Float32Array>(source: T, width: number): T => {
    if (stored) return source
    const out = source.slice() as T
    for (let n = 0; n < rows.rows; n++) {
      for (let k = 0; k < width; k++) out[k * rows.rows + n] = source[n * width + k] as number
    }
    return out
  }
  const dimsOf = (width: number) => (stored ? [rows.rows, width] : [width, rows.rows])
  const scales = layout(
    Float32Array.from(result.affines, (a) => a.scale),
    blocks,
  )
  const zeros = layout(
    Int32Array.from(result.affines, (a) => a.zeroPoint),
    blocks,
  )
  const inputs = [
    builder.constant(`${name}_quantized`, codeTensor(type, dimsOf(rows.columns), layout(result.codes, rows.columns))),
    builder.constant(`${name}_scale`, tensorOf('f32', dimsOf(blocks), scales)),
    builder.constant(`${name}_zero_point`, codeTensor(type, dimsOf(blocks), zeros)),
  ]
  const output = builder.fresh(`${name}_dq`)
  const axis = stored ? 1 : 0
  const [real = ''] = appendNode(rewriter, 'DequantizeLinear', inputs, [output], axis, options.blockSize)
  rewriter.replaceInput(node, 1, real)
}

/** A scale for each output channel: blocks have no kernels here. */
function convolution(rewriter: Rewriter, graph: Graph, node: Node, options: WeightOnlyOptions): WeightOnlyLayer {
  const use = weightUseOf(node, graph)
  const tensor = graph.initializers.get(use?.name ?? '') as Tensor
  const values = floatsOf(tensor)
  const bits = graph.opset >= BLOCK_OPSET ? options.bits : 8
  const type = bits === 4 ? 'i4' : 'i8'
  const coded =
    node.op === 'Conv'
      ? codedConvolution(node, values, tensor.dims, { ...options, bits })
      : quantizeWeight(values, tensor.dims, {
          type,
          symmetric: true,
          axis: use?.axis,
        })
  const output = dequantizedConstant(rewriter, use?.name ?? '', coded)
  rewriter.replaceInput(node, use?.index ?? 1, output)
  const real = decodeWeight(coded)
  let [noise, signal] = [0, 0]
  values.forEach((v, i) => {
    noise += ((real[i] as number) - v) ** 2
    signal += v * v
  })
  return { layer: layerName(node), op: node.op, bits, error: signal === 0 ? 0 : noise / signal }
}

/** Each output channel is a row over the inputs that it sees; the rows of a group share the curvature of its inputs. */
function codedConvolution(
  node: Node,
  values: Float32Array,
  dims: readonly number[],
  options: WeightOnlyOptions,
): QuantizedWeight {
  const type = options.bits === 4 ? 'i4' : 'i8'
  const [out = 1] = dims
  const columns = values.length / out
  const { group = 1 } = attributesOf(node, 'Conv')
  const hessian = options.hessians?.get(layerName(node))
  const affines: Affine[] = []
  const codes = new Int32Array(values.length)
  for (let g = 0, rows = out / group; g < group; g++) {
    const part = Float64Array.from(values.subarray(g * rows * columns, (g + 1) * rows * columns))
    const own = hessian?.subarray(g * columns ** 2, (g + 1) * columns ** 2)
    const hessians = new Map(own ? [[layerName(node), own]] : [])
    const found = codesOfRows(
      { rows, columns, values: part },
      { type, symmetric: true },
      { ...options, hessians },
      layerName(node),
    )
    affines.push(...found.affines)
    codes.set(found.codes, g * rows * columns)
  }
  return { type, dims, axis: 0, affines, codes }
}

import { attributesOf } from '../../graph/attributes.ts'
import { nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { f32, type Tensor } from '../../graph/tensor.ts'
import { isFloat32 } from '../../ops/quant.ts'
import { layerName } from './plan.ts'
import { affineTensors, codeTensor, floatsOf, quantizeWeight, type WeightRange } from './weights.ts'

export interface DynamicOptions {
  /** One weight scale per output channel. */
  readonly perChannel?: boolean
  readonly reduceRange?: boolean
  readonly weightRange?: WeightRange
  /** Operators to quantize; convolutions are left out unless told, because their dynamic kernel is slow. */
  readonly ops?: ReadonlySet<string>
  readonly exclude?: ReadonlySet<string>
}

export interface DynamicReport extends PassReport {
  readonly layers: readonly { readonly layer: string; readonly op: string }[]
  readonly left: readonly { readonly node: string; readonly reason: string }[]
}

export const dynamicOps = ['MatMul', 'Gemm', 'Conv', 'LSTM', 'Gather'] as const
const usual: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'LSTM', 'Gather'])

interface Site {
  readonly node: Node
  readonly rewriter: Rewriter
  readonly graph: Graph
  readonly options: DynamicOptions
  /** Codes, scale and zero point of an activation, computed once for all its readers. */
  readonly quantized: (value: string) => readonly [string, string, string]
}

/** Writes the integer form of a node and returns what takes the place of its first outputs; or says why not. */
type Writer = (site: Site) => readonly string[] | { readonly reason: string }

/**
 * Stores weights as int8 and lets the running model quantize its activations by their own extremes
 * (DynamicQuantizeLinear): MatMul and Gemm become MatMulInteger, Conv ConvInteger, LSTM onnxruntime's
 * DynamicQuantizeLSTM, and embeddings are looked up as codes. No data is needed. The graph must be prepared
 * (`prepareForQuantization`). Source: ONNX DynamicQuantizeLinear-11 and onnxruntime's dynamic quantizer.
 */
export function quantizeDynamic(graph: Graph, options: DynamicOptions = {}): PassResult<DynamicReport> {
  const rewriter = new Rewriter(graph)
  const ops = options.ops ?? usual
  const activations = new Map<string, readonly [string, string, string]>()
  const quantized = (value: string) => {
    const known = activations.get(value)
    if (known) return known
    const names = rewriter.builder.ops('DynamicQuantizeLinear', [value], {}, { outputs: 3 })
    const triple = [names[0] ?? '', names[1] ?? '', names[2] ?? ''] as const
    activations.set(value, triple)
    return triple
  }
  const layers: { layer: string; op: string }[] = []
  const left: { node: string; reason: string }[] = []
  for (const node of graph.nodes) {
    const writer = node.domain === '' && Object.hasOwn(writers, node.op) ? writers[node.op] : undefined
    if (!writer || !ops.has(node.op)) continue
    const excluded = options.exclude?.has(layerName(node))
    const written = excluded
      ? { reason: 'it was told to stay in float' }
      : writer({ node, rewriter, graph, options, quantized })
    if ('reason' in written) {
      left.push({ node: nodeLabel(node), reason: written.reason })
      continue
    }
    rewriter.replace(node, ...written)
    layers.push({ layer: layerName(node), op: node.op })
  }
  if (layers.length === 0) return { graph, report: { modified: false, layers, left } }
  return { graph: rewriter.apply(), report: { modified: true, layers, left } }
}

const constantOf = (graph: Graph, name: string | undefined): Tensor | undefined => {
  const tensor = graph.initializers.get(name ?? '')
  return tensor?.dtype === 'f32' ? tensor : undefined
}

/** W `[N, K]` as `[K, N]`. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c] as number
  return out
}

/** x·W in integers, then times both scales: `[…, N]` in float. */
function integerProduct(site: Site, name: string, values: Float32Array, dims: readonly number[]): string {
  const { rewriter, options, node, quantized } = site
  const { builder } = rewriter
  const axis = (options.perChannel ?? true) && dims.length === 2 ? 1 : undefined
  const { reduceRange = false, weightRange: range } = options
  const weight = quantizeWeight(values, dims, { type: 'i8', symmetric: true, reduceRange, range, axis })
  const { scale, zeroPoint } = affineTensors(weight.affines, 'i8', axis !== undefined)
  const [codes, inputScale, inputZero] = quantized(node.inputs[0] ?? '')
  const product = builder.op('MatMulInteger', [
    codes,
    builder.constant(`${name}_quantized`, codeTensor('i8', dims, weight.codes)),
    inputZero,
    builder.constant(`${name}_zero_point`, zeroPoint),
  ])
  return scaled(site, product, inputScale, builder.constant(`${name}_scale`, scale))
}

/** Integers times the two scales that they are in. */
function scaled({ rewriter: { builder } }: Site, integers: string, inputScale: string, weightScale: string): string {
  const real = builder.op('Cast', [integers], { to: 1 })
  return builder.op('Mul', [real, builder.op('Mul', [inputScale, weightScale])])
}

const writers: Readonly<Record<string, Writer>> = {
  MatMul: (site) => {
    const [x = '', w = ''] = site.node.inputs
    const weight = constantOf(site.graph, w)
    if (!weight || weight.dims.length < 2) return { reason: 'it has no float32 weight of two dimensions or more' }
    if (!isFloat32(site.graph, x)) return { reason: 'its input is not known to be float32' }
    return [integerProduct(site, w, floatsOf(weight), weight.dims)]
  },
  Gemm: (site) => {
    const { transA = 0, transB = 0, alpha = 1, beta = 1 } = attributesOf(site.node, 'Gemm')
    const [x = '', w = '', b = ''] = site.node.inputs
    const weight = constantOf(site.graph, w)
    if (!weight) return { reason: 'its weight is not a float32 constant' }
    if (transA || alpha !== 1 || beta !== 1) return { reason: 'it transposes its input or scales its terms' }
    if (!isFloat32(site.graph, x)) return { reason: 'its input is not known to be float32' }
    const [rows = 1, columns = 1] = weight.dims
    const values = transB ? transposed(floatsOf(weight), rows, columns) : floatsOf(weight)
    const product = integerProduct(site, w, values, transB ? [columns, rows] : [rows, columns])
    return [b === '' ? product : site.rewriter.builder.op('Add', [product, b])]
  },
  Conv: (site) => {
    const { builder } = site.rewriter
    const [x = '', w = '', b = ''] = site.node.inputs
    const weight = constantOf(site.graph, w)
    if (!weight) return { reason: 'its weight is not a float32 constant' }
    if (!isFloat32(site.graph, x)) return { reason: 'its input is not known to be float32' }
    const axis = (site.options.perChannel ?? true) ? 0 : undefined
    const { reduceRange = false, weightRange: range } = site.options
    const { dims } = weight
    // onnxruntime's ConvInteger takes uint8 weights only: the int8 codes, moved by 128.
    const coded = quantizeWeight(floatsOf(weight), dims, { type: 'i8', symmetric: true, reduceRange, range, axis })
    const [codes, inputScale, inputZero] = site.quantized(x)
    const scales = Float32Array.from(coded.affines, (a) => a.scale)
    const perChannel = [1, scales.length, ...dims.slice(2).map(() => 1)]
    const constants = [
      builder.constant(
        `${w}_quantized`,
        codeTensor(
          'u8',
          dims,
          coded.codes.map((q) => q + 128),
        ),
      ),
      inputZero,
      builder.constant(`${w}_zero_point`, codeTensor('u8', [], [128])),
    ]
    const [product = ''] = builder.node('', 'ConvInteger', [codes, ...constants], attributesOf(site.node))
    const scale = builder.constant(`${w}_scale`, f32(scales, axis === 0 ? perChannel : []))
    const real = scaled(site, product, inputScale, scale)
    const bias = constantOf(site.graph, b)
    if (b === '') return [real]
    if (!bias) return { reason: 'its bias is not a float32 constant' }
    return [
      builder.op('Add', [
        real,
        builder.constant(`${b}_row`, f32(floatsOf(bias), [1, bias.dims[0] ?? 1, ...dims.slice(2).map(() => 1)])),
      ]),
    ]
  },
  LSTM: dynamicLstm,
  Gather: (site) => {
    const [table = '', indices = ''] = site.node.inputs
    const weight = constantOf(site.graph, table)
    if (!weight || weight.dims.length < 2) return { reason: 'it does not look up rows of a float32 constant' }
    const { builder } = site.rewriter
    const coded = quantizeWeight(floatsOf(weight), weight.dims, { type: 'i8', symmetric: true })
    const { scale, zeroPoint } = affineTensors(coded.affines, 'i8', false)
    const codes = builder.constant(`${table}_quantized`, codeTensor('i8', weight.dims, coded.codes))
    const rows = builder.op('Gather', [codes, indices], attributesOf(site.node, 'Gather'))
    const parameters = [builder.constant(`${table}_scale`, scale), builder.constant(`${table}_zero_point`, zeroPoint)]
    return [builder.op('DequantizeLinear', [rows, ...parameters])]
  },
}

/** W and R `[directions, 4·hidden, in]` as int8 `[directions, in, 4·hidden]`, a scale per gate row. */
function dynamicLstm(site: Site): readonly string[] | { readonly reason: string } {
  const { builder } = site.rewriter
  const { layout = 0 } = attributesOf(site.node, 'LSTM')
  const [x = '', w = '', r = '', ...rest] = site.node.inputs
  const [weight, recurrence] = [constantOf(site.graph, w), constantOf(site.graph, r)]
  if (!weight || !recurrence) return { reason: 'its weights are not float32 constants' }
  if (layout !== 0) return { reason: 'onnxruntime has its dynamic kernel for layout 0 only' }
  const coded = (name: string, tensor: Tensor) => {
    const [directions = 1, rows = 1, columns = 1] = tensor.dims
    const own = { type: 'i8', symmetric: true, axis: 0, reduceRange: site.options.reduceRange ?? false } as const
    const quantized = quantizeWeight(floatsOf(tensor), [directions * rows, columns], own)
    const codes = new Int32Array(quantized.codes.length)
    quantized.codes.forEach((q, i) => {
      const [d, row, column] = [Math.floor(i / (rows * columns)), Math.floor(i / columns) % rows, i % columns]
      codes[(d * columns + column) * rows + row] = q
    })
    const scales = Float32Array.from(quantized.affines, (a) => a.scale)
    return [
      builder.constant(`${name}_quantized`, codeTensor('i8', [directions, columns, rows], codes)),
      builder.constant(`${name}_scale`, f32(scales, [directions, rows])),
      builder.constant(
        `${name}_zero_point`,
        codeTensor(
          'i8',
          [directions, rows],
          scales.map(() => 0),
        ),
      ),
    ] as const
  }
  const [wCodes, wScale, wZero] = coded(w, weight)
  const [rCodes, rScale, rZero] = coded(r, recurrence)
  const others = Array.from({ length: 5 }, (_, i) => rest[i] ?? '')
  const inputs = [x, wCodes, rCodes, ...others, wScale, wZero, rScale, rZero]
  const { layout: _, ...attributes } = attributesOf(site.node)
  return builder.node('com.microsoft', 'DynamicQuantizeLSTM', inputs, attributes, { outputs: site.node.outputs.length })
}

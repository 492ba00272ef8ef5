import { pairedSums } from '../../executors/reference/index.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { extract } from '../../graph/rewrite.ts'
import { arrayOf, numbersOf, type Tensor } from '../../graph/tensor.ts'
import type { CalibrationData } from '../calibrate/index.ts'
import type { Where } from './layers.ts'

/** How a layer would fare where pairs of u8·s8 products are added in saturating 16-bit integers. */
export interface LayerSaturation {
  readonly layer: string
  /** Share of the sums that come out wrong. */
  readonly share: number
  /** Signal against the error, in decibels; infinite without one. */
  readonly sqnr: number
}

/** Places of the output that are looked at in each sample. */
const PLACES = 12
const SAMPLES = 4

/** Inputs of one sum as codes, in the order in which kernels multiply them: channels innermost. */
type Column = Uint8Array

interface Site {
  readonly node: Node
  readonly codes: string
  readonly zeroPoint: number
  readonly weight: Tensor
}

/**
 * Simulates uint8 × int8 layers as AVX2 without VNNI computes them: two neighbouring products are added in a
 * saturating 16-bit integer, which 255·127·2 does not fit (Intel SDM, VPMADDUBSW). Depthwise layers have kernels of
 * their own that do not saturate. Looks at some places of some samples of every layer of a QDQ graph.
 */
export async function saturationOf(
  { executor, threads }: Where,
  quantized: Graph,
  layers: readonly Node[],
  data: CalibrationData,
): Promise<readonly LayerSaturation[]> {
  const sites = layers.flatMap((layer) => siteOf(quantized, layer) ?? [])
  if (sites.length === 0) return []
  const inputs = quantized.requiredInputs.map((v) => v.name)
  const part = extract(quantized, inputs, [...new Set(sites.map((site) => site.codes))])
  const program = await executor.compile(part, threads === undefined ? {} : { threads })
  const found = sites.map(() => ({ sums: 0, wrong: 0, signal: 0, noise: 0 }))
  try {
    for await (const { feeds } of data()) {
      const results = await program.run(feeds)
      sites.forEach((site, i) => look(site, results[site.codes] as Tensor, found[i] as (typeof found)[number]))
      break
    }
  } finally {
    await program.dispose()
  }
  return sites.map(({ node }, i) => {
    const { sums, wrong, signal, noise } = found[i] as (typeof found)[number]
    const sqnr = noise === 0 ? Infinity : 10 * Math.log10(signal / noise)
    return { layer: node.name, share: sums === 0 ? 0 : wrong / sums, sqnr }
  })
}

/** The codes that a layer multiplies; undefined where it is no u8·s8 product that saturates. */
function siteOf(graph: Graph, layer: Node): Site | undefined {
  const node = graph.nodes.find((n) => n.name === layer.name && n.op === layer.op)
  const [left, right] = [0, 1].map((i) => graph.producer(node?.inputs[i] ?? ''))
  const weight = graph.initializers.get(right?.inputs[0] ?? '')
  const zero = graph.initializers.get(left?.inputs[2] ?? '')
  if (!node || left?.op !== 'DequantizeLinear' || weight?.dtype !== 'i8' || zero?.dtype !== 'u8') return undefined
  if (!isProduct(node, weight.dims.length)) return undefined
  return { node, weight, codes: left.inputs[0] ?? '', zeroPoint: numbersOf(zero)[0] ?? 0 }
}

/** A matrix product, or a convolution over all channels that says its padding. */
function isProduct(node: Node, rank: number): boolean {
  if (node.op !== 'Conv') return (node.op === 'Gemm' || node.op === 'MatMul') && rank === 2
  const { group = 1, auto_pad: auto = 'NOTSET' } = attributesOf(node, 'Conv')
  return rank === 4 && group === 1 && auto === 'NOTSET'
}

function look(site: Site, codes: Tensor, into: { sums: number; wrong: number; signal: number; noise: number }): void {
  const rows = weightRows(site)
  const offsets = rows.map((row) => site.zeroPoint * row.reduce((sum, w) => sum + w, 0))
  for (const column of columnsOf(site, codes)) {
    rows.forEach((row, r) => {
      const { exact, saturated } = pairedSums(column, row)
      into.sums++
      into.wrong += exact === saturated ? 0 : 1
      into.signal += (exact - (offsets[r] as number)) ** 2
      into.noise += (exact - saturated) ** 2
    })
  }
}

/** Weights of each output in the order of the columns. */
function weightRows({ node, weight }: Site): readonly Int8Array[] {
  const values = arrayOf(weight) as Int8Array
  const [d0 = 1, d1 = 1, height = 1, width = 1] = weight.dims
  if (node.op === 'Conv') {
    const plane = height * width
    return Array.from({ length: d0 }, (_, o) =>
      Int8Array.from({ length: d1 * plane }, (_v, k) => values[(o * d1 + (k % d1)) * plane + Math.floor(k / d1)] ?? 0),
    )
  }
  const byRow = node.op === 'Gemm' && attributesOf(node, 'Gemm').transB === 1
  if (byRow) return Array.from({ length: d0 }, (_, o) => values.slice(o * d1, (o + 1) * d1))
  return Array.from({ length: d1 }, (_, o) => Int8Array.from({ length: d0 }, (_v, k) => values[k * d1 + o] ?? 0))
}

function columnsOf(site: Site, codes: Tensor): readonly Column[] {
  const values = arrayOf(codes) as Uint8Array
  if (site.node.op !== 'Conv') {
    const width = codes.dims.at(-1) ?? 1
    const rows = Math.min(SAMPLES * PLACES, values.length / width)
    return Array.from({ length: rows }, (_, i) => values.slice(i * width, (i + 1) * width))
  }
  return Array.from({ length: Math.min(SAMPLES, codes.dims[0] ?? 1) }, (_, n) =>
    patches(site, codes.dims, values, n),
  ).flat()
}

/** Input patches of a convolution at places spread over the output; what is padded has the zero point's code. */
function patches(
  { node, weight, zeroPoint }: Site,
  dims: readonly number[],
  values: Uint8Array,
  sample: number,
): Column[] {
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1] } = attributesOf(node, 'Conv')
  const [, channels = 1, height = 1, width = 1] = dims
  const [, , kernelH = 1, kernelW = 1] = weight.dims
  const at = (list: readonly number[], i: number) => list[i] ?? 1
  const size = (extent: number, kernel: number, axis: number) =>
    Math.floor(
      (extent + (pads[axis] ?? 0) + (pads[axis + 2] ?? 0) - at(dilations, axis) * (kernel - 1) - 1) / at(strides, axis),
    ) + 1
  const [outH, outW] = [size(height, kernelH, 0), size(width, kernelW, 1)]
  const places = Math.min(PLACES, outH * outW)
  return Array.from({ length: places }, (_, p) => {
    const place = Math.floor((p * outH * outW) / places)
    const [oy, ox] = [Math.floor(place / outW), place % outW]
    return Uint8Array.from({ length: channels * kernelH * kernelW }, (_v, k) => {
      const [c, ky, kx] = [k % channels, Math.floor(k / channels / kernelW), Math.floor(k / channels) % kernelW]
      const y = oy * at(strides, 0) - (pads[0] ?? 0) + ky * at(dilations, 0)
      const x = ox * at(strides, 1) - (pads[1] ?? 0) + kx * at(dilations, 1)
      const isInside = y >= 0 && y < height && x >= 0 && x < width
      return isInside ? (values[((sample * channels + c) * height + y) * width + x] ?? zeroPoint) : zeroPoint
    })
  })
}

/** A layer whose error is louder than this is worth a warning. */
const LOUD = 30

/** What to tell a person whose model may run on such processors; undefined where nothing that matters is lost. */
export function saturationWarning(layers: readonly LayerSaturation[]): string | undefined {
  const loud = layers.filter(({ sqnr }) => sqnr < LOUD).toSorted((a, b) => a.sqnr - b.sqnr)
  const [worst] = loud
  if (!worst) return undefined
  const share = (100 * worst.share).toFixed(1)
  return `on processors with AVX2 but no VNNI sums would saturate in ${loud.length} of ${layers.length} layers (worst: "${worst.layer}", ${share} % of its sums, ${worst.sqnr.toFixed(0)} dB): use reduceRange for a model that is to run there`
}

import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { f32, i64, numbersOf, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { inferOutputs, inferTypes } from '../../ops/infer.ts'
import type { Builder } from '../../graph/builder.ts'
import { matrixOf } from '../factorize/matrix.ts'
import { truncatedSvd } from '../factorize/svd.ts'
import { heTensor } from './fresh.ts'
import type { Made } from './make.ts'

/** A standard convolution with constant weights `[T, C, kh, kw]`. */
interface Site {
  readonly node: Node
  readonly x: string
  readonly weight: Tensor
  readonly bias: string
  readonly outputs: number
  readonly inputs: number
  readonly kernel: readonly [number, number]
  readonly strides: readonly number[]
  readonly pads: readonly number[]
  readonly dilations: readonly number[]
}

interface Writer {
  readonly b: Builder
  readonly seed: number
}

/** Writes a unit in a convolution's place and returns its output; undefined with the reason where it does not fit. */
type Unit = (site: Site, w: Writer) => { readonly value: string; readonly params: number } | string

/** Convolutions on so few channels, images mostly, stay: there is little to gain and much to lose. */
const FEWEST_CHANNELS = 5

/** Every standard convolution that filters space is replaced by a lighter unit of the same interface. */
export function lighten(source: Graph, unit: LightUnit, seed: number): Made {
  const graph = inferTypes(source)
  const r = new Rewriter(graph, inferOutputs)
  const w = { b: r.builder, seed }
  const changes: string[] = []
  const kept: string[] = []
  for (const node of graph.nodes) {
    const site = siteAt(graph, node)
    if (!site) continue
    const reason = whyKept(site)
    const made = reason ?? lightUnits[unit](site, w)
    if (typeof made === 'string') {
      kept.push(`${node.name}: ${made}`)
      continue
    }
    r.replace(node, made.value)
    changes.push(`${node.name}: ${sizeOf(site.weight.dims)} → ${made.params} weights`)
  }
  if (changes.length > 0) return { graph: inferTypes(r.apply()), changes, kept }
  throw new AlambicError('student.light', `no convolution of this model can become a ${unit} one`, {
    expected: 'standard convolutions that filter space, with constant weights',
    found: kept.join('; ') || 'none',
    fix: 'Make a thinner or shallower student instead: --make thin:0.5.',
  })
}

function siteAt(graph: Graph, node: Node): Site | undefined {
  if (node.op !== 'Conv' || node.domain !== '') return undefined
  const [x = '', kernels = '', bias = ''] = node.inputs
  const weight = graph.initializers.get(kernels)
  const { group = 1, strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], auto_pad } = attributesOf(node, 'Conv')
  const isPadded = auto_pad !== undefined && auto_pad !== 'NOTSET'
  if (weight?.dtype !== 'f32' || weight.dims.length !== 4 || group !== 1 || isPadded) return undefined
  const [outputs, inputs, kh, kw] = weight.dims as [number, number, number, number]
  if (kh * kw === 1) return undefined
  return { node, x, weight, bias, outputs, inputs, kernel: [kh, kw], strides, pads, dilations }
}

const whyKept = ({ inputs }: Site): string | undefined =>
  inputs < FEWEST_CHANNELS ? `it has only ${inputs} input channels` : undefined

const spatial = ({ kernel, strides, pads, dilations }: Site) => ({ kernel_shape: kernel, strides, pads, dilations })
const pointwise = { kernel_shape: [1, 1] }

/**
 * A filter for each channel, then a 1×1 convolution (Howard et al. 2017, arXiv:1704.04861). Both come from the
 * teacher's weights: the best approximation of each channel's filters by one (Guo et al. 2018, arXiv:1808.05517, §3),
 * a singular value decomposition of `[T, kh·kw]`.
 */
const separable: Unit = (site, { b }) => {
  const { node, inputs, outputs, kernel, weight, bias } = site
  const area = kernel[0] * kernel[1]
  const values = numbersOf(weight)
  const depth = new Float32Array(inputs * area)
  const points = new Float32Array(outputs * inputs)
  for (let c = 0; c < inputs; c++) {
    const slice = Array.from({ length: outputs * area }, (_, i) => {
      const t = Math.floor(i / area)
      return values[(t * inputs + c) * area + (i % area)] as number
    })
    const { u, sigma, v } = truncatedSvd(matrixOf(outputs, area, slice), 1)
    const size = Math.sqrt(sigma[0] ?? 0)
    for (let k = 0; k < area; k++) depth[c * area + k] = size * (v.data[k] as number)
    for (let t = 0; t < outputs; t++) points[t * inputs + c] = size * (u.data[t] as number)
  }
  const filters = b.constant(`${node.name}.depthwise.weight`, f32(depth, [inputs, 1, ...kernel]))
  const mixing = b.constant(`${node.name}.pointwise.weight`, f32(points, [outputs, inputs, 1, 1]))
  const y = b.op('Conv', [site.x, filters], { ...spatial(site), group: inputs }, { name: `${node.name}.depthwise` })
  const inputsOf = bias === '' ? [y, mixing] : [y, mixing, bias]
  const value = b.op('Conv', inputsOf, pointwise, { name: `${node.name}.pointwise` })
  return { value, params: inputs * area + outputs * inputs }
}

/** "Same" padding, so that a 1×1 convolution beside it gives maps of the same size. */
const keepsSize = ({ kernel, pads, dilations }: Site): boolean =>
  [0, 1, 2, 3].every((i) => pads[i] === ((kernel[i % 2] as number) - 1) * (dilations[i % 2] as number) * 0.5)

/** Squeeze to an eighth, then 1×1 and k×k side by side (Iandola et al. 2016, arXiv:1602.07360, fig. 1). */
const fire: Unit = (site, { b, seed }) => {
  const { node, x, inputs, outputs, kernel, strides } = site
  if (outputs % 2 !== 0) return `${outputs} output channels can't be halved`
  if (!keepsSize(site)) return 'its padding does not keep the size of maps'
  const squeezed = Math.max(1, Math.round(outputs / 8))
  const half = outputs / 2
  const conv = (from: string, name: string, dims: readonly number[], attributes: object) => {
    const weight = heTensor(`${node.name}.${name}.weight`, dims, sizeOf(dims.slice(1)), seed)
    const inputsOf = [
      from,
      b.constant(`${node.name}.${name}.weight`, weight),
      b.constant(`${node.name}.${name}.bias`, f32(new Float32Array(dims[0] as number))),
    ]
    return b.op('Conv', inputsOf, attributes, { name: `${node.name}.${name}` })
  }
  const s = b.op('Relu', [conv(x, 'squeeze', [squeezed, inputs, 1, 1], pointwise)])
  const small = conv(s, 'expand1x1', [half, squeezed, 1, 1], { ...pointwise, strides })
  const large = conv(s, 'expand', [half, squeezed, ...kernel], spatial(site))
  const area = kernel[0] * kernel[1]
  const params = squeezed * (inputs + 1) + half * (squeezed * (1 + area) + 2)
  return { value: b.op('Concat', [small, large], { axis: 1 }), params }
}

/** Grouped 1×1, shuffle, depthwise, grouped 1×1 (Zhang et al. 2018, arXiv:1707.01083, fig. 2 b). */
const shuffle: Unit = (site, { b, seed }) => {
  const { node, x, inputs, outputs, kernel } = site
  const group = [4, 3, 2].find((g) => inputs % g === 0 && outputs % (4 * g) === 0)
  if (group === undefined) return `${inputs} and ${outputs} channels don't divide into groups`
  const [, h, w] = shapeOf(b, x) ?? []
  if (h === undefined || w === undefined) return 'the size of its input is not known'
  const inner = outputs / 4
  let params = 0
  const conv = (from: string, name: string, dims: readonly number[], attributes: object) => {
    params += sizeOf(dims) + 2 * (dims[0] as number)
    const weight = heTensor(`${node.name}.${name}.weight`, dims, sizeOf(dims.slice(1)), seed)
    const y = b.op('Conv', [from, b.constant(`${node.name}.${name}.weight`, weight)], attributes, {
      name: `${node.name}.${name}`,
    })
    return batchNorm(b, y, `${node.name}.${name}.bn`, dims[0] as number)
  }
  let y = b.op('Relu', [conv(x, 'reduce', [inner, inputs / group, 1, 1], { ...pointwise, group })])
  const sizes = [0, group, inner / group, h, w]
  y = b.op('Reshape', [y, b.constant(`${node.name}.groups`, i64(sizes))])
  y = b.op('Transpose', [y], { perm: [0, 2, 1, 3, 4] })
  y = b.op('Reshape', [y, b.constant(`${node.name}.channels`, i64([0, inner, h, w]))])
  y = conv(y, 'filter', [inner, 1, ...kernel], { ...spatial(site), group: inner })
  return { value: conv(y, 'expand', [outputs, inner / group, 1, 1], { ...pointwise, group }), params }
}

const shapeOf = (b: Builder, value: string): readonly number[] | undefined => {
  const type = b.type(value)
  const shape = type?.kind === 'tensor' ? type.shape?.slice(1) : undefined
  return shape?.every((d) => typeof d === 'number') ? shape : undefined
}

function batchNorm(b: Builder, x: string, name: string, channels: number): string {
  const filled = (part: string, value: number) =>
    b.constant(`${name}.${part}`, f32(new Float32Array(channels).fill(value)))
  const inputs = [x, filled('weight', 1), filled('bias', 0), filled('running_mean', 0), filled('running_var', 1)]
  return b.op('BatchNormalization', inputs, { epsilon: 1e-5, momentum: 0.9 }, { name })
}

const lightUnits = { separable, fire, shuffle } as const satisfies Readonly<Record<string, Unit>>
export type LightUnit = keyof typeof lightUnits

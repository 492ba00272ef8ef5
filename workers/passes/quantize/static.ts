import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { tensorOf, type Tensor } from '../../graph/tensor.ts'
import { quantRuleOf } from '../../ops/quant.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { affineOf, quantizeBias, weightScaleForBias, type Affine, type QuantType } from './affine.ts'
import { layerName, type BiasSite, type QuantPlan, type WeightSite } from './plan.ts'
import {
  affineAt,
  affineTensors,
  appendNode,
  dequantizedConstant,
  floatsOf,
  quantizeWeight,
  weightAffines,
  type QuantizedWeight,
  type WeightOptions,
  type WeightRange,
} from './weights.ts'

/** Observed extremes of a value. */
export interface Range {
  readonly min: number
  readonly max: number
}

/** Element types and schemes of a static quantization. */
export interface StaticScheme {
  readonly activations: QuantType
  readonly symmetricActivations: boolean
  readonly weights: QuantType
  /** One weight scale per output channel. */
  readonly perChannel: boolean
  /** Weights of 7 bits, for processors whose u8·s8 products saturate. */
  readonly reduceRange: boolean
  readonly bias: 'int32' | 'float'
  readonly weightRange: WeightRange
  /** Bits of the weight codes where that is less than their type has: 4-bit values stored as int8. */
  readonly weightBits?: number | undefined
}

/** uint8 activations with int8 weights, per channel: what onnxruntime's CPU kernels fuse in every topology. */
export const defaultScheme: StaticScheme = {
  activations: 'u8',
  symmetricActivations: false,
  weights: 'i8',
  perChannel: true,
  reduceRange: false,
  bias: 'int32',
  weightRange: 'min-max',
}

/** What became of one layer. */
export interface LayerReport {
  readonly layer: string
  readonly op: string
  readonly weight?: string
  readonly weightType?: QuantType
  readonly scales?: number
  readonly output?: { readonly value: string; readonly min: number; readonly max: number } & Affine
}

export interface StaticReport extends PassReport {
  readonly layers: readonly LayerReport[]
  readonly absorbed: readonly string[]
  readonly left: QuantPlan['left']
  readonly warnings: readonly string[]
}

export interface StaticOptions {
  readonly scheme?: StaticScheme
  /** Ranges of the values that `rangesNeeded` names. */
  readonly ranges: ReadonlyMap<string, Range>
  /** Codes of weights that were found in another way than by rounding (GPTQ, AdaRound, training), by weight name. */
  readonly weights?: ReadonlyMap<string, QuantizedWeight>
  /** Scale and zero point of activations that were trained, by value name. */
  readonly affines?: ReadonlyMap<string, Affine>
}

/**
 * Writes a plan in QuantizeLinear/DequantizeLinear form: a pair behind every quantized activation, weights and biases
 * as integer constants with a DequantizeLinear. Runtimes fuse the pairs with the operator between them. Source: ONNX
 * QuantizeLinear-21 and the format of onnxruntime's quantizer.
 *
 * @throws AlambicError `quantize.no-range` for an activation without a range, `quantize.range` for one that is not finite
 */
export function quantizeStatic(plan: QuantPlan, options: StaticOptions): PassResult<StaticReport> {
  const writer = new Writer(plan, options)
  return writer.write()
}

/** Nothing of the weight's codes is used by less than this: 2^bits − 1 levels, evenly around zero. */
const codesOfBits = (bits: number): readonly [number, number] => [-(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1]

export const weightOptionsOf = (scheme: StaticScheme, axis: number | undefined): WeightOptions => ({
  type: scheme.weights,
  // onnxruntime takes unsigned weights as asymmetric unless they are per channel: kernels need one zero point for all.
  symmetric: scheme.weights.startsWith('i') || (scheme.perChannel && axis !== undefined),
  reduceRange: scheme.reduceRange,
  range: scheme.weightRange,
  axis: scheme.perChannel ? axis : undefined,
  ...(scheme.weightBits === undefined ? {} : { codes: codesOfBits(scheme.weightBits) }),
})

class Writer {
  readonly #plan: QuantPlan
  readonly #options: StaticOptions
  readonly #scheme: StaticScheme
  readonly #graph: Graph
  readonly #rewriter: Rewriter
  readonly #affines = new Map<string, Affine>()
  readonly #parameters = new Map<string, readonly [string, string]>()
  readonly #dequantized = new Map<string, string>()
  readonly #quantized = new Map<string, QuantizedWeight>()
  readonly #warnings: string[] = []

  constructor(plan: QuantPlan, options: StaticOptions) {
    this.#plan = plan
    this.#options = options
    this.#scheme = options.scheme ?? defaultScheme
    this.#graph = plan.graph
    this.#rewriter = new Rewriter(plan.graph)
  }

  write(): PassResult<StaticReport> {
    for (const [value, owner] of this.#plan.activations) this.#activation(value, owner)
    for (const name of this.#plan.constants) this.#constant(name)
    for (const site of this.#plan.weights) this.#weight(site)
    if (this.#scheme.bias === 'int32') for (const site of this.#plan.biases) this.#bias(site)
    const graph = this.#rewriter.apply()
    return {
      graph,
      report: {
        modified: this.#plan.layers.length > 0,
        layers: this.#plan.layers.map((node) => this.#layer(node)),
        absorbed: this.#plan.absorbed,
        left: this.#plan.left,
        warnings: this.#warnings,
      },
    }
  }

  /** Scale and zero point of an activation, which all values that are moved from it share. */
  #affine(owner: string): Affine {
    const known = this.#affines.get(owner)
    if (known) return known
    const affine = this.#options.affines?.get(owner) ?? this.#fromRange(owner)
    this.#affines.set(owner, affine)
    return affine
  }

  #fromRange(owner: string): Affine {
    const range = this.#options.ranges.get(owner)
    if (!range) {
      throw new AlambicError('quantize.no-range', `the range of "${owner}" was not calibrated`, {
        subject: owner,
        fix: 'Calibrate every value that the plan names.',
      })
    }
    if (range.min === 0 && range.max === 0) this.#warnings.push(`"${owner}" was always zero during calibration`)
    const { activations, symmetricActivations: symmetric } = this.#scheme
    return affineOf(range.min, range.max, activations, { symmetric })
  }

  #parametersOf(owner: string): readonly [string, string] {
    const known = this.#parameters.get(owner)
    if (known) return known
    const { scale, zeroPoint } = affineTensors([this.#affine(owner)], this.#scheme.activations, false)
    const { builder } = this.#rewriter
    const names = [
      builder.constant(`${owner}_scale`, scale),
      builder.constant(`${owner}_zero_point`, zeroPoint),
    ] as const
    this.#parameters.set(owner, names)
    return names
  }

  #activation(value: string, owner: string): void {
    const { builder } = this.#rewriter
    const parameters = this.#parametersOf(owner)
    this.#rewriter.insertAfter(value, (x) => {
      const names = (suffix: string) => ({ names: [builder.fresh(`${value}_${suffix}`)] })
      const [codes = ''] = appendNode(this.#rewriter, 'QuantizeLinear', [x, ...parameters], names('q').names)
      const [real = ''] = appendNode(this.#rewriter, 'DequantizeLinear', [codes, ...parameters], names('dq').names)
      return real
    })
  }

  /** An operand of an addition: quantized beforehand, in the activations' type. */
  #constant(name: string): void {
    const tensor = this.#graph.initializers.get(name) as Tensor
    const { activations: type, symmetricActivations: symmetric } = this.#scheme
    const weight = quantizeWeight(floatsOf(tensor), tensor.dims, { type, symmetric })
    this.#dequantize(
      name,
      weight,
      this.#plan.layers.filter((n) => quantRuleOf(n).kind === 'compute'),
    )
  }

  #weight(site: WeightSite): void {
    const key = `${site.name}\0${site.axis}`
    const weight = this.#quantized.get(key) ?? this.#quantizedWeight(site)
    this.#quantized.set(key, weight)
    this.#dequantize(site.name, weight, [site.node], site.index)
  }

  #quantizedWeight(site: WeightSite): QuantizedWeight {
    const given = this.#options.weights?.get(site.name)
    if (given) return given
    const tensor = this.#graph.initializers.get(site.name) as Tensor
    const options = weightOptionsOf(this.#scheme, site.axis)
    const values = floatsOf(tensor)
    const affines = this.#roomForBias(site, weightAffines(values, tensor.dims, options, site.name))
    return quantizeWeight(values, tensor.dims, options, affines)
  }

  /** Raises weight scales so that the layer's bias fits an int32; only symmetric weights have that freedom. */
  #roomForBias(site: WeightSite, affines: readonly Affine[]): readonly Affine[] {
    const bias = this.#plan.biases.find((b) => b.node === site.node)
    if (this.#scheme.bias !== 'int32' || !bias || affines.some((a) => a.zeroPoint !== 0)) return affines
    const values = floatsOf(this.#graph.initializers.get(bias.name) as Tensor)
    const input = this.#affine(this.#ownerOf(site.node.inputs[0] ?? '')).scale
    const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
    return affines.map(({ scale, zeroPoint }, c) => ({
      scale: weightScaleForBias(scale, input, affines.length === 1 ? largest : (values[c] ?? 0)),
      zeroPoint,
    }))
  }

  #ownerOf(value: string): string {
    return this.#plan.activations.get(value) ?? value
  }

  #bias(site: BiasSite): void {
    const tensor = this.#graph.initializers.get(site.name) as Tensor
    const weight = this.#plan.weights.find((w) => w.node === site.node)
    const quantized = weight && this.#quantized.get(`${weight.name}\0${weight.axis}`)
    if (!quantized || quantized.affines.some((a) => a.zeroPoint !== 0 && quantized.type.startsWith('i'))) return
    const values = floatsOf(tensor)
    const input = this.#affine(this.#ownerOf(site.node.inputs[0] ?? '')).scale
    const perChannel = quantized.affines.length > 1 || quantized.axis !== undefined
    const parts = Array.from(values, (v, c) => quantizeBias(v, input, affineAt(quantized.affines, c).scale))
    const scales = perChannel ? parts.map((p) => p.scale) : [parts[0]?.scale ?? 1]
    const dims = perChannel ? [scales.length] : []
    const { builder } = this.#rewriter
    const inputs = [
      builder.constant(
        `${site.name}_quantized`,
        tensorOf(
          'i32',
          tensor.dims,
          Int32Array.from(parts, (p) => p.code),
        ),
      ),
      builder.constant(`${site.name}_quantized_scale`, tensorOf('f32', dims, Float32Array.from(scales))),
      builder.constant(`${site.name}_quantized_zero_point`, tensorOf('i32', dims, new Int32Array(scales.length))),
    ]
    const output = builder.fresh(`${site.name}_dq`)
    appendNode(this.#rewriter, 'DequantizeLinear', inputs, [output], perChannel ? 0 : undefined)
    this.#rewriter.replaceInput(site.node, site.index, output)
  }

  /** Lets nodes read a constant from its codes. */
  #dequantize(name: string, weight: QuantizedWeight, nodes: readonly Node[], index?: number): void {
    const key = `${name}\0${weight.axis}\0${weight.type}`
    const known = this.#dequantized.get(key)
    const output = known ?? dequantizedConstant(this.#rewriter, name, weight)
    this.#dequantized.set(key, output)
    for (const node of nodes) {
      node.inputs.forEach((input, i) => {
        if (input === name && (index === undefined || i === index)) this.#rewriter.replaceInput(node, i, output)
      })
    }
  }

  #layer(node: Node): LayerReport {
    const [output = ''] = node.outputs
    const owner = this.#plan.activations.get(output)
    const weight = this.#plan.weights.find((w) => w.node === node)
    const quantized = weight && this.#quantized.get(`${weight.name}\0${weight.axis}`)
    const range = owner === undefined ? undefined : this.#options.ranges.get(owner)
    return {
      layer: layerName(node),
      op: node.op,
      ...(quantized && { weight: weight.name, weightType: quantized.type, scales: quantized.affines.length }),
      ...(range && owner !== undefined ? { output: { value: owner, ...range, ...this.#affine(owner) } } : {}),
    }
  }
}

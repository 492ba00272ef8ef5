import type { Graph } from '../../graph/graph.ts'
import { Rewriter } from '../../graph/rewrite.ts'
import { f32, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import { inferOutputs } from '../../ops/infer.ts'
import { affineOf, codesOf, type Affine } from './affine.ts'
import type { QuantPlan, WeightSite } from './plan.ts'
import { weightOptionsOf, type Range, type StaticScheme } from './static.ts'
import { affineAt, channelLayout, floatsOf, quantizeWeight, weightAffines, type QuantizedWeight } from './weights.ts'

export interface FakeOptions {
  readonly scheme: StaticScheme
  /** Calibrated ranges: training starts from their scales. */
  readonly ranges: ReadonlyMap<string, Range>
  /** Learn every scale (LSQ); else weight scales follow the weights, and those of activations stay. */
  readonly learned: boolean
}

/** A graph that computes what its quantized form will, in float and with gradients. */
export interface FakeQuantized {
  readonly graph: Graph
  /** The constant that holds the scale of a weight or activation, by the name of that value; learned ones change. */
  readonly scales: ReadonlyMap<string, string>
  /** Zero points of activations, which stay. */
  readonly zeroPoints: ReadonlyMap<string, number>
}

/** Operators that only pick or move codes: their outputs need no rounding of their own. */
const exact: ReadonlySet<string> = new Set([
  'DepthToSpace',
  'Flatten',
  'Gather',
  'Identity',
  'MaxPool',
  'Reshape',
  'Slice',
  'SpaceToDepth',
  'Split',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])

/**
 * Puts a fake quantizer behind every activation and weight that the plan quantizes: x̂ = s·clamp(rhe(x/s), qmin − z,
 * qmax − z), which is dequantize(quantize(x)) with the same rounding. Biases stay in float: their int32 codes are finer
 * than float32 needs. Sources: Jacob et al. 2018, arXiv:1712.05877, section 3; Esser et al. 2020, arXiv:1902.08153.
 */
export function fakeQuantize(plan: QuantPlan, options: FakeOptions): FakeQuantized {
  return new FakeWriter(plan, options).write()
}

class FakeWriter {
  readonly #plan: QuantPlan
  readonly #options: FakeOptions
  readonly #rewriter: Rewriter
  readonly #scales = new Map<string, string>()
  readonly #zeroPoints = new Map<string, number>()

  constructor(plan: QuantPlan, options: FakeOptions) {
    this.#plan = plan
    this.#options = options
    this.#rewriter = new Rewriter(plan.graph, inferOutputs)
  }

  write(): FakeQuantized {
    for (const [value, owner] of this.#plan.activations) this.#activation(value, owner)
    for (const site of this.#plan.weights) this.#weight(site)
    const graph = this.#rewriter.apply()
    return { graph, scales: this.#scales, zeroPoints: this.#zeroPoints }
  }

  #activation(value: string, owner: string): void {
    const { scheme, ranges, learned } = this.#options
    const range = ranges.get(owner)
    if (!range || (value !== owner && exact.has(this.#plan.graph.producer(value)?.op ?? ''))) return
    const symmetric = scheme.symmetricActivations
    const { scale, zeroPoint } = affineOf(range.min, range.max, scheme.activations, { symmetric })
    const [qmin, qmax] = codesOf(scheme.activations, { symmetric })
    const name = this.#scales.get(owner) ?? this.#rewriter.builder.constant(`${owner}_scale`, f32([scale]))
    this.#scales.set(owner, name)
    this.#zeroPoints.set(owner, zeroPoint)
    const dims = asTensor(this.#plan.graph.type(value))?.shape?.slice(1) ?? []
    const elements = dims.reduce<number>((n, d) => n * (typeof d === 'number' ? d : 1), 1)
    this.#rewriter.insertAfter(value, (x) =>
      this.#quantizer(x, name, [qmin - zeroPoint, qmax - zeroPoint], { learned, elements }),
    )
  }

  #weight(site: WeightSite): void {
    const { scheme, learned } = this.#options
    const tensor = this.#plan.graph.initializers.get(site.name) as Tensor
    const choice = weightOptionsOf(scheme, site.axis)
    const range = codesOf(choice.type, choice)
    const { builder } = this.#rewriter
    const values = floatsOf(tensor)
    const { channels } = channelLayout(tensor.dims, choice.axis)
    const elements = sizeOf(tensor.dims) / channels
    const known = this.#scales.get(site.name)
    let scale = known
    if (scale === undefined) {
      scale = learned
        ? builder.constant(`${site.name}_scale`, f32(learnedStart(values, tensor.dims, choice.axis, range[1])))
        : this.#followingScale(site.name, tensor, choice.axis, range)
      this.#scales.set(site.name, scale)
    }
    this.#rewriter.replaceInput(
      site.node,
      site.index,
      this.#quantizer(site.name, scale, range, { learned, elements, axis: choice.axis }),
    )
  }

  /** max|w|/qmax of the weight as it is in each step; no gradient goes through it. */
  #followingScale(name: string, { dims }: Tensor, axis: number | undefined, [qmin, qmax]: readonly [number, number]) {
    const { builder } = this.#rewriter
    const axes = dims.flatMap((_, i) => (i === axis ? [] : [i]))
    const constants = [
      builder.constant(`${name}_axes`, tensorOf('i64', [axes.length], BigInt64Array.from(axes, BigInt))),
    ]
    const largest = builder.op('ReduceMax', [builder.op('Abs', [name]), ...constants], { keepdims: 0 })
    const flat = builder.op('Reshape', [
      largest,
      builder.constant(`${name}_flat`, tensorOf('i64', [1], BigInt64Array.of(-1n))),
    ])
    return builder.op('Mul', [flat, builder.constant(`${name}_step`, f32([2 / (qmax - qmin)], []))])
  }

  #quantizer(
    x: string,
    scale: string,
    [low, high]: readonly [number, number],
    { learned, elements, axis }: { learned: boolean; elements: number; axis?: number | undefined },
  ): string {
    const own = { ...(axis === undefined ? {} : { axis }), quant_min: low, quant_max: high }
    const attributes = learned ? { ...own, gradient_scale: 1 / Math.sqrt(elements * Math.max(1, high)) } : own
    const [output = ''] = this.#rewriter.builder.node(
      COMPOSITES,
      learned ? 'LearnedQuant' : 'FakeQuant',
      [x, scale],
      attributes,
    )
    return output
  }
}

/** 2·mean|v|/√Qp per channel, where learning starts. */
function learnedStart(values: Float32Array, dims: readonly number[], axis: number | undefined, high: number): number[] {
  const { outer, channels, inner } = channelLayout(dims, axis)
  const sums = new Float64Array(channels)
  for (let o = 0, at = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) {
      for (const end = at + inner; at < end; at++) sums[c] = (sums[c] as number) + Math.abs(values[at] as number)
    }
  }
  return Array.from(sums, (sum) => Math.max(1e-8, (2 * sum) / (outer * inner) / Math.sqrt(high)))
}

/** What training has found: codes of weights and scales of activations, as `quantizeStatic` takes them. */
export interface Trained {
  readonly weights: ReadonlyMap<string, QuantizedWeight>
  readonly affines: ReadonlyMap<string, Affine>
}

/** Reads the trained weights and scales out of a fake-quantized graph: the export has the very ones that were trained. */
export function trainedQuantization(
  plan: QuantPlan,
  fake: FakeQuantized,
  trained: Graph,
  options: FakeOptions,
): Trained {
  const constant = (name: string | undefined): Float32Array | undefined => {
    const tensor = trained.initializers.get(name ?? '')
    return tensor && floatsOf(tensor)
  }
  const affines = new Map<string, Affine>()
  for (const [owner, zeroPoint] of fake.zeroPoints) {
    const [scale = 1] = constant(fake.scales.get(owner)) ?? []
    affines.set(owner, { scale, zeroPoint })
  }
  const weights = new Map<string, QuantizedWeight>()
  for (const site of plan.weights) {
    const tensor = trained.initializers.get(site.name) as Tensor
    const choice = weightOptionsOf(options.scheme, site.axis)
    const values = floatsOf(tensor)
    const learned = constant(fake.scales.get(site.name))
    const found = learned
      ? Array.from(learned, (scale) => ({ scale, zeroPoint: 0 }))
      : weightAffines(values, tensor.dims, choice, site.name)
    const { channels } = channelLayout(tensor.dims, choice.axis)
    const own = Array.from({ length: channels }, (_, c) => affineAt(found, c))
    weights.set(site.name, quantizeWeight(values, tensor.dims, choice, own))
  }
  return { weights, affines }
}

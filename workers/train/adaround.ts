import { Graph, type Node } from '../graph/graph.ts'
import { sizeOf, f32, type Tensor } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { channelLayout, type Affine, type ChannelLayout, type CodeRange } from '../passes/index.ts'
import { optimizer } from './optimizers.ts'
import { buildStep, type StepGraph } from './step.ts'

/** Stretch of the rectified sigmoid: h = clip(σ(V)·(ζ − γ) + γ, 0, 1) (eq. 23 of the paper). */
const ZETA = 1.1
const GAMMA = -0.1

export const rectifiedSigmoid = (v: number): number =>
  Math.min(1, Math.max(0, (1 / (1 + Math.exp(-v))) * (ZETA - GAMMA) + GAMMA))

/** The V whose rectified sigmoid is a given share: rounding starts where the weight is. */
export const inverseRectifiedSigmoid = (share: number): number => -Math.log((ZETA - GAMMA) / (share - GAMMA) - 1)

/** 1 − |2h − 1|^β: nothing when h is 0 or 1, the most half way. */
export const roundingPenalty = (h: number, beta: number): number => 1 - Math.abs(2 * h - 1) ** beta

/** β falls from 20 to 2 along a cosine once the warm start is over; until then nothing is asked of h. */
export function roundingSchedule(step: number, total: number, warm = 0.2): { beta: number; active: boolean } {
  const start = warm * total
  if (step < start) return { beta: 20, active: false }
  return { beta: 2 + 9 * (1 + Math.cos((Math.PI * (step - start)) / Math.max(1, total - start))), active: true }
}

/** One layer whose weight is rounded. */
export interface RoundingLayer {
  readonly node: Node
  /** f32, as the node reads it. */
  readonly weight: Tensor
  readonly bias: Tensor | undefined
  readonly affines: readonly Affine[]
  readonly axis: number | undefined
  readonly codes: CodeRange
  /** Whether a Relu follows, so that only what it lets through counts. */
  readonly relu: boolean
}

const VARIABLE = 'rounding'
export const LAYER_INPUT = 'x'
export const LAYER_TARGET = 'target'
const BETA = 'beta'
const PRESSURE = 'pressure'

/** Names of the error graph's further input and of its output. */
export const LAYER_WEIGHT = 'weight'
export const LAYER_ERROR = 'error'

export interface RoundingStep {
  readonly step: StepGraph
  /** (x, target, weight) → the squared error that the step graph minimizes, without the penalty. */
  readonly error: Graph
  /** The batch inputs besides the layer's own: β and the weight of the penalty. */
  readonly schedule: (step: number, total: number, weight?: number) => Readonly<Record<string, Tensor>>
  /** Codes of the weight for a state: ⌊w/s⌋ + [h ≥ ½]. */
  readonly codes: (state: Readonly<Record<string, Tensor>>) => Int32Array
  /** Every h of a state. */
  readonly shares: (state: Readonly<Record<string, Tensor>>) => Float64Array
}

/** Weight of the penalty against the squared error. */
const LAMBDA = 0.01

/**
 * The weight of the penalty for a layer: .01 as in the paper's code, raised where the error of rounding to nearest
 * would outweigh the penalty of all weights together, because then leaving them undecided would cost the least.
 */
export const penaltyWeight = (nearestError: number, weights: number): number =>
  Math.max(LAMBDA, (2 * nearestError) / weights)

/**
 * Learns for every weight of a layer whether to round it up or down: minimizes
 * ‖f(WX) − f(W̃X̂)‖² + λ·Σ(1 − |2h − 1|^β) with W̃ = s·clip(⌊W/s⌋ + h(V)) (Nagel et al. 2020, arXiv:2004.10568,
 * eq. 21 to 25). The step graph takes a batch of inputs and of float outputs of the layer.
 */
export function buildRounding(layer: RoundingLayer, input: readonly number[], output: readonly number[]): RoundingStep {
  const layout = channelLayout(layer.weight.dims, layer.axis)
  const values = new Float32Array(layer.weight.bytes.slice().buffer)
  const floors = new Float32Array(values.length)
  const start = new Float32Array(values.length)
  eachChannel(layout, (i, c) => {
    const scale = (layer.affines[c] ?? layer.affines[0])?.scale ?? 1
    const ratio = (values[i] as number) / scale
    floors[i] = Math.floor(ratio)
    // Exactly 0 or 1 would start on the flat part of h.
    start[i] = inverseRectifiedSigmoid(Math.min(0.999, Math.max(0.001, ratio - Math.floor(ratio))))
  })
  const model = layerGraph(layer, layout, floors, start, input)
  const step = buildStep(model, {
    losses: [
      {
        name: 'error',
        weight: 1,
        build: ({ g, outputs, feed }) =>
          squaredError(g, outputs[0] ?? '', feed(LAYER_TARGET, 'f32', output), layer.relu),
      },
      {
        name: 'rounding',
        weight: 1,
        build: ({ g, outputs, feed }) => {
          const distance = g.abs(g.sub(g.mul(outputs[1] ?? '', 2), 1))
          const penalty = g.total(g.sub(1, g.pow(distance, feed(BETA, 'f32', []))))
          return g.mul(penalty, feed(PRESSURE, 'f32', []))
        },
      },
    ],
    optimizer: optimizer('adam'),
    trainable: (name) => name === VARIABLE,
  })
  const sharesOf = (state: Readonly<Record<string, Tensor>>) => {
    const v = step.trained(state).get(VARIABLE) as Tensor
    return Float64Array.from(new Float32Array(v.bytes.slice().buffer), rectifiedSigmoid)
  }
  return {
    step,
    error: errorGraph(layer, input, output),
    schedule: (at, total, weight = LAMBDA) => {
      const { beta, active } = roundingSchedule(at, total)
      return { [BETA]: f32([beta], []), [PRESSURE]: f32([active ? weight : 0], []) }
    },
    shares: sharesOf,
    codes: (state) => {
      const [low, high] = layer.codes
      const h = sharesOf(state)
      return Int32Array.from(floors, (floor, i) => Math.min(high, Math.max(low, floor + ((h[i] ?? 0) >= 0.5 ? 1 : 0))))
    },
  }
}

function eachChannel({ outer, channels, inner }: ChannelLayout, visit: (index: number, channel: number) => void): void {
  for (let o = 0, at = 0; o < outer; o++) {
    for (let c = 0; c < channels; c++) for (const end = at + inner; at < end; at++) visit(at, c)
  }
}

/** Summed over channels, averaged over samples and places. */
function squaredError(g: Emitter, found: string, target: string, relu: boolean): string {
  const [a, b] = relu ? [g.op('Relu', [found]), g.op('Relu', [target])] : [found, target]
  const dims = g.dims(a)
  const channels = dims[dims.length === 4 ? 1 : dims.length - 1] ?? 1
  return g.div(g.total(g.square(g.sub(a, b))), sizeOf(dims) / channels)
}

function errorGraph(layer: RoundingLayer, input: readonly number[], output: readonly number[]): Graph {
  const g = new Emitter(new Graph({ name: 'rounding error', opsets: new Map([['', 18]]) }))
  const inputs = [g.input(LAYER_INPUT, 'f32', input), g.input(LAYER_WEIGHT, 'f32', layer.weight.dims)]
  const target = g.input(LAYER_TARGET, 'f32', output)
  if (layer.bias) inputs.push(g.constant('bias', layer.bias))
  const [y = ''] = g.append({ ...layer.node, name: 'layer', inputs, outputs: ['layer_output'] })
  g.op('Identity', [squaredError(g, y, target, layer.relu)], {}, { names: [LAYER_ERROR] })
  g.output(LAYER_ERROR)
  return g.build()
}

/** The layer over its soft-rounded weight; its outputs are what it computes and h. */
function layerGraph(
  layer: RoundingLayer,
  layout: ChannelLayout,
  floors: Float32Array,
  start: Float32Array,
  input: readonly number[],
): Graph {
  const g = new Emitter(new Graph({ name: 'rounding', opsets: new Map([['', 18]]) }))
  const { dims } = layer.weight
  const x = g.input(LAYER_INPUT, 'f32', input)
  const variable = g.constant(VARIABLE, f32(start, dims))
  const scales = new Float32Array(start.length)
  eachChannel(layout, (i, c) => (scales[i] = (layer.affines[c] ?? layer.affines[0])?.scale ?? 1))
  // An Add marks the variable as a parameter.
  const soft = g.add(g.mul(g.sigmoid(g.add(variable, 0)), ZETA - GAMMA), GAMMA)
  const h = g.min(g.max(soft, 0), 1)
  const [low, high] = layer.codes
  const codes = g.min(g.max(g.add(g.constant('floors', f32(floors, dims)), h), low), high)
  const weight = g.mul(codes, g.constant('scales', f32(scales, dims)))
  const bias = layer.bias ? [g.constant('bias', layer.bias)] : []
  const [y = ''] = g.append({ ...layer.node, name: 'layer', inputs: [x, weight, ...bias], outputs: ['layer_output'] })
  g.output(y)
  g.output(h)
  return g.build()
}

import { modelOf, type Graph } from '../../graph/graph.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import { choosePrecisions, type Precision } from '../../passes/index.ts'

/** `bytes=40%` of what the float model has, `latency=3ms`. */
const budgetText = /^(bytes|latency)\s*=\s*([\d.]+(?:e\d+)?)\s*(%|ms)?$/

export interface QuantizeBudget {
  readonly kind: 'bytes' | 'latency'
  readonly limit: number
  /** The limit is a share of what the float model has. */
  readonly isShare: boolean
}

/** Undefined for text that is no budget: latency is in ms or per cent, bytes in bytes or per cent. */
export function parseQuantizeBudget(text: string): QuantizeBudget | undefined {
  const [, kind, amount, unit] = budgetText.exec(text.trim()) ?? []
  const number = Number(amount)
  if (kind === undefined || !(number > 0) || (unit === 'ms') !== (kind === 'latency' && unit !== '%')) return undefined
  const isShare = unit === '%'
  return { kind: kind as QuantizeBudget['kind'], limit: isShare ? number / 100 : number, isShare }
}

/** What a layer of a mixed model was given, and why. */
export interface MixedLayer {
  readonly layer: string
  readonly bits: number
  /** In the unit of the budget. */
  readonly cost: number
  readonly noise: number
}

export interface Mixed {
  readonly budget: string
  /** Bytes or milliseconds of the whole model: float, the most that was asked for, and as the layers add up. */
  readonly float: number
  readonly limit: number
  readonly predicted: number
  readonly met: boolean
  readonly layers: readonly MixedLayer[]
}

export interface MixedInput {
  readonly budget: string
  /** Of the whole float model, in the unit of the budget. */
  readonly float: number
  readonly layers: readonly { readonly layer: string; readonly precisions: readonly Precision[] }[]
}

/** Chooses a precision for each layer within a budget; what the layers don't cover costs what it costs in float. */
export function mixWithin({ budget, float, layers }: MixedInput): Mixed {
  const parsed = parseQuantizeBudget(budget)
  if (!parsed) throw new RangeError(`no budget: ${budget}`)
  const limit = parsed.isShare ? parsed.limit * float : parsed.limit
  const inFloat = ({ precisions }: MixedInput['layers'][number]) => precisions.find((p) => p.bits === 32)?.cost ?? 0
  const rest = float - layers.reduce((sum, layer) => sum + inFloat(layer), 0)
  const { choices, cost, met } = choosePrecisions(layers, limit - rest)
  return {
    budget,
    float,
    limit,
    predicted: rest + cost,
    met,
    layers: choices.map(({ layer, chosen }) => ({ layer, ...chosen })),
  }
}

/** What to tell of a budget that cannot be met, or that the measured result misses by more than a twentieth. */
export function budgetWarning(mixed: Mixed, measured: number): string | undefined {
  const kind = parseQuantizeBudget(mixed.budget)?.kind
  const spell = (value: number) => (kind === 'latency' ? `${value.toFixed(2)} ms` : `${Math.round(value)} bytes`)
  if (mixed.met && measured <= 1.05 * mixed.limit) return undefined
  const why = mixed.met ? 'layers alone had promised' : 'all layers in their smallest form take'
  return `the budget ${mixed.budget} (${spell(mixed.limit)}) is not met: the result has ${spell(measured)}, ${why} ${spell(mixed.predicted)}`
}

/** Noise over signal of decibels. */
export const noiseOf = (sqnr: number): number => 10 ** (-sqnr / 10)

export const bytesOf = (graph: Graph): number => encodeForRuntime(modelOf(graph)).byteLength

import { preprocessingFor } from '../../datasets/index.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { calibrate, calibrationBatch, type Histogram } from '../../measure/calibrate/index.ts'
import { samplesOf } from '../../measure/quantization/index.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { floatsOf } from '../../passes/index.ts'
import type { Distribution } from '../../protocol/files/methods.ts'
import type { StepContext } from '../step.ts'
import type { CalibrationOptions } from './options.ts'
import { calibrationSplit } from './ranges.ts'

/** What a chart of a report has room for. */
const BINS = 64
/** Bins that are counted, from which those of a report are put together. */
const FINE = 1024
/** Samples that tell how an activation is distributed. */
const SAMPLES = 64
/** More of either kind are not kept: a report is read whole. */
const MOST = 200

type Span = readonly [low: number, high: number]

const codes: Readonly<Record<string, Span>> = { u8: [0, 255], i8: [-128, 127], u16: [0, 65535], i16: [-32768, 32767] }

/** The real values that codes from `low` to `high` stand for, with one scale or one for each channel. */
function spansOf(graph: Graph, scale: string, zero: string, [low, high]: Span): readonly Span[] | undefined {
  const scales = graph.initializers.get(scale)
  const zeros = graph.initializers.get(zero)
  if (!scales) return undefined
  const offsets = zeros ? numbersOf(zeros) : []
  return Array.from(floatsOf(scales), (s, c): Span => {
    const offset = Number(offsets[c] ?? offsets[0] ?? 0)
    return [(low - offset) * s, (high - offset) * s]
  })
}

/** The least and the greatest code of a weight; symmetric ones reach as far on both sides. */
function reachOf(tensor: Tensor, isSymmetric: boolean): Span {
  let [low, high] = [Infinity, -Infinity]
  for (const code of numbersOf(tensor)) {
    low = Math.min(low, Number(code))
    high = Math.max(high, Number(code))
  }
  const most = Math.max(-low, high)
  return isSymmetric ? [-most, most] : [low, high]
}

function counted(values: ArrayLike<number>): Pick<Distribution, 'low' | 'high' | 'counts'> {
  let [low, high] = [Infinity, -Infinity]
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i] as number)
    high = Math.max(high, values[i] as number)
  }
  const counts = Array<number>(BINS).fill(0)
  const perUnit = BINS / (high - low || 1)
  for (let i = 0; i < values.length; i++) {
    const bin = Math.min(BINS - 1, Math.floor(((values[i] as number) - low) * perUnit))
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  return { low, high, counts }
}

/** The distribution of every weight that became codes, and the values that those codes reach. */
export function weightDistributions(float: Graph, quantized: Graph): readonly Distribution[] {
  const nodes = new Map(quantized.nodes.map((node) => [`${node.op} ${node.name}`, node]))
  return layerWeights(float).flatMap(({ name, tensor, node }): readonly Distribution[] => {
    const input = nodes.get(`${node.op} ${node.name}`)?.inputs[node.inputs.indexOf(name)] ?? ''
    const from = quantized.producer(input)
    const stored = from?.op === 'DequantizeLinear' ? quantized.initializers.get(from.inputs[0] ?? '') : undefined
    if (!from || !stored || from.attributes['block_size']) return []
    const zero = quantized.initializers.get(from.inputs[2] ?? '')
    const isSymmetric = !zero || numbersOf(zero).every((z) => Number(z) === 0)
    const spans = spansOf(quantized, from.inputs[1] ?? '', from.inputs[2] ?? '', reachOf(stored, isSymmetric))
    return spans
      ? [distribution({ name, layer: node.name || name, kind: 'weight' }, counted(floatsOf(tensor)), spans)]
      : []
  })
}

function distribution(
  of: Pick<Distribution, 'name' | 'layer' | 'kind'>,
  shape: Pick<Distribution, 'low' | 'high' | 'counts'>,
  spans: readonly Span[],
): Distribution {
  const width = ([low, high]: Span) => high - low
  const widest = spans.reduce((most, span) => (width(span) > width(most) ? span : most))
  const narrowest = spans.reduce((least, span) => (width(span) < width(least) ? span : least))
  return {
    ...of,
    ...shape,
    clip: [widest[0], widest[1]],
    ...(spans.length > 1
      ? { narrowest: [narrowest[0], narrowest[1]] as [number, number], channels: spans.length }
      : {}),
  }
}

/** Fewer bins, over what was seen. */
function rebinned(histogram: Histogram, low: number, high: number): Pick<Distribution, 'low' | 'high' | 'counts'> {
  const counts = Array<number>(BINS).fill(0)
  const perUnit = BINS / (high - low || 1)
  histogram.counts.forEach((n, bin) => {
    if (n === 0) return
    const middle = (histogram.edge(bin) + histogram.edge(bin + 1)) / 2
    const at = Math.min(BINS - 1, Math.max(0, Math.floor((middle - low) * perUnit)))
    counts[at] = (counts[at] ?? 0) + n
  })
  return { low, high, counts }
}

/** The float values that became codes, each with its QuantizeLinear. */
function quantizedValues(float: Graph, quantized: Graph): ReadonlyMap<string, Node> {
  const found = new Map<string, Node>()
  for (const node of quantized.nodes) {
    const [value = ''] = node.inputs
    if (node.op !== 'QuantizeLinear' || quantized.initializers.has(value) || found.size >= MOST) continue
    const isKnown = float.producer(value) !== undefined || float.requiredInputs.some(({ name }) => name === value)
    if (isKnown) found.set(value, node)
  }
  return found
}

/** The layer that puts a value out, itself or through the activation function behind it. */
function layerOf(graph: Graph, value: string): string {
  const node = graph.producer(value)
  const before = node && graph.producer(node.inputs[0] ?? '')
  const layer = [node, before].find((each) => each && weightUseOf(each, graph)) ?? node
  return layer?.name || value
}

/** How activations that became codes are distributed over some samples, and the values that their codes reach. */
async function activationDistributions(
  context: StepContext,
  float: Graph,
  quantized: Graph,
  options: CalibrationOptions,
): Promise<readonly Distribution[]> {
  const values = quantizedValues(float, quantized)
  if (values.size === 0 || Object.keys(context.data.splits).length === 0) return []
  const names = [...values.keys()]
  const split = calibrationSplit(context.data)
  const batch = calibrationBatch(float, names, options.calibrationBatch)
  const data = samplesOf(float, split, {
    samples: Math.min(SAMPLES, options.samples, split.count),
    batch: Math.min(batch, SAMPLES),
    seed: context.seed,
    preprocessing: preprocessingFor(context.data, context.model, options.preprocessing),
  })
  // A percentile of 100 counts every value and clips none.
  const all = { method: 'percentile', percentile: 100, bins: FINE, threads: context.threads } as const
  const { ranges } = await calibrate(context.executor, float, names, data, all)
  return [...values].flatMap(([name, node]): readonly Distribution[] => {
    const found = ranges.get(name)
    const zero = quantized.initializers.get(node.inputs[2] ?? '')
    const reach = codes[zero?.dtype ?? 'u8']
    const spans = reach && spansOf(quantized, node.inputs[1] ?? '', node.inputs[2] ?? '', reach)
    if (!found?.histogram || !spans) return []
    const { min, max } = found.observed
    return [
      distribution(
        { name, layer: layerOf(float, name), kind: 'activation' },
        rebinned(found.histogram, min, max),
        spans,
      ),
    ]
  })
}

/** Weights and activations of a quantized model as they were, with what their codes can say: for a person's eye. */
export async function distributionsOf(
  context: StepContext,
  float: Graph,
  quantized: Graph,
  options: CalibrationOptions,
): Promise<readonly Distribution[]> {
  const weights = weightDistributions(float, quantized).slice(0, MOST)
  return [...weights, ...(await activationDistributions(context, float, quantized, options))]
}

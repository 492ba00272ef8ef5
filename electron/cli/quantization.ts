import type { Report } from '../../workers/protocol/worker.ts'
import { bytes, duration, percent, table } from './format.ts'

/** What a quantization step reports; the keys are those of its JSON. */
interface Quantized {
  readonly mode: string
  readonly layers?: readonly Layer[]
  readonly float?: readonly string[]
  readonly sqnr?: number
  readonly accuracy?: {
    readonly float: number
    readonly quantized: number
    readonly drop: number
    readonly interval: readonly [number, number]
    readonly n: number
    readonly p: number
  }
  readonly bytes: { readonly float: number; readonly quantized: number }
  readonly latency: {
    readonly float: { readonly medianMs: number }
    readonly quantized: { readonly medianMs: number }
    readonly speedup: number
  }
  readonly processor: { readonly reason: string }
  readonly warnings: readonly string[]
}

interface Layer {
  readonly layer: string
  readonly op: string
  readonly type?: string
  readonly range?: readonly [number, number]
  readonly sqnr?: number
  readonly floatMs?: number
  readonly int8Ms?: number
}

const isQuantized = (step: unknown): step is Quantized =>
  step !== null && typeof step === 'object' && 'mode' in step && 'processor' in step

/** What a run's quantization steps say of themselves; nothing for other runs. */
export const quantizationLines = (report: Report): readonly string[] =>
  (Array.isArray(report['steps']) ? (report['steps'] as unknown[]) : []).filter(isQuantized).flatMap(linesOf)

function linesOf(step: Quantized): readonly string[] {
  const { accuracy, bytes: size, latency, sqnr } = step
  const points = (value: number) => (100 * value).toFixed(2)
  return [
    ...(step.layers?.some((l) => l.sqnr !== undefined || l.floatMs !== undefined) ? [layerTable(step.layers)] : []),
    ...(step.float && step.float.length > 0 ? [`in float: ${step.float.join(', ')}`] : []),
    ...(sqnr === undefined ? [] : [`outputs: ${sqnr.toFixed(1)} dB above the noise of quantization`]),
    ...(accuracy
      ? [
          `accuracy ${percent(accuracy.float)} → ${percent(accuracy.quantized)}: drop ${points(accuracy.drop)} points, 95 % between ${points(accuracy.interval[0])} and ${points(accuracy.interval[1])} (n = ${accuracy.n}, McNemar p = ${accuracy.p.toPrecision(2)})`,
        ]
      : []),
    `size ${bytes(size.float)} → ${bytes(size.quantized)}; latency ${duration(latency.float.medianMs)} → ${duration(latency.quantized.medianMs)} (${latency.speedup.toFixed(2)}×; ${step.processor.reason})`,
    ...step.warnings.map((text) => `warning: ${text}`),
  ]
}

/** The layers by noise, in order; the float ones have none. */
function layerTable(layers: readonly Layer[]): string {
  const timed = layers.some((l) => l.floatMs !== undefined)
  const cell = (value: number | undefined, digits: number) => (value === undefined ? '–' : value.toFixed(digits))
  return table([
    ['layer', 'operator', 'type', 'range', 'SQNR, dB', ...(timed ? ['float, ms', 'int8, ms'] : [])],
    ...layers.map((l) => [
      l.layer,
      l.op,
      l.type ?? '',
      l.range ? `${l.range[0].toPrecision(3)} … ${l.range[1].toPrecision(3)}` : '–',
      cell(l.sqnr, 1),
      ...(timed ? [cell(l.floatMs, 3), cell(l.int8Ms, 3)] : []),
    ]),
  ])
}

import type { Column } from '../../charts/column.ts'
import type { RunSummary } from '../../../workers/protocol/studio.ts'

/** What is wrong with a run, or will be, and what a person can do about it. */
export interface Finding {
  readonly kind: 'nan' | 'divergence' | 'plateau' | 'starved'
  /** Training step that it began at. */
  readonly step?: number
  /** Epochs without progress; share of time that is waited. */
  readonly amount?: number
}

export interface Signs {
  readonly run: Pick<RunSummary, 'state' | 'halt' | 'progress'>
  /** Of the stage at hand: the training loss, and the accuracy on held-out samples with the steps it was measured at. */
  readonly loss: Column | undefined
  readonly steps: Column | undefined
  readonly accuracy: Column | undefined
  readonly measuredAt: Column | undefined
}

/** Steps before which a loss says nothing. */
const ENOUGH = 100
/** A mean loss this many times as high as the lowest is no noise. */
const DIVERGED = 2
/** Measurements without a better one after which more training is unlikely to help; the patience of common early stopping. */
const PATIENCE = 5
/** More waiting than this leaves the device idle for most of the time. */
const STARVED = 0.5

/** The findings of a run that is going or was paused by the guard, worst first. */
export function healthOf({ run, loss, steps, accuracy, measuredAt }: Signs): readonly Finding[] {
  if (run.halt?.cause === 'not-finite' && run.state === 'paused') {
    return [{ kind: 'nan', ...(run.halt.atStep === undefined ? {} : { step: run.halt.atStep }) }]
  }
  if (run.state !== 'running' && run.state !== 'paused') return []
  const found: Finding[] = []
  const diverged = loss && steps && divergence(loss, steps)
  if (diverged !== undefined) found.push({ kind: 'divergence', step: diverged })
  const flat = accuracy && measuredAt && plateau(accuracy, measuredAt)
  if (flat && diverged === undefined) found.push({ kind: 'plateau', ...flat })
  const waiting = run.state === 'running' ? (run.progress?.waiting ?? 0) : 0
  if (waiting > STARVED) found.push({ kind: 'starved', amount: waiting })
  return found
}

/** Means of twenty equal parts of the curve: where the lowest was, when the newest is far above it. */
function divergence(loss: Column, steps: Column): number | undefined {
  const { length } = loss
  if (length < ENOUGH) return undefined
  const part = Math.floor(length / 20)
  const means = Array.from({ length: 20 }, (_, i) => mean(loss.values, length - (20 - i) * part, part))
  const lowest = Math.min(...means)
  const last = means[19] ?? NaN
  if (!(lowest > 0) || last < DIVERGED * lowest) return undefined
  return steps.at(length - (20 - means.indexOf(lowest)) * part)
}

function mean(values: Float64Array, from: number, count: number): number {
  let sum = 0
  for (let i = from; i < from + count; i++) sum += values[i] ?? 0
  return sum / count
}

function plateau(accuracy: Column, measuredAt: Column): Pick<Finding, 'step' | 'amount'> | undefined {
  let best = 0
  for (let i = 1; i < accuracy.length; i++) if (accuracy.at(i) > accuracy.at(best)) best = i
  const since = accuracy.length - 1 - best
  return since >= PATIENCE ? { step: measuredAt.at(best), amount: since } : undefined
}

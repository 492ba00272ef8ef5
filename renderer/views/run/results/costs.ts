import type { z } from 'zod'
import { Stage } from '../../../../workers/protocol/files/methods.ts'
import type { Report } from '../../../../workers/protocol/worker.ts'
import type { RunDetail } from '../../../../workers/protocol/studio.ts'
import { measured } from '../../../format/measured.ts'

export type Costs = Partial<Omit<z.output<typeof Stage>, 'step' | 'sha256'>>

const costsOf = (stage: unknown): Costs | undefined => {
  const found = Stage.safeParse(stage)
  return found.success ? found.data : undefined
}

/** The run's result, which is what its last step made. */
function resultCosts({ result }: RunDetail): Costs | undefined {
  const found = measured(result)
  if (!found || found.params === undefined) return undefined
  const { params, macs, bytes, latencyMs, accuracy, accuracyError } = found
  return {
    params,
    ...(macs === undefined ? {} : { macs }),
    ...(bytes === undefined ? {} : { bytes }),
    ...(latencyMs === undefined ? {} : { medianMs: latencyMs }),
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(accuracyError === undefined ? {} : { accuracyError }),
  }
}

const median = (times: unknown): number | undefined => measured({ latency: times })?.latencyMs

/** Times that a step itself measured, of both models in turn: only such compare. */
function timesInTurn(report: Report | undefined): readonly [before: number, after: number] | undefined {
  const { before, after, float, quantized } = (report?.['latency'] ?? {}) as Report
  const [old, now] = [median(before ?? float), median(after ?? quantized)]
  return old === undefined || now === undefined ? undefined : [old, now]
}

/** What the model cost before and after a step, where that was measured. */
export function costsAround(detail: RunDetail, step: number): { readonly before?: Costs; readonly after?: Costs } {
  const { before, after } = stagesAround(detail, step)
  const times = timesInTurn(detail.reports[step]?.report)
  return {
    ...(before ? { before: times ? { ...before, medianMs: times[0] } : before } : {}),
    ...(after ? { after: times ? { ...after, medianMs: times[1] } : after } : {}),
  }
}

function stagesAround(detail: RunDetail, step: number): { readonly before?: Costs; readonly after?: Costs } {
  const after =
    costsOf(detail.reports[step]?.stage) ?? (step === detail.stages.length - 1 ? resultCosts(detail) : undefined)
  const before = costsOf(step === 0 ? detail.input : detail.reports[step - 1]?.stage)
  return { ...(before ? { before } : {}), ...(after ? { after } : {}) }
}

export type CostId = 'params' | 'macs' | 'bytes' | 'packedBytes' | 'latency' | 'accuracy'

export interface CostRow {
  readonly id: CostId
  readonly before: number | undefined
  readonly after: number | undefined
  /** Relative, but of accuracy in points. */
  readonly change: number | undefined
  readonly verdict: 'same' | 'better' | 'worse' | 'unclear' | undefined
}

const values: Readonly<Record<CostId, (costs: Costs) => number | undefined>> = {
  params: ({ params }) => params,
  macs: ({ macs }) => macs,
  bytes: ({ bytes }) => bytes,
  packedBytes: ({ packedBytes }) => packedBytes,
  latency: ({ medianMs }) => medianMs,
  accuracy: ({ accuracy }) => accuracy,
}

/** Medians of short measurements differ by so much without a reason. */
const LATENCY_NOISE = 0.05

function verdictOf(
  id: CostId,
  change: number,
  before: Costs | undefined,
  after: Costs | undefined,
): CostRow['verdict'] {
  if (Math.abs(change) < 0.0005) return 'same'
  const noise: Readonly<Partial<Record<CostId, number>>> = {
    latency: LATENCY_NOISE,
    accuracy: 1.96 * Math.hypot(before?.accuracyError ?? 0, after?.accuracyError ?? 0),
  }
  if (Math.abs(change) <= (noise[id] ?? 0)) return 'unclear'
  return (id === 'accuracy' ? change : -change) > 0 ? 'better' : 'worse'
}

/** One row for every cost that is known on either side. */
export function costRows(before: Costs | undefined, after: Costs | undefined): readonly CostRow[] {
  return (Object.keys(values) as CostId[]).flatMap((id): readonly CostRow[] => {
    const [old, now] = [before && values[id](before), after && values[id](after)]
    if (old === undefined && now === undefined) return []
    // Of a recipe of one step only the input is packed, to know its size.
    if (id === 'packedBytes' && now === undefined && after) return []
    if (old === undefined || now === undefined)
      return [{ id, before: old, after: now, change: undefined, verdict: undefined }]
    const change = id === 'accuracy' ? now - old : old === 0 ? 0 : now / old - 1
    return [{ id, before: old, after: now, change, verdict: verdictOf(id, change, before, after) }]
  })
}

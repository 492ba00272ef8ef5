import type { Report } from '../../../workers/protocol/worker.ts'
import { textOf } from '../../format/values.ts'
import type { Item } from './items.ts'

/** What must be the same for two numbers to be comparable. */
export const conditionIds = ['data', 'preprocessing', 'device', 'batch', 'threads', 'runtime'] as const
export type ConditionId = (typeof conditionIds)[number]

export interface Condition {
  readonly id: ConditionId
  readonly status: 'same' | 'differs' | 'unknown'
  /** Its values, most common first, with the items that have each. */
  readonly values: readonly { readonly text: string; readonly items: readonly string[] }[]
}

export interface Fairness {
  /** Nothing differs, and nothing is unknown. */
  readonly fair: boolean
  readonly conditions: readonly Condition[]
}

const readers: Readonly<Record<ConditionId, (measured: Report) => string | undefined>> = {
  data: (m) => textOf(provenance(m)['dataHash']),
  preprocessing: (m) => textOf(provenance(m)['preprocessing']),
  device: (m) => {
    const { executor, processor } = provenance(m)
    return textOf(executor) === undefined || textOf(processor) === undefined
      ? undefined
      : `${String(executor)}, ${String(processor)}`
  },
  batch: (m) => textOf((m['latency'] as Report | undefined)?.['batch']),
  threads: (m) => textOf(provenance(m)['threads']),
  runtime: (m) => textOf(provenance(m)['runtime']),
}

const provenance = (measured: Report): Report => (measured['provenance'] ?? {}) as Report

/** Whether items were measured under the same conditions, as far as they say. */
export function fairnessOf(items: readonly Item[]): Fairness {
  const conditions = conditionIds.map((id): Condition => {
    const found = new Map<string, string[]>()
    let unknown = false
    for (const { title, measured } of items) {
      const text = measured && readers[id](measured)
      if (text === undefined) unknown = true
      else found.set(text, [...(found.get(text) ?? []), title])
    }
    const values = [...found]
      .map(([text, titles]) => ({ text, items: titles }))
      .toSorted((a, b) => b.items.length - a.items.length)
    return { id, status: values.length > 1 ? 'differs' : unknown ? 'unknown' : 'same', values }
  })
  return { fair: items.length > 1 && conditions.every(({ status }) => status === 'same'), conditions }
}

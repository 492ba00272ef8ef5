import type { Stream } from '../stores/rows.ts'

/** Which chart a metric goes to. Metric names are the recipe's own and are not translated. */
export interface ChartGroup {
  readonly id: string
  /** A kind of metric has a phrase for its title; any other chart is called as its metric. */
  readonly kind: 'loss' | 'accuracy' | 'hits' | 'learningRate' | 'other'
  /** Shares of one, shown as percentages. */
  readonly percent: boolean
  readonly lines: readonly LineSource[]
}

export interface LineSource {
  readonly stream: string
  readonly column: string
  /** From the held-out samples, as against the training batches. */
  readonly held: boolean
}

/** Columns that say when a row was, or that are shown elsewhere. */
const hidden = new Set(['step', 'epoch', 'time', 'elapsed', 'finite'])

/** The first rule whose pattern fits a column's name decides. What no rule names has a chart of its own. */
const rules: readonly (readonly [pattern: RegExp, kind: ChartGroup['kind']])[] = [
  [/^lr$/, 'learningRate'],
  // Counts of right answers in a batch, not shares.
  [/^top\d$/, 'hits'],
  [/accuracy|agree/i, 'accuracy'],
  [/norm|scale|ratio|sparsity|temperature/i, 'other'],
  [/./, 'loss'],
]

const order: readonly ChartGroup['kind'][] = ['loss', 'accuracy', 'hits', 'learningRate', 'other']

/** The charts of the streams of one stage, in the order in which people look at them. */
export function chartGroups(streams: readonly Stream[]): readonly ChartGroup[] {
  const groups = new Map<string, ChartGroup & { lines: LineSource[] }>()
  for (const { name, columns } of streams) {
    if (name.endsWith('-clock')) continue
    for (const column of columns.keys()) {
      if (hidden.has(column)) continue
      const kind = rules.find(([pattern]) => pattern.test(column))?.[1] ?? 'other'
      const id = kind === 'other' ? column : kind
      const group = groups.get(id) ?? { id, kind, percent: kind === 'accuracy', lines: [] }
      groups.set(id, group)
      group.lines.push({ stream: name, column, held: /-evaluation(\.|$)/.test(name) })
    }
  }
  return [...groups.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

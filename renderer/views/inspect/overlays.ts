import type { CouplingGroup, ModelReach, ModelSheet } from '../../../workers/protocol/studio.ts'
import type { Mark, Overlay, Tone } from '../../graph/model.ts'
import type { SensitivityColumn } from './sensitivity.ts'

export const overlayIds = ['size', 'macs', 'latency', 'sensitivity', 'bits', 'sparsity', 'groups'] as const
export type OverlayId = (typeof overlayIds)[number]

/** Words of the screen's language. */
export interface Words {
  readonly title: string
  readonly percent: (share: number) => string
  readonly number: (value: number) => string
  readonly phrase: (
    key: 'atLeast' | 'below' | 'none' | 'mixed' | 'bits' | 'group' | 'groups',
    values: { value: string },
  ) => string
}

/** Rows of the sheet that a box stands for. */
type RowsOf = (nodes: readonly number[]) => readonly number[]

const shares: readonly (readonly [number, Tone])[] = [
  [0.1, 'heat5'],
  [0.05, 'heat4'],
  [0.02, 'heat3'],
  [0.005, 'heat2'],
  [0, 'heat1'],
]

/** Share of a whole: of the bytes, the multiply-accumulates, the time. */
export function shareOverlay(values: Float64Array, rowsOf: RowsOf, words: Words): Overlay {
  const total = values.reduce((sum, value) => sum + (Number.isNaN(value) ? 0 : value), 0)
  return {
    title: words.title,
    legend: [
      ...shares
        .slice(0, -1)
        .map(([least, tone]) => ({ tone, text: words.phrase('atLeast', { value: words.percent(least) }) })),
      { tone: 'heat1', text: words.phrase('below', { value: words.percent(0.005) }) },
    ],
    mark: (nodes) => {
      let [sum, known] = [0, false]
      for (const row of rowsOf(nodes)) {
        const value = values[row] ?? Number.NaN
        if (Number.isNaN(value)) continue
        sum += value
        known = true
      }
      if (!known || total === 0 || sum === 0) return undefined
      const share = sum / total
      return { tone: shares.find(([least]) => share >= least)?.[1] ?? 'heat1', badge: words.percent(share) }
    },
  }
}

/** How sensitive: from which value on, the most sensitive first. Less signal over noise is more; more loss is more. */
const sensitive: Readonly<
  Record<
    SensitivityColumn['unit'],
    { readonly steps: readonly (readonly [number, Tone])[]; readonly isWorse: (value: number, than: number) => boolean }
  >
> = {
  decibels: {
    steps: [
      [12, 'heat5'],
      [15, 'heat4'],
      [18, 'heat3'],
      [21, 'heat2'],
    ],
    isWorse: (value, than) => value < than,
  },
  drop: {
    steps: [
      [0.1, 'heat5'],
      [0.03, 'heat4'],
      [0.01, 'heat3'],
      [0.002, 'heat2'],
    ],
    isWorse: (value, than) => value >= than,
  },
}

/** A group is as sensitive as the most sensitive thing in it. */
export function sensitivityOverlay({ unit, values }: SensitivityColumn, rowsOf: RowsOf, words: Words): Overlay {
  const { steps, isWorse } = sensitive[unit]
  const show = (value: number) => (unit === 'drop' ? words.percent(value) : `${words.number(value)} dB`)
  const [worse, better] = unit === 'drop' ? (['atLeast', 'below'] as const) : (['below', 'atLeast'] as const)
  return {
    title: words.title,
    legend: [
      ...steps.map(([limit, tone]) => ({ tone, text: words.phrase(worse, { value: show(limit) }) })),
      { tone: 'heat1', text: words.phrase(better, { value: show(steps.at(-1)?.[0] ?? 0) }) },
    ],
    mark: (nodes) => {
      let most: number | undefined
      for (const row of rowsOf(nodes)) {
        const value = values[row] ?? Number.NaN
        if (!Number.isNaN(value) && (most === undefined || isWorse(value, most))) most = value
      }
      if (most === undefined) return undefined
      const worst = most
      return { tone: steps.find(([limit]) => isWorse(worst, limit))?.[1] ?? 'heat1', badge: show(worst) }
    },
  }
}

const byBits: readonly (readonly [number, Tone])[] = [
  [2, 's1'],
  [4, 's4'],
  [8, 's3'],
  [16, 's2'],
  [64, 's6'],
]
const toneOfBits = (bits: number): Tone => byBits.find(([most]) => bits <= most)?.[1] ?? 's6'

export function bitsOverlay({ bits }: ModelSheet, rowsOf: RowsOf, words: Words): Overlay {
  const known = [...new Set(bits.filter((b) => !Number.isNaN(b)))].sort((a, b) => a - b)
  const text = (value: number | string) => words.phrase('bits', { value: String(value) })
  const isMixed = known.length > 1
  return {
    title: words.title,
    legend: [
      ...known.map((value) => ({ tone: toneOfBits(value), text: text(value) })),
      ...(isMixed ? [{ tone: 'warn' as const, text: words.phrase('mixed', { value: '' }) }] : []),
    ],
    mark: (nodes) => {
      const own = [...new Set(rowsOf(nodes).map((row) => bits[row] ?? Number.NaN))].filter((b) => !Number.isNaN(b))
      own.sort((a, b) => a - b)
      const [first] = own
      if (first === undefined) return undefined
      if (own.length === 1) return { tone: toneOfBits(first), badge: text(first) }
      return { tone: 'warn', badge: text(`${first}–${own.at(-1)}`) }
    },
  }
}

export function sparsityOverlay({ sparsity, params }: ModelSheet, rowsOf: RowsOf, words: Words): Overlay {
  const steps: readonly (readonly [number, Tone])[] = [
    [0.9, 'heat5'],
    [0.7, 'heat4'],
    [0.5, 'heat3'],
    [0.1, 'heat2'],
    [0, 'heat1'],
  ]
  return {
    title: words.title,
    legend: [
      ...steps
        .slice(0, -1)
        .map(([least, tone]) => ({ tone, text: words.phrase('atLeast', { value: words.percent(least) }) })),
      { tone: 'heat1', text: words.phrase('below', { value: words.percent(0.1) }) },
    ],
    mark: (nodes) => {
      let [zeros, elements] = [0, 0]
      for (const row of rowsOf(nodes)) {
        const [share, count] = [sparsity[row] ?? Number.NaN, params[row] ?? 0]
        if (Number.isNaN(share)) continue
        zeros += share * count
        elements += count
      }
      if (elements === 0) return undefined
      const share = zeros / elements
      return { tone: steps.find(([least]) => share >= least)?.[1] ?? 'heat1', badge: words.percent(share) }
    },
  }
}

const categories: readonly Tone[] = ['s1', 's2', 's3', 's4', 's5', 's6']
const toneOfGroup = (id: number): Tone => categories[id % categories.length] ?? 's1'

/** Channels that can only be cut together; one group alone when it is chosen. */
export function groupsOverlay(
  { groups }: ModelReach,
  chosen: number | undefined,
  rowsOf: RowsOf,
  words: Words,
): Overlay {
  const shown = chosen === undefined ? groups : groups.filter(({ id }) => id === chosen)
  const byRow = new Map<number, CouplingGroup[]>()
  for (const group of shown) for (const row of group.nodes) byRow.set(row, [...(byRow.get(row) ?? []), group])
  const name = ({ id, name: made }: CouplingGroup) => `${words.phrase('group', { value: String(id) })} ${made}`
  const most = 5
  return {
    title: words.title,
    legend: [
      ...shown.slice(0, most).map((group) => ({ tone: toneOfGroup(group.id), text: name(group) })),
      ...(shown.length > most ? [{ tone: 'none' as const, text: `+ ${shown.length - most}` }] : []),
      ...(shown.length === 0 ? [{ tone: 'none' as const, text: words.phrase('none', { value: '' }) }] : []),
    ],
    mark: (nodes): Mark | undefined => {
      const found = [...new Set(rowsOf(nodes).flatMap((row) => byRow.get(row) ?? []))]
      const [first] = found
      if (!first) return undefined
      if (found.length > 2) return { tone: 'none', badge: words.phrase('groups', { value: String(found.length) }) }
      return {
        tone: toneOfGroup(first.id),
        badge: found.map(({ id }) => words.phrase('group', { value: String(id) })).join(' '),
      }
    },
  }
}

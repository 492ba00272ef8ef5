import type { LayerTimes, ModelSheet } from '../../../workers/protocol/studio.ts'
import { idOfGroup } from '../../graph/selection.ts'
import type { GroupTree } from '../../graph/tree.ts'
import { idOfRow, textAt, type Drawn } from './drawn.ts'

/** One line of the table: a node, or a group that can be opened. */
export interface Row {
  readonly id: string
  /** Row of the sheet; −1 for a group. */
  readonly row: number
  /** Group of the tree; −1 for a node. */
  readonly group: number
  readonly depth: number
  readonly open: boolean
}

export const columnIds = [
  'name',
  'op',
  'shape',
  'dtype',
  'params',
  'macs',
  'share',
  'bytes',
  'ms',
  'sparsity',
  'bits',
] as const
export type ColumnId = (typeof columnIds)[number]

const textColumns = new Set<ColumnId>(['name', 'op', 'shape', 'dtype'])
export const isText = (column: ColumnId): boolean => textColumns.has(column)

export interface Sort {
  readonly column: ColumnId
  readonly descending: boolean
}

/** Numbers and texts of the table, by column and row of the sheet. */
export class LayerData {
  readonly sheet: ModelSheet
  readonly times: LayerTimes | undefined
  readonly #totalMacs: number

  constructor(sheet: ModelSheet, times: LayerTimes | undefined) {
    this.sheet = sheet
    this.times = times
    this.#totalMacs = sheet.macs.reduce((sum, macs) => sum + (Number.isNaN(macs) ? 0 : macs), 0)
  }

  text(column: ColumnId, row: number): string {
    const { sheet } = this
    if (column === 'name') return sheet.names[row] ?? ''
    if (column === 'op') return textAt(sheet.ops, row)
    const type = textAt(sheet.types, row)
    const at = type.indexOf('[')
    if (column === 'shape') return at < 0 ? '' : type.slice(at)
    return at < 0 ? type : type.slice(0, at)
  }

  number(column: ColumnId, row: number): number {
    return this.#columns[column]?.(row) ?? Number.NaN
  }

  /** Of several rows together: sums, the mean of zeros by bytes, bits where all have the same. */
  numberOf(column: ColumnId, rows: readonly number[]): number {
    if (column === 'bits') {
      const bits = new Set(rows.map((row) => this.sheet.bits[row] ?? Number.NaN).filter((b) => !Number.isNaN(b)))
      return bits.size === 1 ? ([...bits][0] ?? Number.NaN) : Number.NaN
    }
    if (column === 'sparsity') return this.#meanSparsity(rows)
    let [sum, known] = [0, false]
    for (const row of rows) {
      const value = this.number(column, row)
      if (Number.isNaN(value)) continue
      sum += value
      known = true
    }
    return known ? sum : Number.NaN
  }

  #meanSparsity(rows: readonly number[]): number {
    let [zeros, elements] = [0, 0]
    for (const row of rows) {
      const [share, params] = [this.sheet.sparsity[row] ?? Number.NaN, this.sheet.params[row] ?? 0]
      if (Number.isNaN(share)) continue
      zeros += share * params
      elements += params
    }
    return elements === 0 ? Number.NaN : zeros / elements
  }

  readonly #columns: Readonly<Partial<Record<ColumnId, (row: number) => number>>> = {
    params: (row) => this.sheet.params[row] ?? 0,
    macs: (row) => this.sheet.macs[row] ?? 0,
    share: (row) => (this.#totalMacs === 0 ? Number.NaN : (this.sheet.macs[row] ?? 0) / this.#totalMacs),
    bytes: (row) => this.sheet.bytes[row] ?? 0,
    ms: (row) => this.times?.ms[row] ?? Number.NaN,
    sparsity: (row) => this.sheet.sparsity[row] ?? Number.NaN,
    bits: (row) => this.sheet.bits[row] ?? Number.NaN,
  }
}

/** The tree as lines, as far as it is open. */
export function treeRows({ rowOf }: Drawn, tree: GroupTree, open: ReadonlySet<string>): readonly Row[] {
  const rows: Row[] = []
  const visit = (group: number, depth: number): void => {
    for (const child of tree.groups[group]?.children ?? []) {
      if (child >= 0) {
        const row = rowOf[child] ?? -1
        if (row >= 0) rows.push({ id: idOfRow(row), row, group: -1, depth, open: false })
        continue
      }
      const key = tree.groups[~child]?.key ?? ''
      const isOpen = open.has(key)
      rows.push({ id: idOfGroup(key), row: -1, group: ~child, depth, open: isOpen })
      if (isOpen) visit(~child, depth + 1)
    }
  }
  visit(0, 0)
  return rows
}

/** All nodes without their groups: those that a filter leaves, in an order. Unknown numbers come last. */
export function flatRows(data: LayerData, filter: string, sort: Sort | undefined): readonly Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  const { count } = data.sheet
  const found: number[] = []
  for (let row = 0; row < count; row++) {
    const text = `${data.text('name', row)} ${data.text('op', row)} ${textAt(data.sheet.types, row)}`.toLowerCase()
    if (words.every((word) => text.includes(word))) found.push(row)
  }
  if (sort) found.sort(comparison(data, sort))
  return found.map((row) => ({ id: idOfRow(row), row, group: -1, depth: 0, open: false }))
}

function comparison(data: LayerData, { column, descending }: Sort): (a: number, b: number) => number {
  const sign = descending ? -1 : 1
  if (isText(column)) return (a, b) => sign * data.text(column, a).localeCompare(data.text(column, b)) || a - b
  return (a, b) => {
    const [x, y] = [data.number(column, a), data.number(column, b)]
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || a - b
    return sign * (x - y) || a - b
  }
}

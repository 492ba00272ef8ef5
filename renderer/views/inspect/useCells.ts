import { watch } from 'vue'
import { useFormat } from '../../format/useFormat.ts'
import { groupTitle } from '../../graph/labels.ts'
import { lastParts } from '../../graph/scopes.ts'
import type { GroupTree } from '../../graph/tree.ts'
import type { Drawn } from './drawn.ts'
import { isText, type ColumnId, type LayerData, type Row } from './rows.ts'

interface Input {
  readonly data: () => LayerData
  readonly drawn: () => Drawn
  readonly tree: () => GroupTree
  /** Lines are a tree: the scopes of a name are there already. */
  readonly isTree: () => boolean
  /** `240 nodes`, in the language of the screen. */
  readonly nodes: (count: number) => string
}

/** What is written in the table of layers. Of groups it is a sum over all that is in them, so it is kept. */
export function useCells({ data, drawn, tree, isTree, nodes }: Input) {
  const format = useFormat()

  const rowsOf = (row: Row): readonly number[] =>
    (row.group < 0 ? [] : (tree().groups[row.group]?.nodes ?? []))
      .flatMap((node) => drawn().rowOf[node] ?? [])
      .filter((i) => i >= 0)

  function nameOf(row: Row): string {
    const group = tree().groups[row.group]
    if (group) return groupTitle(group, { nodes })
    const name = data().text('name', row.row)
    return isTree() && row.depth > 0 ? lastParts(name, 1) : name
  }

  const orDash = (value: number, show: (value: number) => string): string => (value === 0 ? '–' : show(value))
  const showNumber: Readonly<Partial<Record<ColumnId, (value: number) => string>>> = {
    params: (value) => orDash(value, format.value.integer),
    macs: (value) => orDash(value, format.value.count),
    share: (value) => orDash(value, format.value.percent),
    bytes: (value) => orDash(value, format.value.bytes),
    ms: (value) => format.value.number(value, 3),
    sparsity: (value) => format.value.percent(value),
    bits: (value) => format.value.integer(value),
  }

  const cells = new Map<string, string>()
  watch([data, tree, format], () => cells.clear(), { flush: 'sync' })

  return function cell(column: ColumnId, row: Row): string {
    if (column === 'name') return nameOf(row)
    if (isText(column)) return row.row < 0 ? '' : data().text(column, row.row)
    const key = `${column} ${row.id}`
    const known = cells.get(key)
    if (known !== undefined) return known
    const value = row.row < 0 ? data().numberOf(column, rowsOf(row)) : data().number(column, row.row)
    const text = Number.isNaN(value) ? '–' : (showNumber[column]?.(value) ?? '')
    cells.set(key, text)
    return text
  }
}

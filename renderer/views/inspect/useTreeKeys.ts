import type { ComputedRef } from 'vue'
import type { Row } from './rows.ts'

interface Input {
  readonly rows: ComputedRef<readonly Row[]>
  /** The place of the chosen line; −1 where none is. */
  readonly at: ComputedRef<number>
  /** How many lines a page is. */
  readonly page: () => number
  readonly choose: (index: number) => void
  /** Opens or closes a group. */
  readonly turn: (row: Row, to?: boolean) => void
}

/** The keys of a tree (WAI-ARIA Authoring Practices, treegrid): up and down, into groups and out of them. */
export function useTreeKeys({ rows, at, page, choose, turn }: Input): (event: KeyboardEvent) => void {
  const steps: Readonly<Record<string, () => number>> = {
    ArrowDown: () => at.value + 1,
    ArrowUp: () => at.value - 1,
    PageDown: () => at.value + page(),
    PageUp: () => at.value - page(),
    Home: () => 0,
    End: () => rows.value.length - 1,
  }

  /** Opens a group, or goes to the first thing in it. */
  function goIn(row: Row): void {
    if (row.open) choose(at.value + 1)
    else turn(row, true)
  }

  /** Folds a group, or goes to the one around. */
  function goOut(row: Row): void {
    if (row.open) return turn(row, false)
    const around = rows.value.slice(0, at.value).findLastIndex(({ depth }) => depth < row.depth)
    if (around >= 0) choose(around)
  }

  return (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return
    const row = rows.value[at.value]
    const step = steps[event.key]
    if (step) choose(step())
    else if (event.key === 'ArrowRight' && row && row.group >= 0) goIn(row)
    else if (event.key === 'ArrowLeft' && row) goOut(row)
    else if (event.key === 'Enter' && row && row.group >= 0) turn(row)
    else return
    event.preventDefault()
  }
}

import type { MetricRows } from '../../workers/protocol/studio.ts'
import type { Column } from '../charts/column.ts'

/** A stream of a run as the charts hold it: one column per name. */
export interface Stream {
  readonly name: string
  readonly stage: number
  readonly columns: ReadonlyMap<string, Column>
  rows: number
}

/** Forgets rows from `rows` on: a resumed run writes what came after its checkpoint again. */
export function cutRows(stream: Stream, rows: number): void {
  for (const column of stream.columns.values()) column.truncate(rows)
  stream.rows = Math.min(stream.rows, rows)
}

/** Puts rows that came from the host behind those that are held; answers whether they fitted. */
export function takeRows(stream: Stream, { columns, fromRow, rows, values }: MetricRows): boolean {
  if (fromRow > stream.rows) return false
  if (fromRow < stream.rows) cutRows(stream, fromRow)
  for (const [c, name] of columns.entries()) {
    const fresh = new Float64Array(rows)
    for (let r = 0; r < rows; r++) fresh[r] = values[r * columns.length + c] ?? NaN
    stream.columns.get(name)?.append(fresh)
  }
  stream.rows = fromRow + rows
  return true
}

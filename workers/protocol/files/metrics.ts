import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { AlambicError } from '../errors.ts'

/*
 * Metrics of a run: `metrics/<stage>-<name>.f64`, a table of little-endian float64 rows whose first column is the step,
 * beside `<stage>-<name>.json` with the names of its columns.
 */

/** Longest time that a row waits in memory, in milliseconds: what is drawn live comes from the file. */
const FLUSH_EVERY = 100
const FLUSH_ROWS = 64

/** A table that is being written. */
export class MetricStream {
  readonly #fd: number
  readonly #width: number
  #pending: number[] = []
  #flushed = performance.now()

  constructor(path: string, columns: readonly string[]) {
    mkdirSync(dirname(path), { recursive: true })
    if (columnsOf(path).length === 0) writeFileSync(`${path}.json`, JSON.stringify({ columns }))
    this.#fd = openSync(`${path}.f64`, 'a')
    this.#width = columns.length
    // A row that a crash cut would shift all rows after it.
    const rest = fstatSync(this.#fd).size % (8 * columns.length)
    if (rest > 0) truncateFile(`${path}.f64`, fstatSync(this.#fd).size - rest)
  }

  append(row: readonly number[]): void {
    if (row.length !== this.#width) {
      throw new AlambicError('run.metric-width', 'a row of metrics has the wrong number of columns', {
        expected: String(this.#width),
        found: String(row.length),
      })
    }
    this.#pending.push(...row)
    if (this.#pending.length >= FLUSH_ROWS * this.#width || performance.now() - this.#flushed >= FLUSH_EVERY) {
      this.flush()
    }
  }

  flush(): void {
    this.#flushed = performance.now()
    if (this.#pending.length === 0) return
    const bytes = new Uint8Array(Float64Array.from(this.#pending).buffer)
    // Rows that could not be written are written with the next ones, from the byte at which the disk was full.
    let done = 0
    try {
      while (done < bytes.length) done += writeSync(this.#fd, bytes, done)
      this.#pending = []
    } catch (error) {
      const whole = Math.floor(done / (8 * this.#width))
      ftruncateSync(this.#fd, fstatSync(this.#fd).size - (done - whole * 8 * this.#width))
      this.#pending = this.#pending.slice(whole * this.#width)
      throw error
    }
  }

  close(): void {
    try {
      this.flush()
    } finally {
      closeSync(this.#fd)
    }
  }
}

function truncateFile(path: string, length: number): void {
  const fd = openSync(path, 'r+')
  try {
    ftruncateSync(fd, length)
  } finally {
    closeSync(fd)
  }
}

/** Names of a table's columns; none when there is no such table, or a crash came before its first row. */
export function columnsOf(path: string): readonly string[] {
  try {
    const { columns } = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as { columns: string[] }
    return columns
  } catch {
    return []
  }
}

/** How many whole rows a table has. */
export function countRows(path: string, width = columnsOf(path).length): number {
  if (width === 0 || !existsSync(`${path}.f64`)) return 0
  return Math.floor(statSync(`${path}.f64`).size / (8 * width))
}

/** Rows from one on, row-major, at most `maxRows`. */
export function readRows(
  path: string,
  fromRow = 0,
  maxRows = Infinity,
): { columns: readonly string[]; rows: number; total: number; values: Float64Array } {
  const columns = columnsOf(path)
  const total = countRows(path, columns.length)
  const rows = Math.max(0, Math.min(maxRows, total - fromRow))
  const values = new Float64Array(rows * columns.length)
  if (rows === 0) return { columns, rows, total, values }
  const bytes = new Uint8Array(values.buffer)
  const fd = openSync(`${path}.f64`, 'r')
  try {
    let done = 0
    while (done < bytes.length) {
      const count = readSync(fd, bytes, done, bytes.length - done, fromRow * columns.length * 8 + done)
      if (count === 0) break
      done += count
    }
    const whole = Math.floor(done / (8 * columns.length))
    return { columns, rows: whole, total, values: whole === rows ? values : values.slice(0, whole * columns.length) }
  } finally {
    closeSync(fd)
  }
}

/** Drops all rows after a step: a run that goes on from a checkpoint writes them again. */
export function truncateRows(path: string, step: number): void {
  const { columns, rows, values } = readRows(path)
  if (columns.length === 0 || !existsSync(`${path}.f64`)) return
  let keep = rows
  while (keep > 0 && (values[(keep - 1) * columns.length] as number) > step) keep--
  if (statSync(`${path}.f64`).size !== keep * columns.length * 8) {
    truncateFile(`${path}.f64`, keep * columns.length * 8)
  }
}

/** Names of the tables in a folder, of one stage of the recipe or of all. */
export function streamsIn(folder: string, stage?: number): readonly string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.f64') && (stage === undefined || file.startsWith(`${stage}-`)))
    .map((file) => basename(file, '.f64'))
    .toSorted()
}

export const streamPath = (runFolder: string, stream: string): string => join(runFolder, 'metrics', stream)

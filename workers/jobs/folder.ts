import { closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { RunState } from '../protocol/worker.ts'
import type { RunEvent } from '../protocol/worker.ts'
import { replaceFile } from './durable.ts'

/** What `run.json` says: the request, how the run stands, and what each finished step made. */
export interface RunRecord {
  readonly format: 1
  readonly id: string
  readonly state: RunState
  readonly created: string
  readonly updated: string
  /** The request as it was given, with the recipe resolved to a plain value. */
  readonly request: Readonly<Record<string, unknown>>
  readonly recipe: Readonly<Record<string, unknown>>
  /** Finished steps: their model files (relative) and reports. */
  readonly steps: readonly {
    readonly id: string
    readonly model: string
    readonly report: Readonly<Record<string, unknown>>
  }[]
  readonly error?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
}

/** The folder of a run: the only place where its state is. Anything shown of it can be rebuilt from here. */
export class RunFolder {
  readonly path: string
  readonly #streams = new Map<string, MetricStream>()
  #seq = 0

  private constructor(path: string) {
    this.path = path
  }

  static async create(path: string, record: RunRecord): Promise<RunFolder> {
    if (existsSync(join(path, 'run.json'))) {
      throw new AlambicError('run.exists', `there is a run in "${path}" already`, {
        subject: path,
        fix: 'Go on with it by --resume, or choose another folder.',
      })
    }
    await mkdir(join(path, 'metrics'), { recursive: true })
    const folder = new RunFolder(path)
    await folder.write(record)
    return folder
  }

  static async open(path: string): Promise<{ folder: RunFolder; record: RunRecord }> {
    const text = await readFile(join(path, 'run.json'), 'utf8').catch(() => undefined)
    if (text === undefined) {
      throw new AlambicError('run.missing', `there is no run in "${path}"`, {
        subject: path,
        expected: 'a folder with a run.json',
        fix: 'Give the folder that the run printed when it started.',
      })
    }
    const folder = new RunFolder(path)
    folder.#seq = lastSequence(join(path, 'events.jsonl'))
    return { folder, record: JSON.parse(text) as RunRecord }
  }

  async write(record: RunRecord): Promise<void> {
    await replaceFile(
      join(this.path, 'run.json'),
      `${JSON.stringify({ ...record, updated: new Date().toISOString() }, null, 2)}\n`,
    )
  }

  /** Appends to the journal. A line is written in one call: after a crash the last one may be cut, never two mixed. */
  event(kind: string, data: Readonly<Record<string, unknown>>): RunEvent {
    const event: RunEvent = { seq: ++this.#seq, time: new Date().toISOString(), kind, data: { ...data } }
    append(join(this.path, 'events.jsonl'), `${JSON.stringify(event)}\n`)
    return event
  }

  /** The metric stream of a step, `metrics/<name>.f64`: rows of float64, the first column the step count. */
  stream(name: string, columns: readonly string[]): MetricStream {
    const known = this.#streams.get(name)
    if (known) return known
    const stream = new MetricStream(join(this.path, 'metrics', name), columns)
    this.#streams.set(name, stream)
    return stream
  }

  /** Drops rows after a step from streams whose name starts with a prefix: what a resumed run will write again. */
  truncateStreams(names: readonly string[], step: number): void {
    for (const name of names) MetricStream.truncate(join(this.path, 'metrics', name), step)
  }

  /** Puts buffered metric rows on disk: before every checkpoint, so that none is missing when a run is resumed. */
  flush(): void {
    for (const stream of this.#streams.values()) stream.flush()
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close()
    this.#streams.clear()
  }
}

function append(path: string, line: string): void {
  const fd = openSync(path, 'a')
  try {
    writeSync(fd, line)
  } finally {
    closeSync(fd)
  }
}

function lastSequence(path: string): number {
  if (!existsSync(path)) return 0
  const lines = readFileSync(path, 'utf8').split('\n')
  // The last line may have been cut by a crash.
  for (const line of lines.reverse()) {
    try {
      return (JSON.parse(line) as RunEvent).seq
    } catch {
      continue
    }
  }
  return 0
}

/** A table of float64 rows on disk; `<path>.json` names its columns. */
export class MetricStream {
  readonly #fd: number
  readonly #width: number
  #pending: number[] = []

  constructor(path: string, columns: readonly string[]) {
    mkdirSync(join(path, '..'), { recursive: true })
    if (!existsSync(`${path}.json`)) append(`${path}.json`, JSON.stringify({ columns }))
    this.#fd = openSync(`${path}.f64`, 'a')
    this.#width = columns.length
  }

  append(row: readonly number[]): void {
    if (row.length !== this.#width) {
      throw new AlambicError('run.metric-width', 'a row of metrics has the wrong number of columns', {
        expected: String(this.#width),
        found: String(row.length),
      })
    }
    this.#pending.push(...row)
    if (this.#pending.length >= 64 * this.#width) this.flush()
  }

  flush(): void {
    if (this.#pending.length === 0) return
    writeSync(this.#fd, new Uint8Array(Float64Array.from(this.#pending).buffer))
    this.#pending = []
  }

  close(): void {
    this.flush()
    closeSync(this.#fd)
  }

  /** All rows of a stream; a row that a crash cut is left out. */
  static read(path: string): { columns: readonly string[]; rows: Float64Array[] } {
    if (!existsSync(`${path}.json`)) return { columns: [], rows: [] }
    const { columns } = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as { columns: string[] }
    const bytes = readFileSync(`${path}.f64`)
    const width = columns.length * 8
    const count = Math.floor(bytes.byteLength / width)
    const copy = new Float64Array(new Uint8Array(bytes.subarray(0, count * width)).buffer)
    return {
      columns,
      rows: Array.from({ length: count }, (_, i) => copy.subarray(i * columns.length, (i + 1) * columns.length)),
    }
  }

  static truncate(path: string, step: number): void {
    const { columns, rows } = MetricStream.read(path)
    if (columns.length === 0) return
    const keep = rows.findIndex((row) => (row[0] as number) > step)
    const length = (keep < 0 ? rows.length : keep) * columns.length * 8
    if (statSync(`${path}.f64`).size === length) return
    const fd = openSync(`${path}.f64`, 'r+')
    try {
      ftruncateSync(fd, length)
    } finally {
      closeSync(fd)
    }
  }
}

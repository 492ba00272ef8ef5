import { existsSync, writeFileSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import { replaceJson } from '../protocol/files/durable.ts'
import { appendLine, endsCut, lastSequence } from '../protocol/files/journal.ts'
import { MetricStream, streamPath, streamsIn, truncateRows } from '../protocol/files/metrics.ts'
import { RunRecord } from '../protocol/files/record.ts'
import type { RunEvent } from '../protocol/worker.ts'

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
    const journal = folder.#journal
    if (endsCut(journal)) writeFileSync(journal, '\n', { flag: 'a' })
    folder.#seq = lastSequence(journal)
    return { folder, record: parseRecord(path, text) }
  }

  get #journal(): string {
    return join(this.path, 'events.jsonl')
  }

  async write(record: RunRecord): Promise<void> {
    await replaceJson(join(this.path, 'run.json'), { ...record, updated: new Date().toISOString() })
  }

  /** Appends to the journal, one line per event. */
  event(kind: string, data: Readonly<Record<string, unknown>>): RunEvent {
    const event: RunEvent = { seq: this.#seq + 1, time: new Date().toISOString(), kind, data: { ...data } }
    appendLine(this.#journal, JSON.stringify(event))
    this.#seq++
    return event
  }

  /** The metric stream of a step, `metrics/<name>.f64`. */
  stream(name: string, columns: readonly string[]): MetricStream {
    const known = this.#streams.get(name)
    if (known) return known
    const stream = new MetricStream(streamPath(this.path, name), columns)
    this.#streams.set(name, stream)
    return stream
  }

  /** Drops what a stage wrote after a training step: what a resumed run will write again. */
  truncateStreams(stage: number, step: number): void {
    for (const name of streamsIn(join(this.path, 'metrics'), stage)) truncateRows(streamPath(this.path, name), step)
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

function parseRecord(path: string, text: string): RunRecord {
  try {
    return RunRecord.parse(JSON.parse(text))
  } catch (cause) {
    throw new AlambicError('run.damaged', `the run.json in "${path}" is not one that Alambic wrote`, {
      subject: path,
      expected: 'a run record of format 1',
      fix: 'Put the file back from a copy; checkpoints and models of the run are beside it.',
      cause,
    })
  }
}

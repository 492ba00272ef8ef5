import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { appendLine } from '../../workers/protocol/files/journal.ts'
import type { LogLine, LogPage } from '../../workers/protocol/studio.ts'
import type { RunEvent } from '../../workers/protocol/worker.ts'

const CHUNK = 2 ** 20

/** The log of a run: what its process printed and what happened, one line each. Lines are found by their offsets. */
export class RunLog {
  readonly path: string
  /** Where each line starts, in bytes. */
  readonly #starts: number[] = []
  #scanned = 0
  #open = false

  constructor(runFolder: string) {
    this.path = join(runFolder, 'log.txt')
  }

  /** Appends a line of ours; a full disk loses the line, not the run. */
  write(level: LogLine['level'], text: string): void {
    try {
      appendLine(this.path, `${new Date().toISOString()} ${level} ${text.replaceAll(/\s*\n\s*/g, ' · ')}`)
    } catch {
      // The event itself is in the journal.
    }
  }

  event({ kind, data }: RunEvent): void {
    const level = levels[kind] ?? 'info'
    this.write(level, `${kind} ${JSON.stringify(data)}`)
  }

  get lines(): number {
    this.#scan()
    return this.#starts.length
  }

  page({ fromLine, limit, search }: { fromLine: number; limit: number; search?: string | undefined }): LogPage {
    this.#scan()
    const wanted = search?.toLowerCase()
    const lines: LogLine[] = []
    // With a search, lines are looked through in pieces, until enough were found.
    for (let from = fromLine; from < this.#starts.length && lines.length < limit; from += 5000) {
      const to = Math.min(this.#starts.length, wanted === undefined ? fromLine + limit : from + 5000)
      for (const line of this.#read(from, to)) {
        if (wanted !== undefined && !line.text.toLowerCase().includes(wanted)) continue
        lines.push(line)
        if (lines.length === limit) break
      }
    }
    return { total: this.#starts.length, lines }
  }

  #read(from: number, to: number): LogLine[] {
    const start = this.#starts[from]
    if (start === undefined) return []
    const end = this.#starts[to] ?? this.#scanned
    const text = this.#bytes(start, end).toString('utf8')
    return text
      .replace(/\n$/, '')
      .split('\n')
      .map((line, i) => parseLine(line, from + i))
  }

  #scan(): void {
    for (;;) {
      const bytes = this.#bytes(this.#scanned, this.#scanned + CHUNK)
      if (bytes.length === 0) return
      for (let at = 0; at < bytes.length; at++) {
        if (!this.#open) this.#starts.push(this.#scanned + at)
        this.#open = bytes[at] !== 10
      }
      this.#scanned += bytes.length
    }
  }

  #bytes(start: number, end: number): Buffer {
    try {
      const fd = openSync(this.path, 'r')
      try {
        const length = Math.max(0, Math.min(end, fstatSync(fd).size) - start)
        const buffer = Buffer.alloc(length)
        return buffer.subarray(0, readSync(fd, buffer, 0, length, start))
      } finally {
        closeSync(fd)
      }
    } catch {
      return Buffer.alloc(0)
    }
  }
}

const levels: Readonly<Record<string, LogLine['level']>> = {
  failed: 'error',
  paused: 'warn',
  'checkpoint-damaged': 'warn',
  crashed: 'error',
}

function parseLine(line: string, number: number): LogLine {
  const [, time, level, text] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (info|warn|error) (.*)$/s.exec(line) ?? []
  // What a native library printed may hold anything; it is shown without its control characters.
  const clean = (value: string) => value.replaceAll(/\p{Cc}/gu, ' ')
  if (time === undefined) return { line: number, level: 'output', text: clean(line) }
  return { line: number, time, level: level as LogLine['level'], text: clean(text ?? '') }
}

import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { RunEvent } from '../worker.ts'

/** Appends in one call: after a crash the last line may be cut, never two mixed. */
export function appendLine(path: string, line: string): void {
  const fd = openSync(path, 'a')
  try {
    writeSync(fd, `${line}\n`)
  } finally {
    closeSync(fd)
  }
}

function parse(line: string): RunEvent | undefined {
  try {
    const event = JSON.parse(line) as RunEvent | null
    return event !== null && Number.isInteger(event.seq) ? event : undefined
  } catch {
    return undefined
  }
}

/** Events of `events.jsonl` after a sequence number; lines that a crash cut are left out. */
export function readEvents(path: string, after = 0): RunEvent[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => parse(line) ?? [])
    .filter(({ seq }) => seq > after)
}

/** The sequence number of the last whole event; 0 when there is none. */
export function lastSequence(path: string): number {
  if (!existsSync(path)) return 0
  for (const line of readFileSync(path, 'utf8').split('\n').reverse()) {
    const event = parse(line)
    if (event) return event.seq
  }
  return 0
}

/** True when the file ends in the middle of a line: a crash cut it, and the next line must not be joined to it. */
export function endsCut(path: string): boolean {
  if (!existsSync(path)) return false
  const bytes = readFileSync(path)
  return bytes.length > 0 && bytes.at(-1) !== 10
}

import type { Progress, RunEvent } from '../../workers/protocol/worker.ts'
import { duration, integer } from './format.ts'

/** One line of how far a run is: activity, bar, counts, loss, what is left as a range. */
export function progressLine(p: Progress): string {
  const share = p.total > 0 ? p.done / p.total : 0
  const filled = Math.round(20 * share)
  const parts = [
    p.activity,
    `${'━'.repeat(filled)}${'┄'.repeat(20 - filled)} ${Math.floor(100 * share)} %`,
    `${integer(p.done)} / ${integer(p.total)}`,
    ...(p.epoch === undefined ? [] : [`epoch ${p.epoch} / ${p.epochs ?? '?'}`]),
    ...Object.entries(p.values).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`),
    ...(p.throughput === undefined ? [] : [`${integer(Math.round(p.throughput))} samples/s`]),
    ...(p.left === undefined || p.done >= p.total ? [] : [leftText(p.left)]),
  ]
  return parts.join('  ')
}

function leftText([low, high]: readonly [number, number]): string {
  const [a, b] = [duration(low), duration(high)]
  return a === b ? `${a} left` : `${a} – ${b} left`
}

interface ShownPair {
  readonly term: string
  readonly student: string
  readonly studentDims: readonly number[]
  readonly teacher: string
  readonly teacherDims: readonly number[]
  readonly between: string
}

function noteLines(kind: string, data: RunEvent['data']): readonly string[] {
  if (kind === 'note' || kind === 'warning') return [`${kind}: ${String(data['text'])}`]
  if (kind !== 'pairing') return []
  return (data['pairs'] as readonly ShownPair[]).map(
    (p) =>
      `${p.term}: ${p.student} [${p.studentDims.join('×')}] learns from ${p.teacher} [${p.teacherDims.join('×')}], ${p.between}`,
  )
}

/** Shows progress on stderr: one line that is rewritten on a terminal, else a line every few seconds. */
export class ProgressPrinter {
  readonly #stream = process.stderr
  #shown = 0

  show(progress: Progress): void {
    const line = progressLine(progress)
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[2K${line.slice(0, (this.#stream.columns ?? 120) - 1)}`)
      return
    }
    const now = Date.now()
    if (now - this.#shown < 5000 && progress.done < progress.total) return
    this.#shown = now
    this.#stream.write(`${line}\n`)
  }

  /** What a person should know that is no number: notes, warnings, which layers are paired. */
  note({ kind, data }: RunEvent): void {
    for (const line of noteLines(kind, data)) this.#stream.write(`${this.#stream.isTTY ? '\r\x1b[2K' : ''}${line}\n`)
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[2K')
  }
}

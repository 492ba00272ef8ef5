import type { RunEvent } from '../../workers/protocol/worker.ts'
import type { Column } from './column.ts'

/** Something worth a mark on the x axis. */
export interface Mark {
  readonly step: number
  readonly mark: 'checkpoint' | 'resume' | 'lr' | 'nan'
  /** By how much the learning rate changed. */
  readonly factor?: number
}

interface Source {
  readonly events: readonly RunEvent[]
  readonly stage: number
  readonly lr: Column | undefined
  readonly steps: Column | undefined
}

const kinds: Readonly<Record<string, Mark['mark']>> = {
  checkpoint: 'checkpoint',
  resumed: 'resume',
  'not-finite': 'nan',
}

/** A schedule that glides changes a little at each step; a mark is for a jump. */
const JUMP = 2

/** More marks than these would be a fence; the newest are kept. */
const MOST = 24

/** What happened in a stage: saves, resumes, values that are no numbers, and jumps of the learning rate. */
export function stageMarkers({ events, stage, lr, steps }: Source): readonly Mark[] {
  const happened = events.flatMap(({ kind, data }): Mark[] => {
    const mark = kinds[kind]
    const step = data['step']
    return mark && data['stepIndex'] === stage && typeof step === 'number' ? [{ step, mark }] : []
  })
  // Saves are many and all alike: the newest tells from where a run would go on.
  const saved = happened.findLast(({ mark }) => mark === 'checkpoint')
  return [...happened.filter((one) => one.mark !== 'checkpoint' || one === saved), ...jumps(lr, steps)]
    .sort((a, b) => a.step - b.step)
    .slice(-MOST)
}

function jumps(lr: Column | undefined, steps: Column | undefined): Mark[] {
  if (!lr || !steps) return []
  const marks: Mark[] = []
  const rates = lr.values
  for (let i = 1; i < rates.length && marks.length < MOST; i++) {
    const factor = (rates[i] ?? 0) / (rates[i - 1] ?? 0)
    if (!Number.isFinite(factor) || factor === 0) continue
    if (factor >= JUMP || factor <= 1 / JUMP) marks.push({ step: steps.at(i), mark: 'lr', factor })
  }
  return marks
}

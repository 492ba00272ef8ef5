import type { Preprocessing, Split } from '../../datasets/index.ts'
import { evaluate, type Where } from '../../measure/accuracy.ts'
import { removalOf, type Sensitivity } from '../../passes/prune/allocate.ts'
import { cut } from '../../passes/prune/cut.ts'
import type { Groups } from '../../passes/prune/groups.ts'
import type { Scores } from '../../passes/prune/plan.ts'
import type { Journal } from '../step.ts'
import { reestimateBatchNorm } from './batch-norm.ts'

export interface ScanOptions extends Where {
  readonly ratios: readonly number[]
  /** Samples that batch-norm statistics are taken from. */
  readonly calibration: Split
  /** Labelled samples that accuracy is measured on. */
  readonly held: Split
  readonly samples: number
  readonly batch: number
  readonly seed: number
  readonly preprocessing: Preprocessing
  readonly journal: Journal
  readonly stopping: () => boolean
}

export interface Scan {
  readonly baseline: number
  readonly rows: readonly Sensitivity[]
  readonly stopped: boolean
}

/**
 * Accuracy with one group cut at a time, by ratio, without training. What was measured is in the journal's snapshot, so
 * a resumed scan goes on where it was.
 */
export async function scanSensitivity(groups: Groups, scores: Scores, options: ScanOptions): Promise<Scan> {
  const { journal, held, preprocessing, executor, threads } = options
  const where = { executor, threads }
  const snapshot = await journal.resume()
  const known = (snapshot?.facts['scan'] as readonly Sensitivity[] | undefined) ?? []
  const rows = [...known]
  const { graph } = groups.coupling
  const baseline =
    (snapshot?.facts['baseline'] as number | undefined) ?? (await evaluate(graph, held, preprocessing, where)).accuracy
  const wanted = groups.groups.flatMap((g) => options.ratios.map((ratio) => ({ group: g.id, name: g.name, ratio })))
  const started = performance.now()
  for (const [i, one] of wanted.entries()) {
    if (i < known.length) continue
    if (options.stopping()) return { baseline, rows, stopped: true }
    const smaller = cut(groups, removalOf(groups, scores, new Map([[one.group, one.ratio]])))
    const settled = await reestimateBatchNorm(smaller, options.calibration, preprocessing, where, options)
    const { accuracy } = await evaluate(settled, held, preprocessing, where)
    rows.push({ ...one, accuracy })
    journal.event('sensitivity', { ...one, accuracy, baseline })
    journal.metrics('sensitivity', ['step', 'group', 'ratio', 'accuracy'], [i + 1, one.group, one.ratio, accuracy])
    const elapsed = performance.now() - started
    journal.progress({ activity: 'sensitivity', done: i + 1, total: wanted.length, elapsed, values: { accuracy } })
    if (journal.due()) await journal.save({ step: i + 1, tensors: {}, facts: { scan: rows, baseline } })
  }
  await journal.save({ step: wanted.length, tensors: {}, facts: { scan: rows, baseline } })
  return { baseline, rows, stopped: false }
}

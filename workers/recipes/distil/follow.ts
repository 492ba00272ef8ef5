import { AlambicError } from '../../protocol/errors.ts'
import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { costOf } from '../../ops/cost.ts'
import { agreementOver } from '../../measure/agreement.ts'
import { openDims } from '../../measure/assess.ts'
import { removeFinalSoftmax } from '../../passes/index.ts'
import type { PairReport } from '../../protocol/files/methods.ts'
import { planDistillation } from '../../train/distil/plan.ts'
import { describe, type TermSpec } from '../../train/distil/spec.ts'
import type { LossTerm } from '../../train/losses.ts'
import { trainingSource } from '../../train/source.ts'
import { fit, partSize, type FitOptions, type FitResult } from '../fit.ts'
import type { StepContext } from '../step.ts'
import { openTeacher, type TeacherReport } from '../teacher.ts'
import { columnOf } from './columns.ts'

export interface Following extends Omit<FitOptions, 'losses' | 'training' | 'extra'> {
  readonly student: Graph
  /** Its final Softmax is cut here. */
  readonly teacher: Graph
  readonly terms: readonly TermSpec[]
  readonly cache: boolean
  readonly cacheLimit: number
  /** Terms beside those against the teacher. */
  readonly more?: readonly LossTerm[]
}

export interface Followed extends FitResult {
  readonly pairing: readonly PairReport[]
  readonly teacher: TeacherReport
}

/** Trains a student to follow a finished teacher. */
export async function follow(context: StepContext, options: Following): Promise<Followed> {
  const { student, terms } = options
  const teacher = withoutSoftmax(context, options.teacher)
  checkClasses(student, teacher, terms)
  warnIfLarger(context, student, teacher)
  const plan = planDistillation({
    // What the losses compare are logits on both sides; the student keeps a Softmax of its own in its file.
    student: trainingSource(removeFinalSoftmax(student).graph).graph,
    teacher,
    terms,
    batch: partSize(options),
    seed: context.seed,
  })
  const columns = { teacher: columnOf(teacher), student: columnOf(student) }
  context.journal.event('pairing', { pairs: plan.pairing, outputs: plan.outputs, ...columns })
  const source = await openTeacher(context, plan.teacher, plan.taps, options)
  try {
    const result = await fit(context, student, {
      ...options,
      losses: [...plan.losses, ...(options.more ?? [])],
      training: plan.training,
      extra: (indices, x) => source.feeds(indices, x),
      ...(source.live ? { ahead: true } : {}),
      shown: () => speedOf(source.report()),
      watch: agreementWatch(context, teacher, options),
    })
    return { ...result, pairing: plan.pairing, teacher: source.report() }
  } finally {
    await source.close()
  }
}

/** Of a teacher that an earlier run asked everything there is no speed. */
const speedOf = ({ throughput }: TeacherReport) => (throughput > 0 ? { teacher: throughput } : {})

/** The share of samples kept out of training on which the student says what its teacher does. */
function agreementWatch(
  context: StepContext,
  teacher: Graph,
  { preprocessing }: Following,
): NonNullable<FitOptions['watch']> {
  let compare: ReturnType<typeof agreementOver> | undefined
  return async (graph, held) => {
    compare ??= agreementOver(teacher, held, { ...context, preprocessing })
    const agreement = await compare(graph)
    return agreement === undefined ? {} : { agreement }
  }
}

/** A softened Softmax would be no softmax of logits/T: the teacher is cut before it. */
export function withoutSoftmax(context: StepContext, teacher: Graph): Graph {
  const { graph, report } = removeFinalSoftmax(teacher)
  if (report.modified) {
    context.journal.event('note', { text: "The teacher's final Softmax was removed: distillation needs its logits." })
  }
  return graph
}

/** What both nets say must be of the same classes, where it is compared. */
function checkClasses(student: Graph, teacher: Graph, terms: readonly TermSpec[]): void {
  if (!terms.some(({ term }) => describe(term).needs === 'logits')) return
  const classes = (graph: Graph) => asTensor(graph.outputs[0]?.type)?.shape?.at(-1)
  const [t, s] = [classes(teacher), classes(student)]
  if (t === s || typeof t !== 'number' || typeof s !== 'number') return
  throw new AlambicError('distil.classes', 'teacher and student do not put out the same classes', {
    expected: `a student with ${t} outputs, as the teacher has`,
    found: `${s} outputs`,
    fix: 'Build the student for the same classes, or choose another teacher, or losses on features only (at, sp, rkd).',
  })
}

function warnIfLarger(context: StepContext, student: Graph, teacher: Graph): void {
  const [s, t] = [student, teacher].map((graph) => costOf(graph, openDims(graph)).params) as [number, number]
  if (s <= t) return
  const text = `The student is larger than its teacher: ${s} parameters, the teacher has ${t}.`
  context.journal.event('warning', { code: 'distil.larger-student', text })
}

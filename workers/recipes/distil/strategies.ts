import { AlambicError } from '../../protocol/errors.ts'
import { existsSync } from 'node:fs'
import type { Preprocessing } from '../../datasets/index.ts'
import type { Graph, Model } from '../../graph/graph.ts'
import { inferTypes } from '../../ops/infer.ts'
import { isRecipe, makeStudent } from '../../passes/student/make.ts'
import { averaged } from '../../train/distil/ensemble.ts'
import { withFreshWeights } from '../../passes/student/fresh.ts'
import { planBranches, planMutual, planSelf, type OnlinePlan } from '../../train/distil/online.ts'
import { findPairs } from '../../train/distil/pairing.ts'
import { specOf, TermSpec } from '../../train/distil/spec.ts'
import { trainingSource } from '../../train/source.ts'
import { fit, partSize, type FitResult } from '../fit.ts'
import { fitOptions } from '../steps/options.ts'
import type { StepContext } from '../step.ts'
import { follow, withoutSoftmax, type Following } from './follow.ts'
import { termsOf, type DistilOptions } from './options.ts'
import { Phases } from './phases.ts'
import { inLayoutOf } from './samples.ts'

/** What a strategy gives: the student's weights, and what it says of itself. */
export interface Outcome {
  readonly graph: Graph
  readonly stopped: boolean
  readonly report: Readonly<Record<string, unknown>>
}

export interface Nets {
  readonly student: Model
  /** Undefined for strategies without one. */
  readonly teacher: Graph | undefined
  /** How samples come to the student; every other net gets the same numbers in its own layout. */
  readonly preprocessing: Preprocessing
}

type Strategy = (context: StepContext, nets: Nets, options: DistilOptions) => Promise<Outcome>

export const strategies: Readonly<Record<DistilOptions['strategy'], Strategy>> = {
  offline,
  mutual: async (context, nets, options) => {
    const peers = await peersOf(context, nets, options)
    return online(context, nets, options, (model, common) => planMutual(model, peers, common))
  },
  branches: (context, nets, options) =>
    online(context, nets, options, (model, common) =>
      planBranches(model, {
        ...common,
        temperature: options.temperature ?? ONLINE_TEMPERATURE,
        branches: typeof options.peers === 'number' ? options.peers : options.peers.length,
      }),
    ),
  self: (context, nets, options) =>
    online(context, nets, options, (model, common) =>
      planSelf(model, { ...common, ...weightsOfSelf(options), beta: options.beta }),
    ),
  'born-again': bornAgain,
  assistant,
  progressive,
}

/** Strategies in which no finished net teaches. */
export const withoutTeacher: ReadonlySet<DistilOptions['strategy']> = new Set(['mutual', 'branches', 'self'])

/** T of Zhang et al. 2019 (the authors' code, as its α) and Lan et al. 2018. */
const ONLINE_TEMPERATURE = 3
const weightsOfSelf = ({ alpha = 0.1, temperature = ONLINE_TEMPERATURE }: DistilOptions) => ({ alpha, temperature })

async function offline(context: StepContext, nets: Nets, options: DistilOptions): Promise<Outcome> {
  const { graph, stopped, ...report } = await follow(context, following(context, nets.student.graph, nets, options))
  return { graph, stopped, report }
}

/** What a phase that follows a teacher needs, from the step's options. */
function following(context: StepContext, student: Graph, nets: Nets, options: DistilOptions): Following {
  const { teacher, preprocessing } = nets
  if (!teacher) throw new AlambicError('distil.no-teacher', `the strategy ${options.strategy} needs a teacher`)
  return {
    ...fitOptions(options),
    student,
    teacher,
    terms: termsOf(options, context.data.splits.train?.labels !== undefined),
    preprocessing: inLayoutOf(context.data, student, preprocessing),
    cache: options.cache,
    cacheLimit: options.cacheLimit,
  }
}

type Common = Parameters<typeof planMutual>[2]

async function online(
  context: StepContext,
  { student, preprocessing }: Nets,
  options: DistilOptions,
  plan: (model: Graph, common: Common) => OnlinePlan,
): Promise<Outcome> {
  if (!context.data.splits.train?.labels) {
    throw new AlambicError(
      'distil.needs-labels',
      `the strategy ${options.strategy} needs labels: no finished net teaches`,
      {
        subject: options.strategy,
        expected: 'labelled samples',
        found: 'samples without labels',
        fix: 'Use --strategy offline with a teacher.',
      },
    )
  }
  const own = withoutSoftmax(context, student.graph)
  const { labelSmoothing } = options
  const batch = partSize(options)
  const planned = plan(trainingSource(own).graph, { batch, labelSmoothing, seed: context.seed })
  context.journal.event('beside', { nets: planned.beside })
  const { graph, stopped, ...report } = await fit(context, own, {
    ...fitOptions(options),
    losses: planned.losses,
    training: planned.training,
    preprocessing,
  })
  return { graph, stopped, report: { ...report, beside: planned.beside } }
}

/** Named nets, or so many of the student's architecture with other weights. */
async function peersOf(context: StepContext, { student }: Nets, { peers }: DistilOptions): Promise<readonly Graph[]> {
  const ready = (graph: Graph) => trainingSource(withoutSoftmax(context, graph)).graph
  if (typeof peers !== 'number') {
    const opened = await Promise.all(peers.map((reference) => context.open(reference)))
    return opened.map(({ graph }) => ready(graph))
  }
  return Array.from({ length: peers }, (_, i) => withFreshWeights(ready(student.graph), context.seed + i + 1))
}

/** Every generation starts anew and learns from the one before it (Furlanello et al. 2018, arXiv:1805.04770). */
async function bornAgain(context: StepContext, nets: Nets, options: DistilOptions): Promise<Outcome> {
  const phases = await Phases.open(context)
  let teacher = nets.teacher
  let last: FitResult | undefined
  const generations: unknown[] = []
  for (let k = 1; k <= options.generations && !(last?.stopped ?? false); k++) {
    const fresh = withFreshWeights(nets.student.graph, context.seed + k)
    last = await phases.run(`generation-${k}`, fresh, (own) =>
      follow(own, following(own, fresh, { ...nets, teacher }, options)),
    )
    teacher = last.graph
    generations.push({ steps: last.steps, history: last.history })
  }
  return { graph: last?.graph ?? nets.student.graph, stopped: last?.stopped ?? false, report: { generations } }
}

/** Nets of sizes between, each taught by the one before it (Mirzadeh et al. 2020, arXiv:1902.03393). */
async function assistant(context: StepContext, nets: Nets, options: DistilOptions): Promise<Outcome> {
  if (options.assistants.length === 0) {
    throw new AlambicError('distil.no-assistants', 'the strategy assistant needs nets between teacher and student', {
      expected: 'assistants, such as lenet-5@0.5',
      found: 'none',
      fix: 'Name them: --assistants lenet-5@0.5, from the largest to the smallest.',
    })
  }
  const phases = await Phases.open(context)
  const between = await Promise.all(options.assistants.map((reference) => context.open(reference)))
  const chain = [...between.map(({ graph }) => graph), nets.student.graph]
  let teacher = nets.teacher
  let last: FitResult | undefined
  for (const [i, net] of chain.entries()) {
    const name = i === chain.length - 1 ? 'student' : `assistant-${i + 1}`
    last = await phases.run(name, net, (own) => follow(own, following(own, net, { ...nets, teacher }, options)))
    if (last.stopped && i < chain.length - 1)
      return { graph: nets.student.graph, stopped: true, report: { stoppedIn: name } }
    teacher = last.graph
  }
  const { graph = nets.student.graph, stopped = false, steps, history } = last ?? {}
  return { graph, stopped, report: { assistants: options.assistants, steps, history } }
}

/**
 * Stage by stage from the input on, the student first learns the teacher's features, then the whole loss: FitNets'
 * two stages (Romero et al. 2015, arXiv:1412.6550, alg. 1), with as many first stages as there are pairs.
 */
async function progressive(context: StepContext, nets: Nets, options: DistilOptions): Promise<Outcome> {
  const phases = await Phases.open(context)
  const teacher = withoutSoftmax(context, nets.teacher ?? nets.student.graph)
  const types = { student: inferTypes(nets.student.graph), teacher: inferTypes(teacher) }
  const pairs = findPairs(types, options.pairs ?? 'auto')
  let { graph } = nets.student
  for (const [i, pair] of pairs.entries()) {
    const named = [{ student: pair.student.value, teacher: pair.teacher.value }]
    const hint = specOf(TermSpec.parse({ term: 'hint', weight: 1, pairs: named }))
    const start = graph
    const stage = await phases.run(`stage-${i + 1}`, start, (own) =>
      follow(own, {
        ...following(own, start, { ...nets, teacher }, options),
        terms: [hint],
        epochs: options.stageEpochs,
        validation: 0,
      }),
    )
    ;({ graph } = stage)
    if (stage.stopped) return { graph, stopped: true, report: { stoppedIn: `stage-${i + 1}` } }
  }
  const start = graph
  const last = await phases.run('student', start, (own) =>
    follow(own, following(own, start, { ...nets, teacher }, options)),
  )
  return {
    graph: last.graph,
    stopped: last.stopped,
    report: { stages: pairs.length, steps: last.steps, history: last.history },
  }
}

/** The net that is trained: the model at hand, a named one, or one made of the (first) teacher's graph. */
export async function studentOf(
  context: StepContext,
  teachers: readonly Model[],
  { student }: DistilOptions,
): Promise<Model> {
  if (student === undefined) return context.model
  if (existsSync(student) || !isRecipe(student)) return context.open(student)
  const origin = teachers[0] ?? context.model
  const { graph, changes } = makeStudent(withoutSoftmax(context, origin.graph), student, context.seed)
  context.journal.event('note', {
    text: `The student is made of its teacher by ${student}: ${changes.length} changes.`,
  })
  return { ...origin, graph }
}

/** The models that teach: none, one, or several whose logits are averaged. */
export async function teachersOf(context: StepContext, options: DistilOptions): Promise<readonly Model[]> {
  if (withoutTeacher.has(options.strategy)) return []
  const { teacher, student } = options
  if (teacher === undefined) return [student === undefined ? context.source : context.model]
  return Promise.all([teacher].flat().map((reference) => context.open(reference)))
}

export const oneTeacher = (context: StepContext, teachers: readonly Model[]): Graph | undefined =>
  teachers.length > 1 ? averaged(teachers.map(({ graph }) => withoutSoftmax(context, graph))) : teachers[0]?.graph

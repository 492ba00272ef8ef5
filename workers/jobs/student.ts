import { existsSync } from 'node:fs'
import type { z } from 'zod'
import { AlambicError } from '../protocol/errors.ts'
import type { PairingRequest, Report, StudentRequest, StudentsRequest } from '../protocol/worker.ts'
import type { Executor } from '../executors/executor.ts'
import type { Graph, Model } from '../graph/graph.ts'
import { asTensor } from '../graph/types.ts'
import { assess, openDims } from '../measure/assess.ts'
import { latencyOf } from '../measure/latency.ts'
import { writeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { removeFinalSoftmax } from '../passes/index.ts'
import { isRecipe, makers, makeStudent } from '../passes/student/make.ts'
import { columnOf } from '../recipes/distil/columns.ts'
import { DistilOptions, termsOf } from '../recipes/distil/options.ts'
import { openForRecipe } from '../recipes/open.ts'
import { planDistillation } from '../train/distil/plan.ts'
import { trainingSource } from '../train/source.ts'
import { zoo, type ZooEntry } from '../zoo/index.ts'

interface Environment {
  readonly executor: () => Promise<Executor>
}

/** Makes a student of its teacher's own graph, writes it and measures what was written. */
export async function studentCall(
  request: z.output<typeof StudentRequest>,
  { executor }: Environment,
): Promise<Report> {
  const teacher = await openForRecipe(request.model, request.seed)
  const { graph, changes, kept } = makeStudent(teacher.graph, request.make, request.seed)
  const written = await writeModel({ ...teacher, graph }, request.output)
  const own = countsOf(teacher.graph)
  const measured = await assess(request.output, undefined, { executor: await executor(), threads: request.threads })
  return { output: request.output, sha256: written.sha256, made: { changes, kept, teacher: own }, ...measured }
}

function countsOf(graph: Graph): { params: number; macs: number | undefined } {
  const { params, macs } = costOf(graph, openDims(graph))
  return { params, macs }
}

/** What could be a student of a model, with counts and latency, before any training: made of it, or of the zoo. */
export async function studentsCall(
  request: z.output<typeof StudentsRequest>,
  environment: Environment,
  progress?: (student: string, done: number, total: number) => void,
): Promise<Report> {
  const teacher = await openForRecipe(request.model, request.seed)
  const executor = await environment.executor()
  const limit = countsOf(teacher.graph)
  const rows: Record<string, unknown>[] = []
  const refused: Record<string, unknown>[] = []
  const options = { batch: request.batch, runs: request.runs, threads: request.threads ?? 1 }
  const timed = async (graph: Graph) => (request.measure ? { latency: await latencyOf(executor, graph, options) } : {})
  const tried = candidates(teacher, request.seed)
  const own = await timed(teacher.graph)
  for (const [done, { reference, title, made, build }] of tried.entries()) {
    progress?.(reference, done, tried.length)
    try {
      const graph = build()
      const counts = countsOf(graph)
      if (counts.params >= limit.params) continue
      rows.push({ student: reference, title, made, ...counts, ...(await timed(graph)) })
    } catch (thrown) {
      if (!(thrown instanceof AlambicError)) throw thrown
      refused.push({ student: reference, because: thrown.message })
    }
  }
  return { teacher: { model: request.model, ...limit, ...own }, students: rows, refused, runtime: executor.runtime }
}

interface Candidate {
  readonly reference: string
  readonly title: string
  /** Of the teacher's own graph. */
  readonly made: boolean
  readonly build: () => Graph
}

const recipes = ['thin:0.75', 'thin:0.5', 'thin:0.25', 'shallow', 'separable', 'fire', 'shuffle'] as const

function candidates({ graph }: Model, seed: number): readonly Candidate[] {
  const made = recipes.map((recipe): Candidate => {
    const { title } = makers[recipe.split(':')[0] as keyof typeof makers]
    return { reference: recipe, title, made: true, build: () => makeStudent(graph, recipe, seed).graph }
  })
  const dims = asTensor(graph.requiredInputs[0]?.type)?.shape?.slice(1) ?? []
  const classes = asTensor(graph.outputs[0]?.type)?.shape?.at(-1)
  const [channels, height, width] = dims
  const isImage =
    dims.length === 3 && typeof channels === 'number' && typeof height === 'number' && typeof width === 'number'
  if (!isImage || typeof classes !== 'number') return made
  const inputDims = [channels, height, width] as const
  const fitting = Object.values(zoo).filter((entry) => isForSize(entry, height))
  return [
    ...made,
    ...fitting.map(({ id, title, build }) => ({
      reference: id,
      title,
      made: false,
      build: () => build({ inputDims, classes, seed }),
    })),
  ]
}

/** Nets for images of about that size: those for much larger ones would shrink them to nothing at once. */
const isForSize = ({ input }: ZooEntry, height: number): boolean => input[1] <= 2 * height && input[1] >= height / 2

/** Both nets layer by layer, and what every loss would compare, without training. */
export async function pairingCall(request: z.output<typeof PairingRequest>): Promise<Report> {
  const teacher = removeFinalSoftmax((await openForRecipe(request.teacher, SEED)).graph).graph
  const student =
    !existsSync(request.student) && isRecipe(request.student)
      ? makeStudent(teacher, request.student, SEED).graph
      : (await openForRecipe(request.student, SEED)).graph
  const columns = { teacher: columnOf(teacher), student: columnOf(student) }
  try {
    return { ...columns, ...planned(teacher, student, request) }
  } catch (thrown) {
    if (!request.explain || !(thrown instanceof AlambicError)) throw thrown
    return { ...columns, pairs: [], outputs: [], problem: thrown.toJSON() }
  }
}

const SEED = 42

function planned(teacher: Graph, student: Graph, { losses, pairs }: z.output<typeof PairingRequest>) {
  const options = DistilOptions.parse({ ...(losses ? { losses } : {}), ...(pairs ? { pairs } : {}) })
  const { pairing, outputs } = planDistillation({
    student: trainingSource(removeFinalSoftmax(student).graph).graph,
    teacher,
    terms: termsOf(options, true),
    batch: 2,
    seed: SEED,
  })
  return { pairs: pairing, outputs }
}

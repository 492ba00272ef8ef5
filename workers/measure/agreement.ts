import { evaluationLoader, type Preprocessing, type Split } from '../datasets/index.ts'
import type { Graph } from '../graph/graph.ts'
import { arrayOf, sizeOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import type { Agreement } from '../protocol/files/methods.ts'
import type { Where } from './accuracy.ts'

export type { Agreement }

export interface AgreementOptions extends Where {
  readonly preprocessing: Preprocessing
}

/** So many samples are listed and so many classes are shown as a table, at most. */
const LISTED = 50
const TABLED = 100
const BATCH = 256

/** Compares a student with its teacher, before and after training, on a whole split. */
export async function agreementOf(
  nets: { readonly teacher: Graph; readonly before: Graph; readonly after: Graph },
  split: Split,
  options: AgreementOptions,
): Promise<Agreement | undefined> {
  const teacher = await predictions(nets.teacher, split, options)
  const before = await predictions(nets.before, split, options)
  const after = await predictions(nets.after, split, options)
  const n = teacher.classes.length
  if (n === 0 || n !== after.classes.length || n !== before.classes.length) return undefined
  const agreed = shareOf(teacher.classes, after.classes)
  return {
    before: shareOf(teacher.classes, before.classes),
    after: agreed,
    error: Math.sqrt((agreed * (1 - agreed)) / n),
    n,
    disagreements: differing(teacher.classes, after.classes, n / split.count),
    ...(teacher.count <= TABLED
      ? { confusion: tableOf(teacher, after.classes), confusionBefore: tableOf(teacher, before.classes) }
      : {}),
  }
}

/**
 * How often a student in training says what its teacher does, of samples kept out of training: the teacher is asked
 * once. Undefined for outputs that are no classes.
 */
export function agreementOver(
  teacher: Graph,
  split: Split,
  options: AgreementOptions,
): (student: Graph) => Promise<number | undefined> {
  let asked: Promise<Predictions> | undefined
  return async (student) => {
    const theirs = await (asked ??= predictions(teacher, split, options))
    const own = await predictions(student, split, options)
    const n = theirs.classes.length
    if (n === 0 || n !== own.classes.length) return undefined
    return shareOf(theirs.classes, own.classes)
  }
}

const shareOf = (teacher: Int32Array, student: Int32Array): number =>
  student.reduce((same, c, i) => same + (c === teacher[i] ? 1 : 0), 0) / student.length

function differing(teacher: Int32Array, student: Int32Array, perSample: number): Agreement['disagreements'] {
  const found: { sample: number; teacher: number; student: number }[] = []
  for (let i = 0; i < teacher.length && found.length < LISTED; i++) {
    const [t, s] = [teacher[i] as number, student[i] as number]
    if (t !== s) found.push({ sample: Math.floor(i / perSample), teacher: t, student: s })
  }
  return found
}

function tableOf({ classes, count }: Predictions, student: Int32Array): number[][] {
  const table = Array.from({ length: count }, () => Array<number>(count).fill(0))
  classes.forEach((t, i) => {
    const row = table[t] as number[]
    const s = student[i] as number
    row[s] = (row[s] ?? 0) + 1
  })
  return table
}

interface Predictions {
  /** The likeliest class of every sample, or of every position of every sample. */
  readonly classes: Int32Array
  readonly count: number
}

/** The largest output along the last axis, for `[N, K]` and `[N, T, K]`; nothing for a net of other outputs. */
async function predictions(graph: Graph, split: Split, options: AgreementOptions): Promise<Predictions> {
  const [input] = graph.requiredInputs
  const output = graph.outputs[0]?.name ?? ''
  const fixed = asTensor(input?.type)?.shape?.[0]
  const { executor, threads } = options
  const program = await executor.compile(graph, threads === undefined ? {} : { threads })
  const found: number[] = []
  let count = 0
  try {
    const loader = evaluationLoader(split, {
      batch: typeof fixed === 'number' ? fixed : BATCH,
      preprocessing: options.preprocessing,
    })
    for (let i = 0; i < loader.stepsPerEpoch; i++) {
      const { x, indices } = await loader.batchAt(i)
      // A net of a fixed batch can't take the last one, which is smaller.
      if (typeof fixed === 'number' && indices.length < fixed) break
      const result = (await program.run({ [input?.name ?? '']: shaped(x, graph) }))[output] as Tensor
      if (result.dims.length < 2 || result.dims.length > 3 || result.dims[0] !== indices.length)
        return { classes: new Int32Array(), count: 0 }
      count = result.dims.at(-1) as number
      found.push(...largest(result, count))
    }
  } finally {
    await program.dispose()
  }
  return { classes: Int32Array.from(found), count }
}

/** The samples as a vector for a net that takes images as vectors. */
function shaped(x: Tensor, graph: Graph): Tensor {
  const type = asTensor(graph.requiredInputs[0]?.type)
  const dims = type && staticShape({ ...type, shape: [x.dims[0] ?? 1, ...(type.shape?.slice(1) ?? [])] })
  return dims && sizeOf(dims) === sizeOf(x.dims) ? { ...x, dims } : x
}

function largest(result: Tensor, classes: number): number[] {
  const values = arrayOf(result) as Float32Array
  return Array.from({ length: values.length / classes }, (_, row) => {
    let best = 0
    for (let k = 1; k < classes; k++) {
      if ((values[row * classes + k] as number) > (values[row * classes + best] as number)) best = k
    }
    return best
  })
}

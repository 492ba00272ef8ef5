import { Loader, settingsHash, type Augmentation, type Preprocessing, type Split } from '../datasets/index.ts'
import type { AsideProgram, Program, Tensors } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { graphHash } from '../graph/hash.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'
import { staticShape } from '../graph/types.ts'
import { castFloat } from '../graph/float.ts'
import { withBatch } from '../train/distil/batch.ts'
import type { TeacherTap } from '../train/distil/plan.ts'
import { toFloat32 } from '../passes/index.ts'
import { Eta } from './eta.ts'
import type { StepContext } from './step.ts'
import { bytesPerSample, cacheFolder, CacheWriter, TeacherCache, type CacheKey, type Column } from './teacher-cache.ts'

export { withBatch }

export interface TeacherOptions {
  readonly batch: number
  readonly preprocessing: Preprocessing
  readonly augmentation: Augmentation
  /** Keep what the teacher says where inputs repeat. */
  readonly cache: boolean
  /** Megabytes that a cache may take on disk; what is larger is computed for every batch. */
  readonly cacheLimit: number
}

/** Where a distillation step gets from what its teacher says. */
export interface Teacher {
  /** The batch inputs that the losses ask for; `x` is the samples' preprocessed input. */
  feeds(indices: Int32Array, x: Tensor): Promise<Tensors>
  /** True when `feeds` takes time of its own, so that it is worth asking a batch ahead. */
  readonly live: boolean
  report(): TeacherReport
  close(): Promise<void>
}

export interface TeacherReport {
  readonly cached: boolean
  /** Why it runs for every batch, where it does. */
  readonly because?: string
  /** Samples that the teacher computed in this process, and the milliseconds that took. */
  readonly samples: number
  readonly milliseconds: number
  /** Samples a second. */
  readonly throughput: number
  /** Bytes of the cache on disk. */
  readonly bytes?: number
  /** True when an earlier run had computed everything. */
  readonly reused?: boolean
}

/**
 * A frozen teacher whose outputs are what the losses compare. Its weights are constants of its own session, where
 * onnxruntime's blocked convolutions apply. One of 16 bits is run in float32: what it says is the same up to rounding,
 * and the losses take float32. When every epoch shows the same inputs (no augmentation) and there is
 * room, what it says is computed once and kept on disk as float16, for later runs too.
 */
export async function openTeacher(
  context: StepContext,
  graph: Graph,
  taps: readonly TeacherTap[],
  options: TeacherOptions,
): Promise<Teacher> {
  const bound = withBatch(toFloat32(graph).graph, options.batch)
  const columns = taps.map(({ value }) => ({ value, dims: staticShape(bound.type(value))?.slice(1) ?? [] }))
  const split = context.data.splits.train
  const isRows = taps.every(({ value }) => staticShape(bound.type(value))?.[0] === options.batch)
  const refused = isRows ? whyNotCached(columns, split, options) : 'its outputs do not have the samples first'
  const session = new Session(context, bound, options.batch, refused !== undefined)
  if (split && refused === undefined) {
    const cached = await openCached(context, { session, graph, split, taps, columns, options })
    if (cached) return cached
  }
  return live(session, taps, refused ?? 'a number is too large for float16')
}

function whyNotCached(columns: readonly Column[], split: Split | undefined, o: TeacherOptions): string | undefined {
  if (!o.cache) return 'it was told so'
  if (Object.keys(o.augmentation).length > 0 || o.preprocessing.crop?.at === 'random') return 'inputs are augmented'
  const bytes = bytesPerSample(columns) * (split?.count ?? 0)
  const limit = o.cacheLimit * 2 ** 20
  if (bytes > limit) return `it would take ${Math.ceil(bytes / 2 ** 20)} MB, more than the limit of ${o.cacheLimit} MB`
  return undefined
}

/** The teacher's program, compiled when it is first needed, and how fast it is. */
class Session {
  samples = 0
  #milliseconds = 0
  readonly #context: StepContext
  readonly #graph: Graph
  readonly #batch: number
  readonly #isAside: boolean
  #program: Promise<Program> | undefined
  #aside: AsideProgram | undefined

  /** `isAside`: in a thread of its own, to work ahead while the student is trained. */
  constructor(context: StepContext, graph: Graph, batch: number, isAside: boolean) {
    this.#isAside = isAside
    this.#context = context
    this.#graph = graph
    this.#batch = batch
  }

  /** Everything the teacher says of a batch; a batch that is not full is padded with zeros. */
  async run(x: Tensor): Promise<Tensors> {
    this.#program ??= this.#compile()
    const program = await this.#program
    const [input] = this.#graph.requiredInputs
    const started = performance.now()
    const results = await program.run({
      [input?.name ?? '']: asInput(filled(castFloat(x, 'f32'), this.#batch), staticShape(input?.type)),
    })
    this.#milliseconds += performance.now() - started
    this.samples += x.dims[0] ?? 0
    return results
  }

  async #compile(): Promise<Program> {
    const { threads, executor } = this.#context
    const options = threads === undefined ? {} : { threads }
    if (!this.#isAside || !executor.compileAside) return executor.compile(this.#graph, options)
    return (this.#aside = await executor.compileAside(this.#graph, options))
  }

  /** That the teacher itself took. */
  get milliseconds(): number {
    return this.#aside?.milliseconds ?? this.#milliseconds
  }

  get throughput(): number {
    return this.milliseconds === 0 ? 0 : (1000 * this.samples) / this.milliseconds
  }

  async close(): Promise<void> {
    await (await this.#program)?.dispose()
    this.#program = undefined
  }
}

/** The same numbers in the shape of another net's input: a vector for a net that takes images as vectors. */
function asInput(x: Tensor, dims: readonly number[] | undefined): Tensor {
  return dims && sizeOf(dims) === sizeOf(x.dims) ? { ...x, dims } : x
}

function live(session: Session, taps: readonly TeacherTap[], because: string): Teacher {
  return {
    live: true,
    feeds: async (_indices, x) => {
      const results = await session.run(x)
      return Object.fromEntries(taps.map(({ feed, value }) => [feed, results[value] as Tensor]))
    },
    report: () => ({
      cached: false,
      because,
      samples: session.samples,
      milliseconds: session.milliseconds,
      throughput: session.throughput,
    }),
    close: () => session.close(),
  }
}

interface Cached {
  readonly session: Session
  readonly graph: Graph
  readonly split: Split
  readonly taps: readonly TeacherTap[]
  readonly columns: readonly Column[]
  readonly options: TeacherOptions
}

/** What the teacher says from disk, computed before the first step if no earlier run did; undefined where it can't be. */
async function openCached(context: StepContext, c: Cached): Promise<Teacher | undefined> {
  const { session, graph, split, taps, columns, options } = c
  const key: CacheKey = {
    model: graphHash(graph),
    data: split.hash,
    preprocessing: settingsHash(options.preprocessing),
    runtime: `${context.executor.id} ${context.executor.runtime}, ${context.threads ?? 'all'} threads`,
  }
  const folder = cacheFolder(key)
  const known = TeacherCache.open(folder, key, columns, split.count)
  if (!known && !(await compute(context, c, key, folder))) return undefined
  const cache = known ?? TeacherCache.open(folder, key, columns, split.count)
  if (!cache) return undefined
  await session.close()
  return {
    live: false,
    feeds: (indices) => {
      const rows = cache.read(indices)
      return Promise.resolve(Object.fromEntries(taps.map(({ feed, value }) => [feed, rows[value] as Tensor])))
    },
    report: () => ({
      cached: true,
      reused: known !== undefined,
      samples: session.samples,
      milliseconds: session.milliseconds,
      throughput: session.throughput,
      bytes: bytesPerSample(columns) * split.count,
    }),
    close: () => Promise.resolve(cache.close()),
  }
}

/** Runs the whole training split through the teacher, in order; false where a value does not fit float16. */
async function compute(context: StepContext, c: Cached, key: CacheKey, folder: string): Promise<boolean> {
  const { session, split, columns, options } = c
  const loader = new Loader(split, { ...options, augmentation: {}, shuffle: false, dropLast: false, seed: 0 })
  const writer = await CacheWriter.begin(folder, key, columns, split.count)
  const eta = new Eta(loader.stepsPerEpoch, options.batch)
  try {
    for (let i = 0; i < loader.stepsPerEpoch; i++) {
      const { x, indices } = await loader.batchAt(i)
      if (!writer.append(await session.run(x), indices.length)) {
        await writer.discard()
        return false
      }
      eta.tick(i + 1)
      context.journal.progress({
        activity: 'teacher',
        done: i + 1,
        total: loader.stepsPerEpoch,
        ...eta.state(),
        values: { teacher: session.throughput },
      })
    }
    await writer.finish()
    return true
  } catch (error) {
    await writer.discard()
    throw error
  }
}

/** The last batch of a pass, padded with zeros to the size that the session was compiled for. */
function filled(x: Tensor, batch: number): Tensor {
  const [n = 0, ...rest] = x.dims
  if (n === batch) return x
  const bytes = new Uint8Array((x.bytes.byteLength / n) * batch)
  bytes.set(x.bytes)
  return { dtype: x.dtype, dims: [batch, ...rest], bytes }
}

import { AlambicError } from '../protocol/errors.ts'
import { Loader, type Augmentation, type Dataset, type Preprocessing, type Split } from '../datasets/index.ts'
import type { Program, Tensors } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { castFloat } from '../graph/float.ts'
import { arrayOf, tensorOf, type Tensor, sizeOf } from '../graph/tensor.ts'
import { hashSeed, mulberry32 } from '../graph/random.ts'
import { evaluate } from '../measure/accuracy.ts'
import { removeFinalSoftmax } from '../passes/index.ts'
import { partOf } from '../train/accumulate.ts'
import { LABELS, type LossTerm } from '../train/losses.ts'
import type { OptimizerId, OptimizerOptions } from '../train/optimizers.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { schedule, type ScheduleSpec } from '../train/schedules.ts'
import { trainingSource, type TrainingSource } from '../train/source.ts'
import { buildStep, joinedMetrics, METRICS, type StepGraph } from '../train/step.ts'
import { Eta } from './eta.ts'
import { diverged } from './not-finite.ts'
import { fitMemory, type LessMemory } from './memory.ts'
import { checkRules, perParameter, type ParameterRule } from './rules.ts'
import type { Snapshot, StepContext } from './step.ts'

export interface FitOptions {
  readonly losses: readonly LossTerm[]
  readonly epochs: number
  readonly batch: number
  readonly lr: number
  readonly optimizer: OptimizerId
  readonly optimizerOptions?: OptimizerOptions
  readonly weightDecay: number
  /** What is different for some parameters, by name. */
  readonly rules?: readonly ParameterRule[]
  readonly schedule: ScheduleSpec
  readonly clipNorm?: number | undefined
  readonly ema?: number | undefined
  readonly frozenBatchNorm?: boolean
  /** Equal parts that a batch is taken in, one run each, before the weights move; 1 unless given. */
  readonly accumulate?: number
  /** Compute activations again in the backward pass instead of keeping them. */
  readonly recompute?: boolean
  readonly preprocessing: Preprocessing
  readonly augmentation: Augmentation
  /** Samples kept out of training to choose the best weights by; 0 keeps the last weights. */
  readonly validation: number
  /** What is trained in the graph's place: the graph with more beside it, whose weights stay out of the result. */
  readonly training?: Graph
  /** More inputs of each batch, by name: what a teacher says. */
  readonly extra?: (indices: Int32Array, x: Tensor) => Promise<Tensors>
  /** Ask for the extra inputs of the next batch while this one is trained on: they come from another thread. */
  readonly ahead?: boolean
  /** More numbers beside the progress: the teacher's throughput. */
  readonly shown?: () => Readonly<Record<string, number>>
  /** More that is measured of the net on the samples kept out, after every epoch; needs no labels. */
  readonly watch?: (graph: Graph, held: Split) => Promise<Readonly<Record<string, number>>>
}

export interface FitResult {
  readonly graph: Graph
  readonly stopped: boolean
  readonly steps: number
  readonly history: readonly EpochRecord[]
  /** Samples a second over the last steps; absent before there were enough. */
  readonly throughput?: number
}

export interface EpochRecord {
  readonly epoch: number
  readonly step: number
  /** Mean training loss over the epoch. */
  readonly loss: number
  /** On the samples kept out for validation. */
  readonly validation?: { readonly loss: number; readonly accuracy: number }
}

/** Prefixes of a snapshot's tensors. */
const NOW = 'now/'
const BEST = 'best/'

/** Steps that are taken before their results are read, on a device that works beside this process. */
const TOGETHER = 8

interface Inputs {
  readonly x: Tensor
  readonly labels: Tensor | undefined
  readonly extra: Tensors
}

/** The mutable side of a training loop; everything in it goes into a snapshot. */
interface Progression {
  step: number
  /** Sum of the losses of the epoch at hand. */
  lossSum: number
  best: { score: number; step: number; weights: Tensors } | undefined
  history: EpochRecord[]
}

/**
 * Trains a graph on a data set. Data order, augmentation and dropout depend only on the seed and the step, and the
 * whole state is in the snapshot: a run that was killed and resumed gives the same bits as one that was not.
 */
export async function fit(context: StepContext, graph: Graph, options: FitOptions): Promise<FitResult> {
  const trainer = await Trainer.open(context, graph, options)
  try {
    return await trainer.run()
  } finally {
    await trainer.close()
  }
}

/** What is trained where no other graph is given: a final Softmax is left out, for the losses take logits. */
function logitsOf(context: StepContext, graph: Graph): Graph {
  const cut = removeFinalSoftmax(graph)
  if (!cut.report.modified) return graph
  context.journal.event('note', { text: 'The final Softmax is left out in training; the result has it again.' })
  return cut.graph
}

const onProcessor = ({ executor }: StepContext): boolean => executor.id === 'ort-cpu'

/** The training step of a net, as the options of a method say. */
function stepOf(net: Graph, options: FitOptions): StepGraph {
  return buildStep(prepare(net, { batch: partSize(options) }), {
    losses: options.losses,
    optimizer: optimizer(options.optimizer, options.optimizerOptions),
    ...perParameter(options.rules ?? [], options.weightDecay),
    ...(options.clipNorm === undefined ? {} : { clipNorm: options.clipNorm }),
    ...(options.ema === undefined ? {} : { ema: options.ema }),
    ...(options.frozenBatchNorm ? { frozenBatchNorm: true } : {}),
    ...(options.recompute ? { recompute: true } : {}),
    accumulate: options.accumulate ?? 1,
  })
}

class Trainer {
  readonly #context: StepContext
  readonly #source: TrainingSource
  readonly #options: FitOptions
  readonly #step: StepGraph
  readonly #program: Program
  readonly #loader: Loader
  readonly #total: number
  readonly #eta: Eta
  #ahead: Promise<Inputs> | undefined
  #at: Progression = { step: 0, lossSum: 0, best: undefined, history: [] }

  static async open(context: StepContext, graph: Graph, options: FitOptions): Promise<Trainer> {
    const source = trainingSource(graph)
    for (const text of source.notes) context.journal.event('note', { text })
    const net = options.training ?? logitsOf(context, source.graph)
    const build = (less: LessMemory) => stepOf(net, { ...options, ...less })
    const asked = { accumulate: options.accumulate ?? 1, recompute: options.recompute ?? false }
    const step = build(asked)
    if (step.batch.some(({ name }) => name === LABELS) && !trainSplit(context.data).labels)
      throw needsLabels(context.data)
    checkRules(
      options.rules ?? [],
      step.parameters.slots.map((slot) => slot.name),
    )
    const program = await context.executor.compile(step.graph, {
      state: step.state,
      reuseOutputs: true,
      compact: onProcessor(context) && fitMemory(step, { ...asked, batch: options.batch }, build).compact,
      ...(context.threads === undefined ? {} : { threads: context.threads }),
    })
    return new Trainer(context, source, options, step, program)
  }

  private constructor(
    context: StepContext,
    source: TrainingSource,
    options: FitOptions,
    step: StepGraph,
    program: Program,
  ) {
    this.#context = context
    this.#source = source
    this.#options = options
    this.#step = step
    this.#program = program
    this.#loader = new Loader(trainSplit(context.data), {
      batch: options.batch,
      seed: context.seed,
      preprocessing: options.preprocessing,
      augmentation: options.augmentation,
      shuffle: true,
      dropLast: true,
    })
    if (this.#loader.stepsPerEpoch === 0) {
      throw new AlambicError('train.too-few', `the batch is larger than the training set`, {
        expected: `at most ${trainSplit(context.data).count} samples`,
        found: `a batch of ${options.batch}`,
        fix: 'Use a smaller --batch.',
      })
    }
    this.#total = options.epochs * this.#loader.stepsPerEpoch
    this.#eta = new Eta(this.#total, options.batch)
  }

  async run(): Promise<FitResult> {
    await this.#restore()
    const perEpoch = this.#loader.stepsPerEpoch
    let stopped = this.#context.stopping()
    while (this.#at.step < this.#total && !stopped) {
      await this.#steps()
      const ended = this.#at.step % perEpoch === 0
      if (ended) await this.#endEpoch()
      stopped = this.#context.stopping()
      if (stopped || ended || this.#context.journal.due()) await this.#save()
    }
    stopped &&= this.#at.step < this.#total
    const { throughput } = this.#eta.state()
    const speed = throughput === undefined ? {} : { throughput }
    return { graph: await this.#result(), stopped, steps: this.#at.step, history: this.#at.history, ...speed }
  }

  async #restore(): Promise<void> {
    const initial = Object.fromEntries(this.#step.state.map((slot) => [slot.input, slot.initial]))
    const snapshot = await this.#context.journal.resume()
    if (!snapshot) return this.#program.writeState(initial)
    await this.#program.writeState(pick(snapshot.tensors, NOW))
    const facts = snapshot.facts as { lossSum: number; history: EpochRecord[]; best?: { score: number; step: number } }
    const best = facts.best && { ...facts.best, weights: pick(snapshot.tensors, BEST) }
    this.#at = { step: snapshot.step, lossSum: facts.lossSum, best, history: [...facts.history] }
    this.#eta.resumeAt(snapshot.step)
    this.#context.journal.event('resumed', { step: snapshot.step })
  }

  /** Takes a step, or several where the device is better not waited for after each. An epoch's end is never passed. */
  async #steps(): Promise<void> {
    const first = this.#at.step
    const left = this.#loader.stepsPerEpoch - (first % this.#loader.stepsPerEpoch)
    const count = this.#program.runAll ? Math.min(TOGETHER, left) : 1
    const feeds: Tensors[] = []
    for (let step = first; step < first + count; step++) feeds.push(...(await this.#feeds(step)))
    const results = this.#program.runAll ? await this.#program.runAll(feeds) : await this.#inTurn(feeds)
    const { parts, metricNames } = this.#step
    for (let i = 0; i < count; i++) {
      const own = results.slice(i * parts, (i + 1) * parts)
      const values = joinedMetrics(metricNames, own.map(metricsOf))
      const rate = this.#rate(first + i)
      this.#at.step = first + i + 1
      this.#report(values, rate)
      if (values[metricNames.indexOf('finite')] !== 1) {
        throw await this.#diverged(values, feeds[i * parts] as Tensors)
      }
      this.#count(values, rate)
    }
  }

  /** One run after the other. What a run gives is the program's to use again, so it is copied. */
  async #inTurn(feeds: readonly Tensors[]): Promise<readonly Tensors[]> {
    const results: Tensors[] = []
    for (const feed of feeds) {
      const { [METRICS]: metrics } = await this.#program.run(feed)
      results.push({ [METRICS]: { ...(metrics as Tensor), bytes: (metrics as Tensor).bytes.slice() } })
    }
    return results
  }

  #rate(step: number): number {
    return this.#options.lr * schedule(this.#options.schedule)(step, this.#total)
  }

  /** Everything that a step reads but its state, for each of its parts. */
  async #feeds(step: number): Promise<readonly Tensors[]> {
    const { x, labels, extra } = await this.#eta.wait(this.#ahead ?? this.#inputs(step))
    this.#ahead = this.#options.ahead && step + 1 < this.#total ? this.#inputs(step + 1) : undefined
    // It is waited for in the next step; should it fail, that is when it counts.
    this.#ahead?.catch(() => undefined)
    const masks = this.#masks(step)
    const whole: Record<string, Tensor> = { ...extra, ...masks }
    for (const { name } of this.#step.batch) whole[name] ??= name === LABELS ? (labels as Tensor) : x
    const { parts } = this.#step
    return Array.from({ length: parts }, (_, part) => ({
      ...Object.fromEntries(Object.entries(whole).map(([name, tensor]) => [name, partOf(tensor, parts, part)])),
      ...this.#step.hyper(step + 1, this.#rate(step), this.#total, part),
    }))
  }

  /** What a step is fed beside its numbers: samples, labels, what a teacher says. */
  async #inputs(step: number): Promise<Inputs> {
    const { x: batch, labels, indices } = await this.#loader.batchAt(step)
    // A model of 16 bits is trained in float32.
    const x = castFloat(batch, 'f32')
    return { x, labels, extra: (await this.#options.extra?.(indices, x)) ?? {} }
  }

  async #diverged(values: readonly number[], feeds: Tensors): Promise<AlambicError> {
    const named = Object.fromEntries(this.#step.metricNames.map((name, i) => [name, values[i] as number]))
    const weights = this.#step.trained(await this.#program.readState())
    return diverged(this.#at.step, named, feeds, weights)
  }

  /** Dropout masks of a batch, from a generator that is seeded by run and step: a resumed run draws the same. */
  #masks(step: number): Tensors {
    return Object.fromEntries(
      this.#step.masks.map(({ input, dims, keep }, i) => {
        const random = mulberry32(hashSeed(this.#context.seed, step, i, 'dropout'))
        const whole = [(dims[0] ?? 1) * this.#step.parts, ...dims.slice(1)]
        const mask = Uint8Array.from({ length: sizeOf(whole) }, () => (random() < keep ? 1 : 0))
        return [input, tensorOf('u8', whole, mask)]
      }),
    )
  }

  #report(values: readonly number[], rate: number): void {
    const names = ['step', ...this.#step.metricNames, 'lr']
    this.#context.journal.metrics('train', names, [this.#at.step, ...values, rate])
  }

  #count(values: readonly number[], rate: number): void {
    const { journal } = this.#context
    const { step } = this.#at
    const valueOf = (name: string) => values[this.#step.metricNames.indexOf(name)] as number
    const perEpoch = this.#loader.stepsPerEpoch
    this.#at.lossSum += valueOf('loss')
    this.#eta.tick(step)
    const accuracy = this.#at.history.at(-1)?.validation?.accuracy
    journal.progress({
      activity: 'train',
      done: step,
      total: this.#total,
      epoch: Math.ceil(step / perEpoch),
      epochs: this.#options.epochs,
      ...this.#eta.state(),
      values: {
        loss: valueOf('loss'),
        lr: rate,
        ...(accuracy === undefined ? {} : { accuracy }),
        ...this.#options.shown?.(),
      },
    })
  }

  async #endEpoch(): Promise<void> {
    const { step, lossSum } = this.#at
    const { data, journal } = this.#context
    const epoch = step / this.#loader.stepsPerEpoch
    const record: EpochRecord = { epoch, step, loss: lossSum / this.#loader.stepsPerEpoch }
    this.#at.lossSum = 0
    const held = data.splits.validation
    const { watch, validation } = this.#options
    if (!held || validation === 0 || !(held.labels || watch)) {
      this.#at.history.push(record)
      return
    }
    const state = await this.#program.readState()
    const graph = this.#trained(state)
    const watched = (await watch?.(graph, held)) ?? {}
    if (!held.labels) {
      this.#at.history.push(record)
      const measured = { step, epoch, ...watched }
      if (Object.keys(watched).length > 0) {
        journal.metrics('evaluation', Object.keys(measured), Object.values(measured))
        journal.event('evaluated', measured)
      }
      return
    }
    const { accuracy, loss } = await evaluate(graph, held, this.#options.preprocessing, this.#context)
    this.#at.history.push({ ...record, validation: { loss, accuracy } })
    const measured = { step, epoch, loss, accuracy, ...watched }
    journal.metrics('evaluation', Object.keys(measured), Object.values(measured))
    journal.event('evaluated', { epoch, step, loss, accuracy, ...watched })
    if (this.#at.best === undefined || accuracy > this.#at.best.score) {
      this.#at.best = { score: accuracy, step, weights: state }
    }
  }

  /** The graph's own trained tensors: what was trained beside it stays behind. */
  #weights(state: Tensors): ReadonlyMap<string, Tensor> {
    const own = this.#source.graph.initializers
    return new Map([...this.#step.trained(state)].filter(([name]) => own.has(name)))
  }

  /** The net as it trains, in float32: what validation runs. */
  #trained(state: Tensors): Graph {
    return withInitializers(this.#source.graph, this.#weights(state))
  }

  async #result(): Promise<Graph> {
    const state = this.#at.best?.weights ?? (await this.#program.readState())
    return this.#source.restore(this.#weights(state))
  }

  async #save(): Promise<void> {
    const now = await this.#program.readState()
    const { best, history, step, lossSum } = this.#at
    const snapshot: Snapshot = {
      step,
      tensors: { ...prefixed(NOW, now), ...(best ? prefixed(BEST, best.weights) : {}) },
      facts: { lossSum, history, ...(best ? { best: { score: best.score, step: best.step } } : {}) },
    }
    await this.#context.journal.save(snapshot)
  }

  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined)
    await this.#program.dispose()
  }
}

/** A snapshot that knows no better weights than its own: opened on it, `fit` gives the weights of that very step. */
export function withoutBest(snapshot: Snapshot): Snapshot {
  const { best: _best, ...facts } = snapshot.facts
  const own = Object.entries(snapshot.tensors).filter(([name]) => !name.startsWith(BEST))
  return { ...snapshot, facts, tensors: Object.fromEntries(own) }
}

/** Samples of a run: an equal part of the batch. */
export function partSize({ batch, accumulate = 1 }: Pick<FitOptions, 'batch' | 'accumulate'>): number {
  if (batch % accumulate === 0) return batch / accumulate
  throw new AlambicError('train.accumulate', `a batch of ${batch} cannot be taken in ${accumulate} equal parts`, {
    subject: 'accumulate',
    expected: `a divisor of ${batch}`,
    found: String(accumulate),
    fix: 'Use another batch, or another number of parts.',
  })
}

const metricsOf = ({ [METRICS]: metrics }: Tensors): readonly number[] => [
  ...(arrayOf(metrics as Tensor) as Float32Array),
]

const needsLabels = (data: Dataset): AlambicError =>
  new AlambicError('train.needs-labels', `the samples of "${data.id}" have no labels to train on`, {
    expected: 'labelled samples',
    found: 'samples without labels',
    fix: 'Let another model teach: distill, or --set steps.0.teacher=self in a step that trains what it made.',
  })

function trainSplit(data: Dataset) {
  const { train } = data.splits
  if (train) return train
  throw new AlambicError('data.no-train', `the data set "${data.id}" has no training split`, {
    expected: 'a train split',
    found: Object.keys(data.splits).join(', ') || 'nothing',
  })
}

const prefixed = (prefix: string, tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]))

const pick = (tensors: Tensors, prefix: string): Tensors =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  )

/** A graph with some initializers replaced: how trained weights get back into the model they came from. */
export const withInitializers = (graph: Graph, values: ReadonlyMap<string, Tensor>): Graph =>
  graph.with({ initializers: new Map([...graph.initializers].map(([name, t]) => [name, values.get(name) ?? t])) })

import { AlambicError } from '../../protocol/errors.ts'
import { Preprocessing, PREPROCESSING } from '../../datasets/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Model } from '../../graph/graph.ts'
import { fillGaussian, hashSeed, mulberry32 } from '../../graph/random.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import type { Progress } from '../../protocol/worker.ts'
import { METRICS } from '../../train/step.ts'
import { trainingSource } from '../../train/source.ts'
import { buildSynthesis, type Synthesis, type SynthesisOptions } from '../../train/synthesis.ts'
import { Eta } from '../eta.ts'

export interface SynthesizeOptions extends SynthesisOptions {
  readonly method: 'statistics' | 'noise'
  readonly samples: number
  /** Steps for each batch. */
  readonly iterations: number
  readonly lr: number
  readonly seed: number
}

export interface Synthesized {
  /** f32, as a data set stores samples: the model's own preprocessing undone. */
  readonly data: Float32Array
  /** Of one sample. */
  readonly dims: readonly number[]
  /** Batch normalizations that were matched; 0 for noise. */
  readonly layers: number
  /** The distance of the statistics, mean over batches, of noise and of what was made of it. */
  readonly distance?: { readonly before: number; readonly after: number }
}

interface Environment {
  readonly executor: () => Promise<Executor>
  readonly threads: number | undefined
  readonly progress: (progress: Progress) => void
}

/**
 * Makes unlabelled samples for a model whose data nobody has: normal noise, or noise changed until the statistics of
 * the model's batch normalizations fit (see `buildSynthesis`).
 */
export async function synthesize(
  model: Model,
  options: SynthesizeOptions,
  environment: Environment,
): Promise<Synthesized> {
  const dims = sampleDims(model)
  const size = sizeOf(dims)
  const count = options.samples
  const data = new Float32Array(count * size)
  const stored = storedAs(model, dims)
  if (options.method === 'noise') {
    fillGaussian(data, mulberry32(options.seed))
    return { data: stored(data), dims, layers: 0 }
  }
  const synthesis = buildSynthesis(trainingSource(model.graph).graph, options)
  const { threads, progress } = environment
  const program = await (
    await environment.executor()
  ).compile(synthesis.step.graph, {
    state: synthesis.step.state,
    reuseOutputs: true,
    ...(threads === undefined ? {} : { threads }),
  })
  const batches = Math.ceil(count / options.batch)
  const eta = new Eta(batches * options.iterations, options.batch / options.iterations)
  const sum = { before: 0, after: 0 }
  try {
    for (let batch = 0; batch < batches; batch++) {
      const noise = new Float32Array(options.batch * size)
      fillGaussian(noise, mulberry32(hashSeed(options.seed, batch, 'synthesize')))
      await program.writeState(synthesis.start(noise))
      const losses = await descend(program, synthesis, batch, options, (done, loss) => {
        eta.tick(batch * options.iterations + done)
        progress({
          activity: 'synthesize',
          done: batch * options.iterations + done,
          total: batches * options.iterations,
          ...eta.state(),
          values: { statistics: loss },
        })
      })
      sum.before += losses.first / batches
      sum.after += losses.last / batches
      const made = arrayOf(synthesis.samples(await program.readState())) as Float32Array
      const at = batch * options.batch
      data.set(made.subarray(0, (Math.min(count, at + options.batch) - at) * size), at * size)
    }
  } finally {
    await program.dispose()
  }
  return { data: stored(data), dims, layers: synthesis.layers, distance: sum }
}

type Running = Awaited<ReturnType<Executor['compile']>>

/** Trains one batch; the learning rate falls along a cosine. Returns the first and the last distance of statistics. */
async function descend(
  program: Running,
  { step, classes }: Synthesis,
  batch: number,
  { iterations, lr, batch: n }: SynthesizeOptions,
  report: (done: number, loss: number) => void,
): Promise<{ first: number; last: number }> {
  const at = step.metricNames.indexOf('statistics')
  const labels = BigInt64Array.from({ length: n }, (_, i) => BigInt((batch * n + i) % (classes ?? 1)))
  const feeds: Record<string, Tensor> = classes === undefined ? {} : { labels: tensorOf('i64', [n], labels) }
  const losses = { first: NaN, last: NaN }
  for (let i = 0; i < iterations; i++) {
    const rate = 0.5 * lr * (1 + Math.cos((Math.PI * i) / iterations))
    const metrics = (await program.run({ ...feeds, ...step.hyper(i + 1, rate, iterations) }))[METRICS] as Tensor
    const loss = (arrayOf(metrics) as Float32Array)[at] ?? NaN
    if (!Number.isFinite(loss)) throw diverged(i)
    if (i === 0) losses.first = loss
    losses.last = loss
    report(i + 1, loss)
  }
  return losses
}

const diverged = (step: number) =>
  new AlambicError('synthesize.diverged', `the samples are no numbers any more after step ${step}`, {
    expected: 'finite statistics',
    found: 'NaN or infinity',
    fix: 'Use a smaller --lr.',
  })

function sampleDims(model: Model): readonly number[] {
  const [input, ...more] = model.graph.requiredInputs
  const type = asTensor(input?.type)
  const dims = type?.shape?.slice(1) ?? []
  const isFloat = type?.dtype === 'f32' || type?.dtype === 'f16'
  if (more.length === 0 && isFloat && dims.length > 0 && dims.every((d) => typeof d === 'number')) return dims
  throw new AlambicError('synthesize.input', 'samples can be made only for one floating-point input of fixed size', {
    subject: input?.name,
    expected: 'one float input whose sizes behind the batch are numbers',
    found: more.length > 0 ? `${more.length + 1} inputs` : `${type?.dtype ?? 'no tensor'} [${dims.join(', ')}]`,
    fix: 'Distil on an unlabelled folder of real inputs instead.',
  })
}

/** Undoes x′ = (x·scale − mean)/std of the preprocessing that the model's file has, so that a run applies it again. */
function storedAs(model: Model, dims: readonly number[]): (data: Float32Array) => Float32Array {
  const written = model.metadata.get(PREPROCESSING)
  if (written === undefined) return (data) => data
  const { scale, mean, std } = Preprocessing.parse(JSON.parse(written))
  const channels = mean.length > 1 || std.length > 1 ? (dims[0] ?? 1) : 1
  const plane = sizeOf(dims) / channels
  return (data) =>
    data.map((x, i) => {
      const c = Math.floor(i / plane) % channels
      return (x * (std[c] ?? std[0] ?? 1) + (mean[c] ?? mean[0] ?? 0)) / scale
    })
}

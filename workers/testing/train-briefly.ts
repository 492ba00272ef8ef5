import { ortCpu } from '../executors/ort/executor.ts'
import type { Tensors } from '../executors/executor.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { numberTensor } from '../passes/scalar.ts'
import { gaussian, mulberry32, type Random } from '../graph/random.ts'
import { arrayOf, sizeOf, type Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { mse } from '../train/losses.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { trainingSource, type TrainingSource } from '../train/source.ts'
import { buildStep, METRICS, type StepGraph } from '../train/step.ts'

export interface BriefOptions {
  readonly batch?: number
  readonly steps?: number
  readonly lr?: number
  readonly frozenBatchNorm?: boolean
  /** What some inputs get instead of random numbers. */
  readonly feeds?: Tensors
}

export interface BriefTraining {
  /** The loss before each step. */
  readonly losses: readonly number[]
  readonly source: TrainingSource
  /** The trained tensors, in float32. */
  readonly trained: ReadonlyMap<string, Tensor>
}

/** Trains a model on one random batch against random targets with Adam, on onnxruntime: does the loss fall? */
export async function trainBriefly(model: Graph, options: BriefOptions = {}): Promise<BriefTraining> {
  const { batch = fixedBatch(model) ?? 2, steps = 20, lr = 1e-3 } = options
  const source = trainingSource(model)
  const step = buildStep(prepare(source.graph, { batch }), {
    losses: [mse()],
    optimizer: optimizer('adam'),
    ...(options.frozenBatchNorm ? { frozenBatchNorm: true } : {}),
  })
  const program = await ortCpu.compile(step.graph, { state: step.state, threads: 1 })
  try {
    await program.writeState(Object.fromEntries(step.state.map((slot) => [slot.input, slot.initial])))
    const feeds = { ...feedsOf(step), ...options.feeds }
    const losses: number[] = []
    for (let i = 1; i <= steps; i++) {
      const { [METRICS]: metrics } = await program.run({ ...feeds, ...step.hyper(i, lr) })
      losses.push((arrayOf(metrics as Tensor) as Float32Array)[0] as number)
    }
    return { losses, source, trained: step.trained(await program.readState()) }
  } finally {
    await program.dispose()
  }
}

function fixedBatch(model: Graph): number | undefined {
  const first = asTensor(model.requiredInputs[0]?.type)?.shape?.[0]
  return typeof first === 'number' ? first : undefined
}

/** One batch for all steps; dropout keeps everything. */
function feedsOf(step: StepGraph): Tensors {
  const random = mulberry32(11)
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => [
    input,
    numberTensor(Array<number>(sizeOf(dims)).fill(1), dims, 'u8'),
  ])
  const batch = step.batch.map((value): [string, Tensor] => [value.name, randomValue(value, random)])
  return Object.fromEntries([...batch, ...masks])
}

/** A value of an input's type: normal floats, small integers, `true`. Open sizes are 2. */
export function randomValue({ type }: Value, random: Random): Tensor {
  const dims = (asTensor(type)?.shape ?? []).map((dim) => (typeof dim === 'number' ? dim : 2))
  const dtype = asTensor(type)?.dtype ?? 'f32'
  const size = sizeOf(dims)
  if (dtype === 'bool') return { dtype, dims, bytes: new Uint8Array(size).fill(1) }
  const isFloating = dtype === 'f32' || dtype === 'f16' || dtype === 'f64'
  const values = Array.from({ length: size }, () => (isFloating ? gaussian(random) : Math.floor(random() * 4)))
  return numberTensor(values, dims, dtype)
}

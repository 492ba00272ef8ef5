import type { Executor, Program } from '../executors/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import { noiseFor } from '../graph/noise.ts'
import { mulberry32 } from '../graph/random.ts'
import { distance, type Tensor } from '../graph/tensor.ts'
import type { Report } from '../protocol/worker.ts'
import { crossEntropy } from '../train/losses.ts'
import { keepAll } from '../train/mode.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep, METRICS, type StepGraph } from '../train/step.ts'
import { buildZoo, type ZooId } from '../zoo/index.ts'

/** Longest time that speed is measured for, in milliseconds; a step that has begun is finished. */
const MEASURE = 6000
const MOST_STEPS = 200
/** Largest relative difference from the reference, of any state vector after a step. */
const TOLERANCE = 1e-3

/** What is measured: the same on every device. */
const NET: ZooId = 'resnet-20'
const BATCH = 32

/**
 * Takes a training step of LeNet-5 as the reference does, then as many of ResNet-20 at a batch of 32 as fit into some
 * seconds: what the device does in a run, not what it could do at its best.
 */
export async function selfTest(executor: Executor): Promise<Report> {
  const started = performance.now()
  const maxError = await compare(executor)
  const { steps, stepMs } = await speed(executor, stepOf(NET, BATCH), MEASURE)
  const ok = maxError <= TOLERANCE
  return {
    device: executor.id,
    runtime: executor.runtime,
    ok,
    milliseconds: performance.now() - started,
    maxError,
    net: NET,
    batch: BATCH,
    steps,
    stepMs,
    samplesPerSecond: (BATCH / stepMs) * 1000,
    summary: ok
      ? `A training step agrees with the reference to ${maxError.toExponential(1)}.`
      : `A training step differs from the reference by ${maxError.toExponential(1)}; at most ${TOLERANCE} is rounding.`,
  }
}

const stepOf = (id: ZooId, batch: number): StepGraph =>
  buildStep(prepare(buildZoo(id, { seed: 1 }).graph, { batch }), {
    losses: [crossEntropy()],
    optimizer: optimizer('sgd', { momentum: 0.9 }),
  })

/** Noise for the samples, classes in turn for the labels, dropouts that keep everything. */
function feedsOf(step: StepGraph): Record<string, Tensor> {
  const random = mulberry32(1)
  return { ...keepAll(step.masks), ...noiseFor(step.batch, { random: () => random, label: (i) => i % 10 }) }
}

async function opened(executor: Executor, step: StepGraph): Promise<Program> {
  const program = await executor.compile(step.graph, { state: step.state, reuseOutputs: true })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  return program
}

async function compare(executor: Executor): Promise<number> {
  const step = stepOf('lenet-5', 2)
  const [ours, theirs] = [await after(executor, step), await after(referenceExecutor, step)]
  return Math.max(...step.state.map(({ input }) => distance(ours[input] as Tensor, theirs[input] as Tensor)))
}

/** The state after one step. */
async function after(executor: Executor, step: StepGraph) {
  const program = await opened(executor, step)
  try {
    await program.run({ ...feedsOf(step), ...step.hyper(1, 1e-2) })
    return await program.readState()
  } finally {
    await program.dispose()
  }
}

export interface Speed {
  readonly steps: number
  readonly stepMs: number
}

/** The median time of a step, after one that allocates and compiles; `budget` in milliseconds. */
export async function speed(executor: Executor, step: StepGraph, budget: number): Promise<Speed> {
  const program = await opened(executor, step)
  try {
    const feeds = { ...feedsOf(step), ...step.hyper(1, 1e-4) }
    await program.run(feeds)
    const times: number[] = []
    const began = performance.now()
    while (times.length === 0 || (performance.now() - began < budget && times.length < MOST_STEPS)) {
      const started = performance.now()
      const { [METRICS]: metrics } = await program.run(feeds)
      // Waits until the device is done: what a run reads is what it waits for.
      if (metrics) times.push(performance.now() - started)
    }
    const sorted = times.toSorted((a, b) => a - b)
    return { steps: times.length, stepMs: sorted[Math.floor(sorted.length / 2)] as number }
  } finally {
    await program.dispose()
  }
}

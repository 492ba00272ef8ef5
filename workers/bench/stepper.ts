import { ortCpu } from '../executors/ort/executor.ts'
import type { Graph, Value } from '../graph/graph.ts'
import { noiseFor } from '../graph/noise.ts'
import { mulberry32 } from '../graph/random.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { LossTerm } from '../train/losses.ts'
import { keepAll } from '../train/mode.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep, type StepGraph } from '../train/step.ts'
import type { Timed } from './pairs.ts'

export const BATCH = 128

export interface Stepper {
  readonly once: Timed
  readonly close: () => Promise<void>
}

/** A training step of a net on a batch of noise: forward, losses, backward, Adam. Warmed up. */
export async function stepper(graph: Graph, losses: readonly LossTerm[]): Promise<Stepper> {
  const step = buildStep(prepare(graph, { batch: BATCH }), { losses, optimizer: optimizer('adam') })
  const program = await ortCpu.compile(step.graph, { state: step.state, reuseOutputs: true })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const feeds = feedsOf(step)
  let count = 0
  const once = async () => {
    const started = performance.now()
    await program.run({ ...feeds, ...step.hyper(++count, 1e-3) })
    return performance.now() - started
  }
  for (let i = 0; i < 3; i++) await once()
  return { once, close: () => program.dispose() }
}

/** The forward pass of a frozen net, its weights as constants. */
export async function forward(graph: Graph): Promise<Stepper> {
  const program = await ortCpu.compile(graph, { reuseOutputs: true })
  const feeds = noise(graph.requiredInputs)
  const once = async () => {
    const started = performance.now()
    await program.run(feeds)
    return performance.now() - started
  }
  for (let i = 0; i < 3; i++) await once()
  return { once, close: () => program.dispose() }
}

const feedsOf = (step: StepGraph): Record<string, Tensor> => ({ ...noise(step.batch), ...keepAll(step.masks) })

/** The same for every value, whatever the order. */
const noise = (values: readonly Value[]): Record<string, Tensor> =>
  noiseFor(values, { random: () => mulberry32(1), label: (i) => (7 * i) % 10 })

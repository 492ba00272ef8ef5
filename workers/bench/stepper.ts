import { ortCpu } from '../executors/ort/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import type { LossTerm } from '../train/losses.ts'
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
  const feeds = Object.fromEntries(graph.requiredInputs.map(({ name, type }) => [name, noise(staticShape(type) ?? [])]))
  const once = async () => {
    const started = performance.now()
    await program.run(feeds)
    return performance.now() - started
  }
  for (let i = 0; i < 3; i++) await once()
  return { once, close: () => program.dispose() }
}

function feedsOf(step: StepGraph): Record<string, Tensor> {
  const batch = step.batch.map(({ name, type }): [string, Tensor] => {
    const dims = staticShape(type) ?? []
    return [name, asTensor(type)?.dtype === 'i64' ? labels(dims) : noise(dims)]
  })
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => [
    input,
    tensorOf('u8', dims, new Uint8Array(sizeOf(dims)).fill(1)),
  ])
  return Object.fromEntries([...batch, ...masks])
}

function noise(dims: readonly number[]): Tensor {
  const random = mulberry32(1)
  const values = Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random))
  return tensorOf('f32', dims, values)
}

function labels(dims: readonly number[]): Tensor {
  const values = BigInt64Array.from({ length: sizeOf(dims) }, (_, i) => BigInt((7 * i) % 10))
  return tensorOf('i64', dims, values)
}

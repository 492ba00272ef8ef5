import type { Executor, Tensors } from '../../executors/executor.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { arrayOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { crossEntropy } from '../../train/losses.ts'
import { optimizer } from '../../train/optimizers.ts'
import { prepare } from '../../train/prepare.ts'
import { buildStep, METRICS } from '../../train/step.ts'
import { buildZoo } from '../../zoo/index.ts'

/** Small: a processor that plays a graphics processor takes long for a multiplication. */
const BATCH = 4
const SIDE = 16
/** Steps between two looks at the results. */
const TOGETHER = 8

/** A digit's stand-in: a picture of its own for every class, under noise. The same step gives the same batch. */
function batchAt(step: number): Record<string, Tensor> {
  const pictures = Array.from({ length: 10 }, (_, label) => {
    const random = mulberry32(label)
    return Float32Array.from({ length: SIDE * SIDE }, () => gaussian(random))
  })
  const random = mulberry32(1000 + step)
  const labels = Array.from({ length: BATCH }, () => Math.floor(10 * random()))
  const pixels = labels.flatMap((label) => [...(pictures[label] as Float32Array)].map((v) => v + gaussian(random)))
  return {
    input: tensorOf('f32', [BATCH, 1, SIDE, SIDE], Float32Array.from(pixels)),
    labels: tensorOf('i64', [BATCH], BigInt64Array.from(labels, BigInt)),
  }
}

/**
 * Trains LeNet-5 for some steps and returns the loss of each. With `resumeAt` the state is read there, the program
 * thrown away, and a new one goes on with it, as a run does after its device was lost.
 */
export async function learn(executor: Executor, steps: number, resumeAt?: number): Promise<readonly number[]> {
  const step = buildStep(
    prepare(buildZoo('lenet-5', { seed: 1, inputDims: [1, SIDE, SIDE] }).graph, { batch: BATCH }),
    {
      losses: [crossEntropy()],
      optimizer: optimizer('adam'),
    },
  )
  const [image] = step.batch
  const open = async (state: Tensors) => {
    const program = await executor.compile(step.graph, { state: step.state, reuseOutputs: true })
    await program.writeState(state)
    return program
  }
  let program = await open(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const losses: number[] = []
  while (losses.length < steps) {
    const count = Math.min(TOGETHER, steps - losses.length)
    const feeds = Array.from({ length: count }, (_, i) => {
      const { input, labels } = batchAt(losses.length + i)
      return {
        [image?.name ?? '']: input as Tensor,
        labels: labels as Tensor,
        ...step.hyper(losses.length + i + 1, 1e-3),
      }
    })
    for (const results of await runTogether(program, feeds)) {
      losses.push((arrayOf(results[METRICS] as Tensor) as Float32Array)[0] as number)
    }
    if (losses.length !== resumeAt) continue
    const state = await program.readState()
    await program.dispose()
    program = await open(state)
  }
  await program.dispose()
  return losses
}

async function runTogether(program: Awaited<ReturnType<Executor['compile']>>, feeds: readonly Tensors[]) {
  if (program.runAll) return program.runAll(feeds)
  const results: Tensors[] = []
  for (const each of feeds) {
    const { [METRICS]: metrics } = await program.run(each)
    results.push({
      [METRICS]: tensorOf('f32', metrics?.dims ?? [], (arrayOf(metrics as Tensor) as Float32Array).slice()),
    })
  }
  return results
}

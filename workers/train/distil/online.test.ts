import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import type { Executor, Tensors } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { arrayOf, distance, type Tensor } from '../../graph/tensor.ts'
import { withFreshWeights } from '../../passes/student/fresh.ts'
import { buildZoo } from '../../zoo/index.ts'
import { stepFeeds } from '../../testing/steps.ts'
import { evaluate, toTensor, type NdArray } from '../../executors/reference/index.ts'
import { modelOf } from '../../graph/graph.ts'
import { encodeModel } from '../../onnx/index.ts'
import { optimizer } from '../optimizers.ts'
import { buildStep, METRICS, type StepGraph } from '../step.ts'
import { averaged } from './ensemble.ts'
import { planBranches, planMutual, planSelf, type OnlinePlan } from './online.ts'

const BATCH = 3
const net = buildZoo('lenet-5', { width: 0.1, seed: 3 }).graph
const common = { batch: BATCH, seed: 1 }

const stepOf = ({ training, losses }: OnlinePlan): StepGraph =>
  buildStep(training, { losses, optimizer: optimizer('sgd') })

/** So many steps on the same batch: the state after them, and the metrics of the last by name. */
async function run(executor: Executor, step: StepGraph, count: number) {
  const program = await executor.compile(step.graph, { state: step.state, threads: 1 })
  try {
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    let results: Tensors = {}
    for (let i = 1; i <= count; i++)
      results = await program.run({ ...stepFeeds(step, 10), ...step.hyper(i, 0.005, count) })
    const values = arrayOf(results[METRICS] as Tensor) as Float32Array
    const named = Object.fromEntries(step.metricNames.map((name, i) => [name, values[i] as number]))
    return { state: await program.readState(), metrics: named as Record<string, number> }
  } finally {
    await program.dispose()
  }
}

const plans = {
  mutual: planMutual(net, [withFreshWeights(net, 2), withFreshWeights(net, 3)], common),
  branches: planBranches(net, { ...common, branches: 2, temperature: 3 }),
  self: planSelf(net, { ...common, temperature: 3, alpha: 0.1, beta: 1e-6 }),
} as const

describe.each(Object.entries(plans))('%s', (_, plan) => {
  test('is the same step on onnxruntime and the reference', async () => {
    const step = stepOf(plan)
    const [ours, truth] = [await run(ortCpu, step, 1), await run(referenceExecutor, step, 1)]
    for (const [name, tensor] of Object.entries(truth.state)) {
      expect(distance(ours.state[name] as Tensor, tensor), name).toBeLessThan(1e-4)
    }
  })

  test('learns', async () => {
    const step = stepOf(plan)
    const [first, later] = [await run(ortCpu, step, 1), await run(ortCpu, step, 30)]
    expect(later.metrics['loss']).toBeLessThan(0.7 * (first.metrics['loss'] as number))
  })

  test('leaves the model as it was: what is beside it has names of its own', () => {
    const own = new Set(net.initializers.keys())
    const beside = [...plan.training.initializers.keys()].filter((name) => !own.has(name))
    expect(beside.some((name) => /^(peer\d|branch\d|byot)\./.test(name))).toBe(true)
    expect([...own].every((name) => plan.training.initializers.has(name))).toBe(true)
  })
})

describe('mutual learning', () => {
  test('of identical peers is nothing but their labels', async () => {
    const { metrics } = await run(ortCpu, stepOf(planMutual(net, [net], common)), 1)
    expect(metrics['dml']).toBeCloseTo(0, 6)
    expect(metrics['dml.peer1']).toBeCloseTo(0, 6)
    expect(metrics['ce']).toBeCloseTo(metrics['ce.peer1'] as number, 6)
    expect(metrics['loss']).toBeCloseTo(2 * (metrics['ce'] as number), 5)
  })

  test('sends no gradient into what a peer is taught', async () => {
    const plan = planMutual(net, [withFreshWeights(net, 2)], common)
    const only = { ...plan, losses: plan.losses.filter(({ name }) => name === 'dml') }
    const step = buildStep(only.training, { losses: only.losses, optimizer: optimizer('sgd') })
    const { state } = await run(ortCpu, step, 1)
    const after = step.trained(state)
    const moved = [...after].filter(
      ([name, tensor]) => distance(tensor, only.training.initializers.get(name) as Tensor) > 0,
    )
    expect(moved.length).toBeGreaterThan(0)
    expect(moved.filter(([name]) => name.startsWith('peer1.'))).toEqual([])
  })
})

test('a net without stages can not teach itself', () => {
  const mlp = buildZoo('lenet-300-100').graph
  expect(() => planSelf(mlp, { ...common, temperature: 3, alpha: 0.1, beta: 1e-6 })).toThrow(
    expect.objectContaining({ code: 'distil.stages' }),
  )
})

describe('several teachers', () => {
  const logits = (graph: Graph, x: NdArray) => {
    const result = evaluate(graph, { [graph.requiredInputs[0]?.name ?? '']: x }, {})
    return arrayOf(toTensor(result[graph.outputs[0]?.name ?? ''] as NdArray)) as Float32Array
  }

  test('say the mean of their logits', () => {
    const other = withFreshWeights(net, 9)
    const x: NdArray = {
      kind: 'tensor',
      dtype: 'f32',
      dims: [1, 1, 28, 28],
      data: Float64Array.from({ length: 784 }, (_, i) => Math.sin(i)),
    }
    const [a, b, both] = [logits(net, x), logits(other, x), logits(averaged([net, other]), x)]
    both.forEach((v, i) => expect(v).toBeCloseTo(((a[i] as number) + (b[i] as number)) / 2, 5))
  })

  test('must go together', () => {
    expect(() => averaged([net, buildZoo('lenet-5', { classes: 7 }).graph])).toThrow(
      expect.objectContaining({ code: 'distil.ensemble', found: 'input 1×28×28, 7 classes' }),
    )
  })

  test('are a model that can be written', () => {
    expect(encodeModel(modelOf(averaged([net, withFreshWeights(net, 9)]))).byteLength).toBeGreaterThan(1000)
  })
})

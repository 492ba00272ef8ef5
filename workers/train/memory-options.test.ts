import { describe, expect, test } from 'vitest'
import type { Executor } from '../executors/executor.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import type { Graph, Node } from '../graph/graph.ts'
import { distance, type Tensor } from '../graph/tensor.ts'
import { verify } from '../graph/verify.ts'
import { residualNet } from '../testing/residual.ts'
import { stepFeeds } from '../testing/steps.ts'
import { partOf } from './accumulate.ts'
import { crossEntropy } from './losses.ts'
import { optimizer } from './optimizers.ts'
import { prepare } from './prepare.ts'
import { buildStep, joinedMetrics, METRICS, type StepGraph, type StepOptions } from './step.ts'

const BATCH = 8

const stepOf = (blocks: number, norm: boolean, options: Partial<StepOptions> = {}): StepGraph =>
  buildStep(prepare(residualNet(blocks, norm), { batch: BATCH / (options.accumulate ?? 1) }), {
    losses: [crossEntropy()],
    optimizer: optimizer('adam'),
    clipNorm: 1,
    ema: 0.9,
    ...options,
  })

/** The state and the metrics after so many steps on the same batch. */
async function train(executor: Executor, step: StepGraph, whole: StepGraph, steps: number) {
  verify(step.graph)
  const program = await executor.compile(step.graph, { state: step.state, reuseOutputs: true })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const feeds = stepFeeds(whole, 3)
  const metrics: number[][] = []
  for (let i = 0; i < steps; i++) {
    const parts: number[][] = []
    for (let part = 0; part < step.parts; part++) {
      const own = Object.entries(feeds).map(([name, tensor]) => [name, partOf(tensor, step.parts, part)] as const)
      const results = await program.run({ ...Object.fromEntries(own), ...step.hyper(i + 1, 1e-2, steps, part) })
      parts.push([...new Float32Array((results[METRICS] as Tensor).bytes.slice().buffer)])
    }
    metrics.push([...joinedMetrics(step.metricNames, parts)])
  }
  const state = await program.readState()
  await program.dispose()
  return { state, metrics }
}

describe.each([
  ['reference', referenceExecutor],
  ['onnxruntime', ortCpu],
])('on %s', (_name, executor) => {
  test('recomputed activations give the same bits', async () => {
    const plain = stepOf(6, true)
    const again = stepOf(6, true, { recompute: true })
    const copies = again.graph.nodes.filter((node) => node.op === 'Conv').length
    expect(copies).toBeGreaterThan(7)
    const [one, other] = [await train(executor, plain, plain, 3), await train(executor, again, plain, 3)]
    expect(other.state).toEqual(one.state)
    expect(other.metrics).toEqual(one.metrics)
  })

  test.each([2, 4])('a batch in %i parts moves the weights as the whole does', async (accumulate) => {
    const [plain, parts] = [stepOf(2, false), stepOf(2, false, { accumulate })]
    const [one, other] = [await train(executor, plain, plain, 3), await train(executor, parts, plain, 3)]
    for (const slot of plain.state) {
      expect(distance(other.state[slot.input] as Tensor, one.state[slot.input] as Tensor)).toBeLessThan(3e-6)
    }
    // Loss, counts and the norm of the gradient are those of the whole batch.
    other.metrics.flat().forEach((value, i) => {
      const expected = one.metrics.flat()[i] as number
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected)))
    })
  })
})

test('a net too small to cut is left as it is', () => {
  const step = stepOf(1, false, { recompute: true })
  expect(step.graph.nodes.length).toBe(stepOf(1, false).graph.nodes.length)
})

test('what is computed again waits for gradients of later layers', () => {
  const { graph } = stepOf(6, true, { recompute: true })
  const copies = graph.nodes.filter((node) => node.op === 'Conv' && (node.outputs[0] ?? '').endsWith('.again'))
  expect(ancestors(graph, copies.at(-1) as Node)).toContain('ConvFilterGrad')
  for (const copy of copies) expect(ancestors(graph, copy)).toContain('Slice')
})

/** Operators that a node depends on. */
function ancestors(graph: Graph, node: Node): ReadonlySet<string> {
  const found = new Set<Node>()
  const open = [node]
  for (let next = open.pop(); next; next = open.pop()) {
    for (const input of next.inputs) {
      const producer = graph.producer(input)
      if (producer && !found.has(producer)) open.push(producer)
      if (producer) found.add(producer)
    }
  }
  return new Set([...found].map(({ op }) => op))
}

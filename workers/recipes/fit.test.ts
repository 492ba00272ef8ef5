import { expect, test } from 'vitest'
import { makeDataset, makeSplit, preprocessorFor } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { castFloat } from '../graph/float.ts'
import { modelOf } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { randomTensor } from '../testing/onnxruntime.ts'
import { evaluate } from '../measure/accuracy.ts'
import { crossEntropy } from '../train/losses.ts'
import { fit } from './fit.ts'
import type { Journal, StepContext } from './step.ts'

/** Points in four dimensions; the class says on which side of a plane they lie. */
function samples(count: number, seed: number) {
  const random = mulberry32(seed)
  const data = Float32Array.from({ length: 4 * count }, () => gaussian(random))
  const labels = Int32Array.from({ length: count }, (_, i) =>
    (data[4 * i] as number) - 2 * (data[4 * i + 2] as number) > 0 ? 1 : 0,
  )
  return makeSplit({ sample: { dims: [4], dtype: 'f32' }, data, labels }, `points ${seed}`)
}

test('a float16 model with float16 inputs learns in float32 and stays float16', async () => {
  const text = `graph (x: f16[N,4]) -> (y: f16[N,2]) opset 17 {
    const w: f16[4,8] = 0  const b: f16[8] = 0  h = Gemm(x, w, b)  r = Tanh(h)  const v: f16[8,2] = 0  y = MatMul(r, v)
  }`
  const graph = parse(text)
  const weights = ['w', 'v'].map((name, i) => {
    return [name, castFloat(randomTensor(graph.initializers.get(name)?.dims ?? [], i + 2), 'f16')] as const
  })
  const model = modelOf(graph.with({ initializers: new Map([...graph.initializers, ...weights]) }))
  const [train, validation] = [samples(512, 1), samples(256, 2)]
  const data = makeDataset({ id: 'points', title: 'Points', splits: { train, validation } })
  const notes: string[] = []
  const journal: Journal = {
    resume: () => Promise.resolve(undefined),
    save: () => Promise.resolve(),
    due: () => false,
    metrics: () => undefined,
    event: (_kind, { text: note }) => void (typeof note === 'string' && notes.push(note)),
    progress: () => undefined,
  }
  const context = { model, data, seed: 1, threads: 1, executor: ortCpu, journal, stopping: () => false } as StepContext
  const preprocessing = preprocessorFor(data, model.graph)
  expect(preprocessing.dtype).toBe('f16')
  const before = await evaluate(model.graph, validation, preprocessing, context)
  const result = await fit(context, model.graph, {
    losses: [crossEntropy()],
    epochs: 6,
    batch: 32,
    lr: 0.02,
    optimizer: 'adam',
    weightDecay: 0,
    schedule: { kind: 'constant' },
    preprocessing,
    augmentation: {},
    validation: 256,
  })
  expect(notes[0]).toMatch(/^Trained in float32: f16 became f32/)
  expect([...result.graph.initializers.values()].map((tensor) => tensor.dtype)).toEqual(['f16', 'f16', 'f16'])
  const after = await evaluate(result.graph, validation, preprocessing, context)
  expect(before.accuracy).toBeLessThan(0.8)
  expect(after.accuracy).toBeGreaterThan(0.93)
  expect(after.accuracy).toBeCloseTo(result.history.at(-1)?.validation?.accuracy ?? NaN, 1)
})

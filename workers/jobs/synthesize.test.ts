import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDataset } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf } from '../graph/tensor.ts'
import { openModel } from '../recipes/open.ts'
import { writeModel } from '../onnx/index.ts'
import { RunRequest, SynthesizeRequest, type Report } from '../protocol/worker.ts'
import { runRecipe } from './run.ts'
import { synthesizeCall } from './synthesize.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-synthesize-'))
process.env['ALAMBIC_CACHE'] = join(root, 'cache')
afterAll(() => rmSync(root, { recursive: true, force: true }))

const listener = { progress: () => undefined, event: () => undefined }
const environment = { executor: () => Promise.resolve(ortCpu), listener }
const make = (output: string, more: object) =>
  synthesizeCall(
    SynthesizeRequest.parse({ model: join(root, 'teacher.onnx'), output, threads: 1, ...more }),
    environment,
  )

const run = (name: string, request: object): Promise<Report> =>
  runRecipe(
    RunRequest.parse({ threads: 1, ...request, folder: join(root, `${name}-run`), output: join(root, `${name}.onnx`) }),
    {
      executor: ortCpu,
      listener,
      stopping: () => false,
      leaving: () => undefined,
    },
  )

/** Two convolutions, each with a batch normalization. */
function net(): string {
  const random = mulberry32(3)
  const text = `graph (x: f32[N,1,28,28]) -> (z: f32[N,10]) opset 17 {
    const w1: f32[8,1,5,5] = noise  const g1: f32[8] = ones  const b1: f32[8] = zeros  const m1: f32[8] = zeros  const v1: f32[8] = ones
    const w2: f32[16,8,5,5] = noise  const g2: f32[16] = ones  const b2: f32[16] = zeros  const m2: f32[16] = zeros  const v2: f32[16] = ones
    const w3: f32[10,256] = noise  const b3: f32[10] = zeros
    c1 = Conv(x, w1)  n1 = BatchNormalization(c1, g1, b1, m1, v1)  r1 = Relu(n1)  p1 = MaxPool(r1) {kernel_shape = [2,2], strides = [2,2]}
    c2 = Conv(p1, w2)  n2 = BatchNormalization(c2, g2, b2, m2, v2)  r2 = Relu(n2)  p2 = MaxPool(r2) {kernel_shape = [2,2], strides = [2,2]}
    f = Flatten(p2)  z = Gemm(f, w3, b3) {transB = 1}
  }`
  const values = { noise: () => 0.1 * gaussian(random), ones: () => 1, zeros: () => 0 } as const
  return text.replace(/f32\[([\d,]+)\] = (noise|ones|zeros)/g, (_all, dims: string, kind: keyof typeof values) => {
    const numbers = Array.from({ length: sizeOf(dims.split(',').map(Number)) }, () => values[kind]().toFixed(4))
    return `f32[${dims}] = [${numbers.join(', ')}]`
  })
}

beforeAll(async () => {
  const model = await openModel('lenet-5')
  await writeModel({ ...model, graph: parse(net()) }, join(root, 'fresh.onnx'))
  const step = { step: 'train', epochs: 2, lr: 0.003, validation: 0, preprocessing: { mean: [0.1307], std: [0.3081] } }
  await run('teacher', {
    recipe: { alambic: 1, name: 'teacher', steps: [step] },
    model: join(root, 'fresh.onnx'),
    data: 'mnist',
    limit: 6000,
  })
})

describe('samples made of noise and the statistics of batch normalizations', () => {
  test('fit the statistics, and are a data set in the form that the model takes', async () => {
    const output = join(root, 'matched')
    const report = await make(output, { samples: 96, batch: 48, iterations: 100 })
    const { before, after } = report['distance'] as { before: number; after: number }
    expect(report['layers']).toBe(2)
    expect(after).toBeLessThan(before / 20)
    const data = await openDataset(output)
    expect(data.splits.train).toMatchObject({ count: 96, sample: { dims: [1, 28, 28], dtype: 'f32' } })
    expect(data.splits.train?.labels).toBeUndefined()
    // The same seed makes the same bytes.
    await make(join(root, 'again'), { samples: 96, batch: 48, iterations: 100 })
    const bytes = (folder: string) => readFileSync(join(root, folder, 'x_train.npy'))
    expect(bytes('again').equals(bytes('matched'))).toBe(true)
  })

  test('teach a student without any data: far better than noise does', async () => {
    const accuracy = async (method: 'statistics' | 'noise') => {
      const folder = join(root, `by-${method}`)
      await make(folder, { method, samples: 512, batch: 128, iterations: 60 })
      const steps = [{ step: 'distil', student: 'thin:0.5', epochs: 10, batch: 64, lr: 0.003, validation: 0 }]
      const model = join(root, 'teacher.onnx')
      await run(method, { recipe: { alambic: 1, name: method, steps }, model, data: folder })
      const none = { alambic: 1, name: 'evaluate', steps: [{ step: 'finetune', epochs: 0, validation: 0 }] }
      const report = await run(`${method}-measured`, {
        recipe: none,
        model: join(root, `${method}.onnx`),
        data: 'mnist',
      })
      return report['accuracy'] as number
    }
    const [matched, noise] = [await accuracy('statistics'), await accuracy('noise')]
    expect(matched).toBeGreaterThan(0.7)
    expect(matched).toBeGreaterThan(noise + 0.05)
  })

  test('need batch normalizations and one input of fixed size', async () => {
    await expect(make(join(root, 'none'), { model: 'lenet-5' })).rejects.toMatchObject({
      code: 'synthesize.no-statistics',
    })
    const noise = await make(join(root, 'noise'), { model: 'lenet-5', method: 'noise', samples: 5 })
    expect(noise).toMatchObject({ samples: 5, dims: [1, 28, 28], layers: 0 })
  })
})

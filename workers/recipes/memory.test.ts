import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { preprocessorFor } from '../datasets/index.ts'
import { modelOf } from '../graph/graph.ts'
import { executionOrder, runMemory } from '../measure/memory-plan.ts'
import { parse } from '../graph/parse.ts'
import { residualNet } from '../testing/residual.ts'
import { blobs, stepContext } from '../testing/step-context.ts'
import { crossEntropy } from '../train/losses.ts'
import { fit } from './fit.ts'

const program = join(import.meta.dirname, '../testing/step-peak.ts')

async function peak(...args: readonly string[]): Promise<{ predicted: number; measured: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    program,
    ...args,
  ])
  return JSON.parse(stdout) as { predicted: number; measured: number }
}

describe('the predicted peak of a training step is within 25 % of what is measured', () => {
  test.each([
    ['lenet-5', '256'],
    ['lightnn', '128'],
    ['resnet-20', '24', 'compact'],
    ['resnet-20', '24', 'compact', 'recompute'],
  ])('%s, batch %s %s %s', { timeout: 60_000 }, async (...args) => {
    const { predicted, measured } = await peak(...args)
    expect(predicted / measured).toBeGreaterThan(0.75)
    expect(predicted / measured).toBeLessThan(1.25)
  })
})

test('nodes are taken depth first, what was written last first', () => {
  const graph = parse(`graph (x: f32[4]) -> (y: f32[4]) opset 18 {
    a = Exp(x)  b = Neg(x)  c = Abs(b)  y = Add(a, c)
  }`)
  expect(executionOrder(graph.nodes).map((node) => node.op)).toEqual(['Neg', 'Abs', 'Exp', 'Add'])
})

test('buffers are shared by views, written over, and used again', () => {
  const graph = parse(`graph (x: f32[1000]) -> (y: f32[1000]) opset 18 {
    const twice: i64[2] = [10, 100]
    a: f32[1000] = MatMulInteger(x, x)
    r: f32[10,100] = Reshape(a, twice)
    n: f32[10,100] = Neg(r)
    s: f32[10,100] = Transpose(n)
    y = Exp(s)
  }`)
  // One buffer for a, its view and what is written over it; one for the transposed.
  expect(runMemory(graph).live).toBe(2 * 4000)
})

describe('a run that would not fit', () => {
  afterEach(() => void vi.unstubAllEnvs())

  const train = () => {
    const [data, graph] = [blobs({ side: 8, classes: 3, count: 900 }), residualNet(12, false)]
    return fit(stepContext(modelOf(graph), data), graph, {
      losses: [crossEntropy()],
      epochs: 1,
      batch: 256,
      lr: 1e-3,
      optimizer: 'adam',
      weightDecay: 0,
      schedule: { kind: 'constant' },
      preprocessing: preprocessorFor(data, graph),
      augmentation: {},
      validation: 0,
    })
  }

  test('says so before it starts, and what would help', async () => {
    vi.stubEnv('ALAMBIC_MEMORY', String(16e6))
    await expect(train()).rejects.toMatchObject({
      code: 'memory.too-little',
      expected: expect.stringMatching(/^about \d+ MiB for a batch of 256$/) as string,
      found: '16 MiB free',
      fix: expect.stringMatching(/^Set (accumulate=\d+|recompute=true).*: it would take about \d+ MiB\.$/) as string,
    })
  })

  test('says what is least where nothing helps', async () => {
    vi.stubEnv('ALAMBIC_MEMORY', '1000')
    await expect(train()).rejects.toMatchObject({
      code: 'memory.too-little',
      fix: expect.stringMatching(/smaller batch.* Least is accumulate=32.*, about \d+ MiB\.$/) as string,
    })
  })
})

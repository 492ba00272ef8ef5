import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test, type TestContext } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { isDatasetPresent } from '../datasets/index.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-learning-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Accuracy on the test set after training on `limit` samples (all of them unless given). */
async function learnt(model: string, data: string, epochs: number, limit?: number): Promise<number> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  try {
    const report = await worker.call('run', {
      recipe: { alambic: 1, name: model, steps: [{ step: 'train', epochs, lr: 0.003, validation: 0 }] },
      model,
      data,
      folder: join(root, `${model}-${epochs}-${limit ?? 'all'}`),
      ...(limit === undefined ? {} : { limit }),
    })
    return report['accuracy'] as number
  } finally {
    await worker.close()
  }
}

const long = (ctx: TestContext) =>
  process.env['ALAMBIC_LONG'] ? undefined : ctx.skip('takes minutes; ALAMBIC_LONG=1 runs it')

describe('real learning', () => {
  test('LeNet-300-100 errs at most 2.2 % on MNIST after 3 epochs', async () => {
    expect(1 - (await learnt('lenet-300-100', 'mnist', 3))).toBeLessThanOrEqual(0.022)
  })

  test('LeNet-5 errs at most 6 % on MNIST after an epoch of 10,000 images', async () => {
    expect(1 - (await learnt('lenet-5', 'mnist', 1, 10_000))).toBeLessThanOrEqual(0.06)
  })

  test('LeNet-5 errs at most 1.3 % on MNIST after 3 epochs', { timeout: 900_000 }, async (ctx) => {
    long(ctx)
    expect(1 - (await learnt('lenet-5', 'mnist', 3))).toBeLessThanOrEqual(0.013)
  })

  test('LightNN is right on 60 % of CIFAR-10 after 3 epochs', { timeout: 900_000 }, async (ctx) => {
    long(ctx)
    if (!isDatasetPresent('cifar-10')) return ctx.skip('CIFAR-10 is not here: npm start -- datasets add cifar-10')
    expect(await learnt('lightnn', 'cifar-10', 3)).toBeGreaterThanOrEqual(0.6)
  })
})

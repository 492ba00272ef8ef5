import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { arrayOf } from '../graph/tensor.ts'
import { readModel } from '../onnx/index.ts'
import { unpack, type PackReport } from '../pack/index.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import type { Report } from '../protocol/worker.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-dc-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function runRecipe(name: string, recipe: unknown, model: string, more: object = {}): Promise<Report> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  const output = join(root, `${name}.onnx`)
  const call = { recipe, model, data: 'mnist', threads: 1, folder: join(root, name), output, ...more }
  try {
    return await worker.call('run', call)
  } finally {
    await worker.close()
  }
}

const steps = (...list: readonly object[]) => ({ alambic: 1, name: 'test', steps: list })

test('prunes, shares and packs LeNet-300-100: zeros stay, values repeat, the container is the model', async () => {
  const train = { step: 'train', epochs: 3, batch: 64, lr: 0.002, validation: 0 }
  const base = await runRecipe('base', steps(train), 'lenet-300-100', { limit: 6000 })
  const small = { batch: 64, lr: 0.002, validation: 0 }
  const recipe = steps(
    { step: 'prune-retrain', keep: 0.2, epochs: 1, ...small },
    { step: 'prune-retrain', keep: 0.08, epochs: 2, ...small },
    { step: 'cluster', denseBits: 5, epochs: 1, ...small, lr: 0.0005 },
    { step: 'pack' },
  )
  const report = await runRecipe('small', recipe, join(root, 'base.onnx'), { limit: 6000 })
  expect(report['accuracy']).toBeGreaterThan((base['accuracy'] as number) - 0.02)

  const { graph } = (await readModel(join(root, 'small.onnx'))).model
  const weights = layerWeights(graph).map(({ tensor }) => arrayOf(tensor) as Float32Array)
  const nonZeros = weights.reduce((n, w) => n + w.filter((v) => v !== 0).length, 0)
  expect(nonZeros).toBeLessThanOrEqual(Math.round(0.08 * 266_200))
  expect(nonZeros).toBeGreaterThan(0.079 * 266_200)
  for (const w of weights) expect(new Set(w).size).toBeLessThanOrEqual(33)

  const container = readFileSync(join(root, 'small.cmpz'))
  expect(Buffer.compare(unpack(container), readFileSync(join(root, 'small.onnx')))).toBe(0)
  const { packed } = (report['steps'] as { packed?: PackReport }[]).at(-1) ?? {}
  expect(packed?.bytes).toBe(container.length)
  expect(packed?.ratio).toBeGreaterThan(36)
})

test('the in-graph form computes the same with a byte for each weight', async () => {
  const recipe = steps({ step: 'cluster', denseBits: 4, convBits: 4, epochs: 0, form: 'gather', validation: 0 })
  const gathered = await runRecipe('gather', recipe, 'lenet-5@0.2', { limit: 500 })
  const dense = await runRecipe(
    'dense',
    steps({ step: 'cluster', denseBits: 4, convBits: 4, epochs: 0, validation: 0 }),
    'lenet-5@0.2',
    { limit: 500 },
  )
  expect(gathered['accuracy']).toBe(dense['accuracy'])
  expect(gathered['bytes']).toBeLessThan(0.4 * (dense['bytes'] as number))
  expect((await readModel(join(root, 'gather.onnx'))).model.graph.nodes.some((n) => n.op === 'Gather')).toBe(true)
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { arrayOf } from '../graph/tensor.ts'
import { readModel } from '../onnx/index.ts'
import { unpack, type PackReport } from '../pack/index.ts'
import { layerWeights } from '../passes/layer-weights.ts'
import type { CallName, Report } from '../protocol/worker.ts'
import { ClusterReport, Stage as StageSchema } from '../protocol/files/methods.ts'
import type { Stage } from './measure-stage.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-dc-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function inWorker(name: CallName, call: object): Promise<Report> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  try {
    return await worker.call(name, call)
  } finally {
    await worker.close()
  }
}

function runRecipe(name: string, recipe: unknown, model: string, more: object = {}): Promise<Report> {
  const output = join(root, `${name}.onnx`)
  return inWorker('run', { recipe, model, data: 'mnist', threads: 1, folder: join(root, name), output, ...more })
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

  const shared = (report['steps'] as unknown[])[2]
  for (const { codebook, clusters, nonZeros } of ClusterReport.parse(shared).layers) {
    expect(codebook.values.length).toBeLessThanOrEqual(clusters)
    expect(codebook.counts.reduce((sum, n) => sum + n, 0)).toBe(nonZeros)
  }
  for (const stage of report['stages'] as unknown[]) StageSchema.parse(stage)
  const stages = report['stages'] as readonly Stage[]
  expect(stages.map((s) => s.step)).toEqual(['input', 'prune-retrain', 'prune-retrain', 'cluster', 'pack'])
  expect(stages[0]?.accuracy).toBe(base['accuracy'])
  expect(stages.at(-1)).toMatchObject({ sha256: report['sha256'], packedBytes: container.length })
  stages.slice(1).forEach((s, i) => expect(s.packedBytes).toBeLessThan((stages[i]?.packedBytes ?? 0) + 1))
})

test('a replay gives the same models, step by step; a run that is not finished has none', async () => {
  const recipe = steps(
    { step: 'prune-retrain', keep: 0.3, epochs: 1, validation: 0 },
    { step: 'cluster', denseBits: 4, epochs: 1, validation: 0 },
  )
  await runRecipe('once', recipe, 'lenet-300-100', { limit: 1000 })
  const replay = await inWorker('replay', { run: join(root, 'once'), folder: join(root, 'again') })
  expect(replay['equal']).toBe(true)
  const record = JSON.parse(readFileSync(join(root, 'once', 'run.json'), 'utf8')) as object
  writeFileSync(join(root, 'once', 'run.json'), JSON.stringify({ ...record, state: 'failed' }))
  const again = { run: join(root, 'once'), folder: join(root, 'third') }
  await expect(inWorker('replay', again)).rejects.toMatchObject({ code: 'run.unfinished', found: 'failed' })
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

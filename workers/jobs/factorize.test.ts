import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { FactorizeReport } from '../protocol/files/methods.ts'
import { readModel } from '../onnx/index.ts'
import type { RankTimes } from '../protocol/studio.ts'
import type { CallName, Report } from '../protocol/worker.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-factorize-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function inWorker(name: CallName, call: object): Promise<Report> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  try {
    return await worker.call(name, call)
  } finally {
    await worker.close()
  }
}

test('factorizes a bare model within a budget, and measures what it wrote', async () => {
  const output = join(root, 'a.onnx')
  const options = { rank: { params: 0.3 } }
  const report = await inWorker('factorize', { model: 'lenet-5@0.4', output, options, threads: 1 })
  const { graph } = (await readModel(output)).model
  expect(graph.nodes.filter((n) => n.op === 'Conv').length).toBeGreaterThan(2)
  // Biases are no part of the budget.
  expect(report['params']).toBeLessThan(0.3 * 72_000)
  expect(report['latency']).toHaveProperty('medianMs')
  const { layers } = FactorizeReport.parse(report['factorization'])
  const curves = layers.flatMap((layer) => layer.curves ?? [])
  expect(curves.length).toBeGreaterThan(0)
  for (const { ranks, errors } of curves) {
    expect([ranks[0], errors.at(-1)]).toEqual([0, 0])
    expect(errors[0]).toBeCloseTo(1, 12)
    expect(errors.every((e, i) => i === 0 || e <= (errors[i - 1] as number))).toBe(true)
  }
})

test('tells what the model of a run would take with one layer at other ranks', async () => {
  const recipe = { alambic: 1, name: 'test', steps: [{ step: 'factorize', rank: { ratio: 3 } }] }
  const folder = join(root, 'ranks')
  const run = await inWorker('run', { recipe, model: 'lenet-5@0.4', folder, threads: 1 })
  const { layers } = FactorizeReport.parse((run['steps'] as readonly unknown[])[0])
  const conv = layers.find(({ curves }) => curves?.length === 2)
  const ranks = [1, 2].map((k) => (conv?.ranks ?? []).map((rank) => Math.min(rank, k)))
  const asked = { folder, stage: 0, layer: conv?.name, method: conv?.method, ranks, runs: 3 }
  const { before, points } = (await inWorker('rankTimes', asked)) as unknown as RankTimes
  expect(points.map((point) => point.ranks)).toEqual(ranks)
  const params = [...points.map((point) => point.params), before.params]
  expect(params).toEqual(params.toSorted((a, b) => a - b))
  for (const { latency, macs } of points) {
    expect(latency.minMs).toBeGreaterThan(0)
    expect(macs).toBeLessThan(before.macs ?? 0)
  }
})

test('ranks that no layer has are a usage error of the step', async () => {
  const call = { model: 'lenet-5@0.4', output: join(root, 'b.onnx'), threads: 1 }
  await expect(inWorker('factorize', { ...call, options: { rank: { fixed: 1000 } } })).rejects.toMatchObject({
    code: 'model.rank',
    found: expect.stringContaining('1000') as string,
  })
  await expect(inWorker('factorize', { ...call, options: { rank: { params: 1e-4 } } })).rejects.toMatchObject({
    code: 'target.infeasible',
  })
  await expect(inWorker('factorize', { ...call, options: { conv: 'nothing' } })).rejects.toMatchObject({
    code: 'recipe.invalid',
  })
})

test('fine-tuning a factorized net brings its accuracy back', async () => {
  const common = { data: 'mnist', limit: 3000, threads: 1 }
  const train = { step: 'train', epochs: 3, batch: 64, lr: 0.002, validation: 0 }
  const steps = (...list: readonly object[]) => ({ recipe: { alambic: 1, name: 'test', steps: list } })
  const base = join(root, 'base.onnx')
  const dense = await inWorker('run', {
    ...common,
    ...steps(train),
    model: 'lenet-5@0.4',
    folder: join(root, 'base'),
    output: base,
  })
  const factorized = { step: 'factorize', rank: { ratio: 2 } }
  const cut = await inWorker('run', { ...common, ...steps(factorized), model: base, folder: join(root, 'cut') })
  const tuned = await inWorker('run', {
    ...common,
    ...steps(factorized, { ...train, step: 'finetune', lr: 0.001 }),
    model: base,
    folder: join(root, 'tuned'),
  })
  expect(cut['params']).toBeLessThan((dense['params'] as number) / 1.9)
  expect(tuned['accuracy']).toBeGreaterThan((cut['accuracy'] as number) + 0.01)
  expect(tuned['accuracy']).toBeGreaterThan((dense['accuracy'] as number) - 0.05)
})

test('with data: outputs are kept rather than weights, and ranks are found by measured latency', async () => {
  const common = { data: 'mnist', limit: 300, threads: 1, model: 'lenet-5@0.5' }
  const run = (name: string, step: object, model = common.model) =>
    inWorker('run', { ...common, model, recipe: { alambic: 1, name, steps: [step] }, folder: join(root, name) })
  const aware = await run('aware', { step: 'factorize', conv: 'channel', rank: { energy: 0.95 }, samples: 64 })
  const [report] = aware['steps'] as { layers: { name: string; method?: string; error?: number }[] }[]
  const factored = report?.layers.filter((l) => l.method !== undefined) ?? []
  expect(factored.length).toBeGreaterThan(0)
  for (const layer of factored) expect((layer.error ?? 1) ** 2).toBeLessThanOrEqual(0.05 + 1e-6)

  // Large enough that fewer products are faster, whatever else the machine does.
  const fast = await run('fast', { step: 'factorize', rank: { latency: 0.95 } }, 'lenet-5')
  const [measured] = fast['steps'] as { latency: number }[]
  expect(measured?.latency).toBeLessThanOrEqual(0.95)
  await expect(run('hopeless', { step: 'factorize', rank: { latency: 0.001 } })).rejects.toMatchObject({
    code: 'target.infeasible',
  })
  const bare = { model: 'lenet-5@0.5', output: join(root, 'bare.onnx'), options: { samples: 10 } }
  await expect(inWorker('factorize', bare)).rejects.toMatchObject({ code: 'data.needed' })
})

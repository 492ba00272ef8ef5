import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import type { GraphDiff } from '../protocol/studio.ts'
import type { CallName, Report } from '../protocol/worker.ts'
import { answer, type CallEnvironment } from './calls.ts'

const folder = mkdtempSync(join(tmpdir(), 'alambic-compare-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const environment: CallEnvironment = {
  listener: { progress: () => undefined, event: () => undefined },
  stopping: () => false,
  leaving: () => undefined,
  executor: () => Promise.resolve(ortCpu),
}
const ask = (name: CallName, request: object): Promise<Report> => answer(name, request, environment)

test('models are measured under the same conditions, and say which', async () => {
  const models = ['lenet-300-100@0.2', 'lenet-300-100@0.1']
  const { baseline, rows } = await ask('compare', { models, data: 'mnist', batch: 2, runs: 9, threads: 1 })
  expect(baseline).toBe(models[0])
  const [first, second] = rows as {
    latency: Record<string, number>
    packedBytes: number
    provenance: Report
    n: number
  }[]
  for (const row of [first, second]) {
    expect(row?.latency).toMatchObject({ n: 9, batch: 2, threads: 1 })
    expect(row?.packedBytes).toBeGreaterThan(1000)
    expect(row?.n).toBe(10_000)
  }
  expect(first?.provenance).toEqual(second?.provenance)
  expect(first?.provenance).toMatchObject({ executor: 'ort-cpu', data: 'mnist' })
  expect(first?.provenance['preprocessing']).toMatch(/^[0-9a-f]{64}$/)
})

test('every model is asked the same samples, and each is held against the first', async () => {
  const models = ['lenet-300-100@0.2', 'lenet-300-100@0.1', 'lenet-300-100@0.2']
  const report = await ask('predictions', { models, data: 'mnist', threads: 1 })
  const { n, labels, classes } = report as { n: number; labels: Int32Array; classes: string[] }
  const rows = report['models'] as {
    predictions: Int32Array
    confidences: Float32Array
    accuracy: number
    paired?: { onlyFirst: number; onlySecond: number; p: number }
  }[]
  expect([n, labels.length, classes.length, rows.length]).toEqual([10_000, 10_000, 10, 3])
  for (const { predictions, confidences, accuracy } of rows) {
    const right = predictions.reduce((sum, answerOf, i) => sum + (answerOf === labels[i] ? 1 : 0), 0)
    expect(right / n).toBe(accuracy)
    expect(confidences.every((share) => share >= 0.1 && share <= 1)).toBe(true)
  }
  expect(rows[0]?.paired).toBeUndefined()
  expect(rows[2]?.paired).toMatchObject({ onlyFirst: 0, onlySecond: 0, p: 1 })
  const only = rows[0]?.predictions.filter((said, i) => said === labels[i] && rows[1]?.predictions[i] !== labels[i])
  expect(rows[1]?.paired?.onlyFirst).toBe(only?.length)
})

test('samples come as pictures, and those that are not there do not', async () => {
  const { pictures } = await ask('pictures', { data: 'mnist', indices: [0, 9_999, 10_000] })
  const found = pictures as { index: number; image: { width: number; pixels: Uint8Array } }[]
  expect(found.map(({ index, image }) => [index, image.width, image.pixels.length])).toEqual([
    [0, 28, 784],
    [9_999, 28, 784],
  ])
})

test('a pruned file differs from its source in what was cut, and only there', async () => {
  const source = 'lenet-5@0.5'
  const output = join(folder, 'pruned.onnx')
  await ask('prune', { model: source, output, options: { ratio: 0.5 }, threads: 1 })
  const { nodes, layers, groups, counts } = (await ask('diff', {
    before: source,
    after: output,
  })) as unknown as GraphDiff
  expect(counts.added + counts.removed).toBe(0)
  const changed = nodes.filter(({ status }) => status === 'changed')
  expect(changed.every(({ op }) => op === 'Conv' || op === 'Gemm')).toBe(true)
  expect(changed.length).toBe(layers.filter(({ before, after }) => before?.weight !== after?.weight).length)
  expect(groups.length).toBeGreaterThan(0)
  for (const { units, left } of groups) expect(left).toBeLessThan(units)
})

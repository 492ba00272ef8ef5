import { expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import { parse } from '../graph/parse.ts'
import { latenciesInTurn, summarize } from './latency.ts'

test('the interval of the median is between order statistics', () => {
  const times = Array.from({ length: 100 }, (_, i) => i + 1)
  const { medianMs, medianInterval, p95Ms, minMs, n } = summarize(times.toReversed())
  // Le Boudec's table: for n = 100 the 40th and the 61st.
  expect([medianMs, medianInterval, p95Ms, minMs, n]).toEqual([50.5, [40, 61], 96, 1, 100])
  expect(summarize([3, 1, 2])).toEqual({ medianMs: 2, medianInterval: [1, 3], p95Ms: 3, minMs: 1, n: 3 })
})

test('graphs are timed in turn, each after a warm-up of its own', async () => {
  const graphs = [1, 2].map((n) => parse(`graph (x: f32[N,${n}]) -> (y: f32[N,${n}]) { y = Relu(x) }`))
  const found = await latenciesInTurn(referenceExecutor, graphs, { batch: 3, runs: 7, threads: 1 })
  expect(found).toHaveLength(2)
  for (const { n, batch, threads, warmUpRuns, minMs, medianMs, p95Ms, medianInterval } of found) {
    expect([n, batch, threads]).toEqual([7, 3, 1])
    expect(warmUpRuns).toBeGreaterThanOrEqual(5)
    expect(minMs).toBeLessThanOrEqual(medianMs)
    expect(medianMs).toBeLessThanOrEqual(p95Ms)
    expect(medianInterval[0]).toBeLessThanOrEqual(medianMs)
  }
})

test('a model that does not work with its open sizes as 1 asks for them', async () => {
  const graph = parse(`graph (x: f32[N,time]) -> (y: f32[N,3]) { const p: i64[2] = [-1, 3] y = Reshape(x, p) }`)
  await expect(latenciesInTurn(ortCpu, [graph], { batch: 2, runs: 3, threads: 1 })).rejects.toMatchObject({
    code: 'model.open-sizes',
    subject: 'time',
    fix: 'Fix them first: alambic specialize --dim time=…',
  })
})

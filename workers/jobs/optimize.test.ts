import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SensitivityMap } from '../protocol/files/sensitivity.ts'
import { afterAll, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { SearchReport, SearchStart, SearchTrial } from '../protocol/files/search.ts'
import type { CallName, Progress, Report, RunEvent } from '../protocol/worker.ts'
import type { Trial } from './optimize.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-optimize-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function inWorker(name: CallName, call: object): Promise<Report> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  try {
    return await worker.call(name, call)
  } finally {
    await worker.close()
  }
}

const common = { data: 'mnist', limit: 800, threads: 1 }

test('finds a recipe within the target, goes on with what is there, and names the closest when there is none', async () => {
  const model = join(root, 'base.onnx')
  const train = { step: 'train', epochs: 4, batch: 32, lr: 0.003, validation: 0.1 }
  const recipe = { alambic: 1, name: 'test', steps: [train] }
  await inWorker('run', { ...common, recipe, model: 'lenet-5@0.25', folder: join(root, 'base'), output: model })

  const request = { ...common, model, maxDrop: 0.2, rungs: 1, samples: 100, seconds: 120 }
  const folder = join(root, 'search')
  const search = { ...request, target: 'macs=60%', folder, output: join(root, 'small.onnx') }
  const report = await inWorker('optimize', search)
  const found = report['found'] as Trial
  const input = report['input'] as Trial
  expect(found.costs.macs).toBeLessThanOrEqual(0.6 * input.costs.macs)
  expect(found.accuracy).toBeGreaterThanOrEqual(input.accuracy - 0.2)
  expect(readFileSync(join(root, 'small.onnx')).length).toBe(found.costs.bytes)
  const trials = report['trials'] as readonly Trial[]
  expect(new Set(trials.map((t) => t.epochs))).toEqual(new Set([0, 1]))
  const map = SensitivityMap.parse(JSON.parse(readFileSync(join(folder, 'sensitivity.json'), 'utf8')))
  expect(new Set(map.map(({ family }) => family))).toEqual(new Set(['factorization', 'pruning', 'quantization']))
  const rounding = map.filter(({ technique }) => technique === '8-bit weights')
  expect(rounding).toHaveLength(4)
  // Rounding takes three quarters of each layer's bytes and next to no accuracy; it saves no multiply-accumulates.
  expect(rounding.reduce((sum, line) => sum + line.bytes, 0)).toBeCloseTo(0.75, 1)
  for (const line of rounding) expect(line).toMatchObject({ macs: 0, drop: expect.closeTo(0, 1) as number })
  // Int8 kernels were timed, layer by layer; the last one, which puts out float, has no such form.
  expect(rounding.filter(({ milliseconds }) => typeof milliseconds === 'number').length).toBeGreaterThanOrEqual(3)
  const cutting = map.filter(({ technique }) => technique === 'channels, 50 % cut')
  expect(cutting.length).toBeGreaterThanOrEqual(3)
  for (const line of cutting) expect(line.milliseconds).toBeTypeOf('number')

  const again = await inWorker('optimize', search)
  const untimed = ({ candidate, epochs, accuracy }: Trial) => ({ candidate, epochs, accuracy })
  expect((again['trials'] as readonly Trial[]).map(untimed)).toEqual(trials.map(untimed))

  const hopeless = { ...request, target: 'params=0.1%', folder: join(root, 'hopeless'), rungs: 0 }
  await expect(inWorker('optimize', hopeless)).rejects.toMatchObject({
    code: 'target.infeasible',
    expected: expect.stringContaining('params of at most') as string,
  })
})

test('is a step of a recipe: paused, it goes on with the trials that it has; what it tries is told at once', async () => {
  const model = join(root, 'base.onnx')
  const folder = join(root, 'step')
  const events: RunEvent[] = []
  const shares: number[] = []
  const go = async (request: object, watch: (event: RunEvent, worker: Worker) => void): Promise<Report> => {
    const worker: Worker = new Worker({
      progress: ({ activity, done, total }: Progress) => {
        if (activity === 'trial') shares.push(done / total)
      },
      event: (event) => {
        events.push(event)
        watch(event, worker)
      },
    })
    try {
      return await worker.call('run', request)
    } finally {
      await worker.close()
    }
  }
  const step = { step: 'optimize', target: 'macs=60%', maxDrop: 0.3, rungs: 0, samples: 50, seconds: 90 }
  const request = { ...common, recipe: { alambic: 1, name: 'test', steps: [step] }, model, folder }
  const paused = await go(request, ({ kind }, worker) => {
    if (kind === 'trial') worker.pause()
  })
  expect(paused).toMatchObject({ state: 'paused' })
  const kinds = (kind: string) => events.filter((event) => event.kind === kind)
  expect(kinds('trial')).toHaveLength(1)
  const before = kinds('sensitivity').length
  expect(before).toBeGreaterThan(10)

  const report = await go({ ...request, resume: true }, () => undefined)
  expect(kinds('sensitivity')).toHaveLength(before)
  const [done] = report['steps'] as readonly unknown[]
  const { found, trials, sensitivity, search, seconds } = SearchReport.parse(done)
  expect(found.costs.macs).toBeLessThanOrEqual(search.limit)
  expect(found.accuracy).toBeGreaterThanOrEqual(search.least)
  expect(sensitivity).toHaveLength(before)
  expect(report['macs']).toBe(found.costs.macs)
  expect(trials.every(({ kind, steps }) => kind !== undefined && (steps?.length ?? 0) > 0)).toBe(true)
  expect(SearchStart.parse(kinds('search')[0]?.data).kind).toBe('macs')
  // The first was there already: it is told again, the same.
  const told = kinds('trial').map(({ data }) => SearchTrial.parse(data))
  expect(told.map(({ candidate }) => candidate).slice(1)).toEqual(trials.map(({ candidate }) => candidate))
  expect(told[1]?.accuracy).toBe(told[0]?.accuracy)
  expect(seconds).toBeLessThan(90)
  expect(Math.max(...shares)).toBeLessThanOrEqual(1)
})

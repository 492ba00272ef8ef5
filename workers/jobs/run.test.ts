import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { mulberry32 } from '../graph/random.ts'
import type { Progress, Report } from '../protocol/worker.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-jobs-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Two epochs of 32 samples a step, a fifth of 1,600 kept out for validation. */
const STEPS = 80
const train = { step: 'train', epochs: 2, batch: 32, lr: 0.005, validation: 0.2 }
const request = (name: string, step: object = train, model = 'lenet-5@0.2') => ({
  recipe: { alambic: 1, name: 'test', steps: [step] },
  model,
  data: 'mnist',
  limit: 1600,
  threads: 1,
  folder: join(root, name),
  output: join(root, `${name}.onnx`),
  checkpointEvery: 0.05,
})

/** Runs a call in a fresh process; `watch` may interfere with it. */
async function inWorker(
  name: 'run' | 'evaluate' | 'compare',
  call: object,
  watch: (progress: Progress, worker: Worker) => void = () => undefined,
): Promise<Report> {
  const worker: Worker = new Worker({ progress: (p) => watch(p, worker), event: () => undefined })
  try {
    return await worker.call(name, call)
  } finally {
    await worker.close()
  }
}

const metricsOf = (name: string) => readFileSync(join(root, name, 'metrics', '0-train.f64')).toString('hex')

describe('a run in a worker process', () => {
  test('is the same bits for the same seed in five processes', async () => {
    const hashes = new Set<unknown>()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      hashes.add((await inWorker('run', request(name)))['sha256'])
      expect(metricsOf(name)).toBe(metricsOf('a'))
    }
    expect(hashes.size).toBe(1)
    const other = await inWorker('run', { ...request('other'), seed: 7 })
    expect(hashes).not.toContain(other['sha256'])
  })

  test('killed at ten random steps and resumed, gives the bits of an uninterrupted run', async () => {
    const seed = Date.now() % 2 ** 31
    const random = mulberry32(seed)
    const whole = await inWorker('run', request('whole'))
    for (let i = 0; i < 10; i++) {
      const name = `killed-${i}`
      const at = 1 + Math.floor(random() * (STEPS - 2))
      const kill = (p: Progress, worker: Worker) => {
        if (p.activity === 'train' && p.done >= at) void worker.close()
      }
      const why = `seed ${seed}, killed at step ${at}`
      await expect(inWorker('run', request(name), kill), why).rejects.toMatchObject({ code: 'worker.died' })
      const resumed = await inWorker('run', { ...request(name), resume: true })
      expect(resumed['sha256'], why).toBe(whole['sha256'])
      expect(metricsOf(name), why).toBe(metricsOf('whole'))
    }
  })

  test('asked to stop, keeps its best weights and goes on from there', async () => {
    const stop = (p: Progress, worker: Worker) => {
      if (p.done >= 30) worker.stop()
    }
    const stopped = await inWorker('run', request('stopped'), stop)
    expect(stopped['stopped']).toBe(true)
    const resumed = await inWorker('run', { ...request('stopped'), resume: true })
    const whole = await inWorker('run', request('reference'))
    expect(resumed['sha256']).toBe(whole['sha256'])
  })

  test('distils a student that gives the accuracy it was reported with', async () => {
    const teacher = await inWorker('run', request('teacher'))
    const distil = { step: 'distil', student: 'lenet-5@0.1', epochs: 2, batch: 32, lr: 0.01, validation: 0.2 }
    const student = await inWorker('run', request('student', distil, teacher['output'] as string))
    expect(student['params']).toBeLessThan((teacher['params'] as number) / 2)
    const again = await inWorker('evaluate', { model: student['output'], data: 'mnist', threads: 1 })
    expect(again['accuracy']).toBe(student['accuracy'])
    expect(student['accuracy']).toBeGreaterThan(0.6)
  })

  test('gives a net its batch normalizations back without changing what it says', async () => {
    const base = await inWorker('run', request('plain'))
    const step = { step: 'insert-batchnorm', samples: 256, batch: 64 }
    const normalized = await inWorker('run', request('normalized', step, base['output'] as string))
    expect(normalized['params']).toBeGreaterThan(base['params'] as number)
    expect(Math.abs((normalized['accuracy'] as number) - (base['accuracy'] as number))).toBeLessThan(5e-4)
    const tuned = await inWorker('run', request('tuned', { ...train, lr: 0.001 }, normalized['output'] as string))
    expect(tuned['accuracy']).toBeGreaterThan((base['accuracy'] as number) - 0.02)
  })

  test('says what is wrong with its input and what to do', async () => {
    await expect(inWorker('run', { ...request('x1'), model: 'no-such' })).rejects.toMatchObject({
      code: 'model.missing',
    })
    await expect(inWorker('run', { ...request('x2'), data: 'no-such' })).rejects.toMatchObject({ code: 'data.missing' })
    await expect(inWorker('run', request('x3', { step: 'train', epochs: -1 }))).rejects.toMatchObject({
      code: 'recipe.invalid',
    })
    await expect(inWorker('run', request('x4', { step: 'shrink' }))).rejects.toMatchObject({ code: 'recipe.step' })
    await expect(inWorker('run', request('x5', train, 'lightnn'))).rejects.toMatchObject({ code: 'data.shape' })
    await expect(inWorker('run', { ...request('a') })).rejects.toMatchObject({ code: 'run.exists' })
  })
})

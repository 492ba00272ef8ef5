import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { unavailable } from '../executors/engines.ts'
import { DeviceId, type DeviceChoice } from '../protocol/devices.ts'
import type { Report } from '../protocol/worker.ts'
import { chooseAmong, measuredSteps } from './choose.ts'
import { placeOf, type DeviceRequest } from './devices.ts'
import { remember } from './remembered.ts'
import { graphics } from '../testing/conformance/engine.ts'

const deviceOf = async (request: DeviceRequest) => (await placeOf(request)).device

const root = mkdtempSync(join(tmpdir(), 'alambic-devices-'))
const environment = graphics()

beforeAll(() => {
  vi.stubEnv('ALAMBIC_HOME', root)
  for (const [name, value] of Object.entries(environment ?? {})) vi.stubEnv(name, value)
})
afterAll(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

interface Asked {
  readonly device?: DeviceChoice
  readonly resume?: boolean
  /** Pause after some steps. */
  readonly pause?: boolean
}

async function run(name: string, { device, resume = false, pause = false }: Asked): Promise<Report> {
  const worker: Worker = new Worker({
    progress: ({ activity, done }) => {
      if (pause && activity === 'train' && done > 2) worker.pause()
    },
    event: () => undefined,
  })
  try {
    return await worker.call('run', {
      recipe: {
        alambic: 1,
        name: 'test',
        steps: [{ step: 'train', epochs: 3, batch: 16, lr: 0.005, validation: 0.2 }],
      },
      model: 'lenet-300-100@0.1',
      data: 'mnist',
      limit: 240,
      folder: join(root, name),
      resume,
      ...(device === undefined ? {} : { device }),
    })
  } finally {
    await worker.close()
  }
}

const record = (name: string) =>
  JSON.parse(readFileSync(join(root, name, 'run.json'), 'utf8')) as { state: string; request: { device: string } }

/** The rows of the training stream; the second column is the loss. */
function losses(name: string): readonly number[] {
  const text = readFileSync(join(root, name, 'metrics', '0-train.f64'))
  return [...new Float64Array(text.buffer, text.byteOffset, Math.floor(text.byteLength / 8))]
}

describe('a run on a graphics processor', () => {
  test('says so, stays there, and gives the same bits when it was paused', async (context) => {
    if (!environment)
      return context.skip('WebGPU needs a graphics processor, or the software one that comes with Chromium')
    const whole = await run('whole', { device: 'webgpu' })
    expect(record('whole').request.device).toBe('webgpu')
    expect(whole['provenance']).toMatchObject({ executor: 'ort-webgpu' })

    expect(await run('paused', { device: 'webgpu', pause: true })).toMatchObject({ state: 'paused' })
    await expect(run('paused', { device: 'cpu', resume: true })).rejects.toMatchObject({ code: 'usage.device' })
    const resumed = await run('paused', { resume: true })
    expect(record('paused')).toMatchObject({ state: 'succeeded', request: { device: 'webgpu' } })
    expect(resumed['sha256']).toBe(whole['sha256'])
    expect(losses('paused')).toEqual(losses('whole'))
  })

  test('is a run on the processor unless it is asked for', async () => {
    const report = await run('plain', {})
    expect(record('plain').request.device).toBe('cpu')
    expect(report['provenance']).toMatchObject({ executor: 'ort-cpu' })
  })
})

describe('a search for a recipe', () => {
  test('keeps its device when its folder is resumed', async () => {
    const folder = join(root, 'search')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'search.json'), JSON.stringify({ request: { device: 'webgpu' } }))
    expect(await deviceOf({ folder })).toBe('webgpu')
    expect(await deviceOf({ folder, device: 'auto' })).toBe('webgpu')
  })
})

describe('auto', () => {
  const said = (samplesPerSecond: number, ok = true): Report => ({ ok, samplesPerSecond })

  test('is the fastest device whose results are right, as it was measured here', async (context) => {
    if (unavailable('webgpu')) return context.skip('onnxruntime has no WebGPU on this platform')
    await remember('cpu', said(100))
    await remember('webgpu', said(200))
    expect(await deviceOf({ device: 'auto' })).toBe('webgpu')
    await remember('webgpu', said(200, false))
    expect(await deviceOf({ device: 'auto' })).toBe('cpu')
    await remember('webgpu', said(50))
    expect(await deviceOf({ device: 'auto' })).toBe('cpu')
    expect(await deviceOf({ device: 'webgpu' })).toBe('webgpu')
  })

  test('says in the record of a run how it came to its device', async () => {
    await remember('cpu', said(100))
    for (const other of DeviceId.options.filter((device) => device !== 'cpu')) await remember(other, said(1, false))
    await run('left open', { device: 'auto' })
    expect(record('left open')).toMatchObject({
      state: 'succeeded',
      request: { device: 'cpu' },
      choice: { asked: 'auto', device: 'cpu', measured: [] },
    })
  })

  test('takes the training step of the run itself, and remembers what it took', async () => {
    const recipe = { alambic: 1, name: 'test', steps: [{ step: 'train', batch: 8 }] }
    const request = { recipe, set: {}, model: 'lenet-300-100@0.1', seed: 1 }
    const right = ['cpu', 'cpu'] as const
    const first = await chooseAmong(right, request)
    expect(first.device).toBe('cpu')
    expect(first.measured[0]?.stepMs).toBeGreaterThan(0)
    expect((await measuredSteps())[first.step as string]?.cpu).toBe(first.measured[0]?.stepMs)
    // What is remembered is not measured again.
    const began = performance.now()
    expect((await chooseAmong(right, request)).measured).toEqual(first.measured)
    expect(performance.now() - began).toBeLessThan(3000)
    // Another batch is another step.
    const other = { ...request, set: { 'steps.0.batch': 4 } }
    expect((await chooseAmong(right, other)).step).not.toBe(first.step)
  })
})

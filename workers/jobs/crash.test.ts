import { mkdtempSync, readFileSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { checkpointsOf, listCheckpoints } from '../protocol/files/checkpoints.ts'
import { mulberry32 } from '../graph/random.ts'
import { readCheckpoint } from './checkpoint.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-crash-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Kills of each kind; the long form is the one that a release is checked with. */
const KILLS = process.env['ALAMBIC_LONG'] ? 50 : 4
const random = mulberry32(2026)

const request = (name: string, resume = false) => ({
  recipe: { alambic: 1, name: 'test', steps: [{ step: 'train', epochs: 60, batch: 16, lr: 0.005, validation: 0.2 }] },
  model: 'lenet-300-100@0.1',
  data: 'mnist',
  limit: 800,
  threads: 1,
  folder: join(root, name),
  checkpointEvery: 0.02,
  resume,
})

/** The model's hash and all numbers of a run that is done. */
interface Made {
  readonly sha256: unknown
  readonly metrics: string
}

const made = (name: string, sha256: unknown): Made => ({
  sha256,
  metrics: readFileSync(join(root, name, 'metrics', '0-train.f64')).toString('hex'),
})

async function finish(name: string, resume: boolean): Promise<Made> {
  const worker = new Worker({ progress: () => undefined, event: () => undefined })
  try {
    const report = await worker.call('run', request(name, resume))
    return made(name, report['sha256'])
  } finally {
    await worker.close()
  }
}

/** Runs until `arm` kills the process; true when it was killed before it was done. */
async function killed(name: string, resume: boolean, arm: (kill: () => void) => () => void): Promise<boolean> {
  let disarm = () => {}
  const kill = () => {
    if (worker.pid !== undefined) process.kill(worker.pid, 'SIGKILL')
  }
  const worker: Worker = new Worker({
    progress: () => undefined,
    event: ({ kind }) => {
      if (kind === 'step-started') disarm = arm(kill)
    },
  })
  try {
    await worker.call('run', request(name, resume))
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'worker.died' })
    expect(await worker.ended).toEqual({ kind: 'killed', signal: 'SIGKILL' })
    return true
  } finally {
    disarm()
    await worker.close()
  }
}

/** Every checkpoint that has its final name is whole. */
async function expectWholeCheckpoints(name: string): Promise<number> {
  const folder = checkpointsOf(join(root, name), 0)
  const names = await listCheckpoints(folder)
  for (const one of names)
    await expect(readCheckpoint(join(folder, one.name))).resolves.toMatchObject({ step: one.step })
  return names.length
}

let reference: Promise<Made> | undefined
const whole = (): Promise<Made> => (reference ??= finish('whole', false))

/** Kills one run again and again, then lets it end. */
async function killAgainAndAgain(name: string, times: number, arm: (kill: () => void) => () => void): Promise<void> {
  let kills = 0
  for (let started = 0; started < 2 * times && kills < times; started++) {
    if (!(await killed(name, started > 0, arm))) break
    kills++
    await expectWholeCheckpoints(name)
  }
  expect(kills).toBeGreaterThan(0)
  expect(await finish(name, true)).toEqual(await whole())
}

describe('kill -9', () => {
  test('at random moments changes no bit of the result', async () => {
    const arm = (kill: () => void) => {
      const timer = setTimeout(kill, 1500 * random())
      return () => clearTimeout(timer)
    }
    for (let i = 0; i * 4 < KILLS; i++) await killAgainAndAgain(`moment-${i}`, 4, arm)
  }, 1_800_000)

  test('while a checkpoint is written leaves no checkpoint that cannot be read', async () => {
    for (let i = 0; i * 4 < KILLS; i++) {
      const name = `write-${i}`
      const arm = (kill: () => void) => {
        // The first one makes the folder; each later one is seen as it begins.
        const wait = 1 + Math.floor(6 * random())
        let seen = 0
        let watcher: ReturnType<typeof watch> | undefined
        const timer = setInterval(() => {
          try {
            watcher ??= watch(checkpointsOf(join(root, name), 0), (_event, file) => {
              if (file?.startsWith('.writing') && ++seen >= wait) setTimeout(kill, 3 * random())
            })
            clearInterval(timer)
          } catch {
            // Not there yet.
          }
        }, 5)
        return () => {
          clearInterval(timer)
          watcher?.close()
        }
      }
      await killAgainAndAgain(name, 4, arm)
    }
  }, 1_800_000)
})

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test, type TestContext } from 'vitest'
import { processStamp } from './processes.ts'
import type { RunEntry } from './run.ts'
import { startTraining, TestHost } from './testing.ts'

const LONG = Boolean(process.env['ALAMBIC_LONG'])
const shaOf = (run: RunEntry) => run.summary().result?.['sha256']

let cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.toReversed()) await cleanup()
  cleanups = []
})

/** A host that is gone when the test is. */
async function startHost(home?: string): Promise<TestHost> {
  const studio = new TestHost(home)
  cleanups.push(() => studio.remove())
  await studio.start()
  return studio
}

const steps = { epochs: 25 }

/** What an uninterrupted run with a seed gives. */
const wholes = new Map<number, unknown>()
async function whole(seed: number): Promise<unknown> {
  if (!wholes.has(seed)) {
    const studio = await startHost()
    const run = await startTraining(studio, await studio.host.create('Whole'), steps, { seed })
    await studio.until(run, 'succeeded')
    wholes.set(seed, shaOf(run))
    await studio.close()
  }
  return wholes.get(seed)
}

/** Starts a host in a process of its own with three runs, and tells their processes once all are training. */
const hostWithRuns = (home: string) => `
  const { startTraining, TestHost } = await import(${JSON.stringify(new URL('./testing.ts', import.meta.url).href)})
  const studio = new TestHost(${JSON.stringify(home)})
  const host = await studio.start()
  await host.settings.change({ concurrency: 3 })
  const project = await host.create('Three')
  const runs = []
  for (const seed of [1, 2, 3]) runs.push(await startTraining(studio, project, ${JSON.stringify(steps)}, { seed }))
  const training = (run) => run.rowCounts()['0-train'] > 5
  while (!runs.every(training)) await new Promise((resolve) => setTimeout(resolve, 10))
  console.log(JSON.stringify(runs.map((run) => run.notes.process)))
`

test('a host that is killed leaves no process behind, and every run goes on to the same bits', async () => {
  const expected = [await whole(1), await whole(2), await whole(3)]
  for (let i = 0; i < (LONG ? 10 : 1); i++) {
    const home = mkdtempSync(join(tmpdir(), 'alambic-kill-'))
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', hostWithRuns(home)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    const workers = JSON.parse(line) as { pid: number; stamp: string }[]
    expect(workers).toHaveLength(3)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const killed = Date.now()
    const alive = () => workers.filter(({ pid, stamp }) => processStamp(pid) === stamp)
    while (alive().length > 0 && Date.now() - killed < 10_000) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(alive()).toEqual([])

    const studio = await startHost(home)
    const runs = [...studio.host.projects.values()].flatMap((project) => [...project.runs.values()])
    expect(runs).toHaveLength(3)
    for (const run of runs) await studio.until(run, 'succeeded')
    const made = new Map(runs.map((run) => [run.record.request['seed'], shaOf(run)]))
    expect([1, 2, 3].map((seed) => made.get(seed))).toEqual(expected)
    expect(runs.every(({ notes }) => notes.crashes.length === 0)).toBe(true)
    await studio.remove()
  }
}, 1_200_000)

/** A small disk of its own; skips the test where that may not be made. */
function smallDisk(context: TestContext, megabytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' })
  } catch {
    rmSync(folder, { recursive: true })
    context.skip('a small disk cannot be mounted here: that takes root on Linux')
  }
  cleanups.push(() => {
    execFileSync('umount', ['-l', folder])
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

/** Leaves no byte free. */
function fill(folder: string): () => void {
  const path = join(folder, 'filler')
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(path, new Uint8Array(0))
  for (let size = bavail * bsize; size >= 1; size = Math.floor(size / 2)) {
    try {
      writeFileSync(path, new Uint8Array(size), { flag: 'a' })
    } catch {
      // Too much: half of it next.
    }
  }
  return () => rmSync(path)
}

describe('a full disk', () => {
  test('pauses a run, which goes on to the same bits when there is space again', async (context) => {
    const disk = smallDisk(context, 24)
    const expected = await whole(1)
    const studio = await startHost(join(disk, 'home'))
    await studio.host.settings.change({ diskFloor: 0 })
    const project = await studio.host.create('Small')
    for (let i = 0; i < (LONG ? 10 : 1); i++) {
      const run = await startTraining(studio, project, steps, { seed: 1 })
      let free: (() => void) | undefined
      studio.atStep(run, 100, () => (free = fill(disk)))
      const paused = await studio.until(run, 'paused', 'failed', 'succeeded')
      expect(paused.state).toBe('paused')
      expect(paused.halt).toMatchObject({ cause: 'disk', error: { code: 'disk.full' } })
      free?.()
      await studio.host.supervisor.resume(run)
      await studio.until(run, 'succeeded')
      expect(shaOf(run)).toBe(expected)
    }
  }, 1_200_000)

  test('does not keep the studio from starting', async (context) => {
    const disk = smallDisk(context, 8)
    const first = await startHost(join(disk, 'home'))
    await first.host.create('Here')
    await first.close()
    const free = fill(disk)
    const second = await startHost(join(disk, 'home'))
    expect([...second.host.projects.values()].map(({ file }) => file.name)).toEqual(['Here'])
    await expect(second.host.create('Another')).rejects.toMatchObject({ code: 'ENOSPC' })
    await second.close()
    mkdirSync(join(disk, 'new'))
    const third = await startHost(join(disk, 'new', 'home'))
    expect(third.host.projects.size).toBe(0)
    free()
  })
})

/** Resident memory of a process in bytes. */
const residentOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024

test('memory of a worker and of its host stays flat over many steps', async (context) => {
  if (process.platform !== 'linux') context.skip('resident memory is read from /proc')
  const total = LONG ? 20_000 : 3000
  const studio = await startHost()
  const project = await studio.host.create('Soak')
  // 40 steps in an epoch.
  const run = await startTraining(studio, project, { epochs: total / 40 }, { checkpointEvery: 1 })
  const samples: { step: number; worker: number; host: number }[] = []
  while (!['succeeded', 'failed', 'paused', 'interrupted'].includes(run.state)) {
    const { pid } = run.notes.process ?? {}
    const { done: step = 0, activity } = run.live?.progress ?? {}
    // What is compiled and buffered once comes first.
    if (pid !== undefined && activity === 'train' && step > total / 4) {
      samples.push({ step, worker: residentOf(pid), host: residentOf(process.pid) })
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  expect(run.state).toBe('succeeded')
  expect(samples.length).toBeGreaterThan(10)
  const perThousand = (of: 'worker' | 'host') => 1000 * slope(samples.map((sample) => [sample.step, sample[of]]))
  const limit = LONG ? 1e6 : 8e6
  expect(perThousand('worker')).toBeLessThan(limit)
  if (LONG) expect(perThousand('host')).toBeLessThan(limit)
  process.stderr.write(
    `memory per 1,000 steps: worker ${(perThousand('worker') / 1e6).toFixed(2)} MB, host ${(perThousand('host') / 1e6).toFixed(2)} MB\n`,
  )
}, 1_800_000)

/** Of a least-squares line. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const over = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0)
  return over / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
}

import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { handlers } from './api.ts'
import { branchRun, cloneRun, createRun } from './new-run.ts'
import type { ProjectFolder } from './project.ts'
import type { RunEntry } from './run.ts'
import { startTraining, TestHost, trainingPlan } from './testing.ts'

const metricsOf = (run: RunEntry) => readFileSync(join(run.folder, 'metrics', '0-train.f64')).toString('hex')
const shaOf = (run: RunEntry) => run.summary().result?.['sha256']

let studio: TestHost
let project: ProjectFolder
beforeEach(async () => {
  studio = new TestHost()
  await studio.start()
  project = await studio.host.create('Test')
})
afterEach(() => studio.remove())

/** What an uninterrupted run of the plan gives; made once. */
const whole: { sha?: unknown; metrics?: string } = {}
async function uninterrupted(): Promise<typeof whole> {
  if (whole.sha === undefined) {
    const run = await startTraining(studio, project)
    await studio.until(run, 'succeeded')
    Object.assign(whole, { sha: shaOf(run), metrics: metricsOf(run) })
  }
  return whole
}

/** So long that there is time to interfere. */
const long = { epochs: 200 }

/** Kills the process that works on a run, as `kill -9` does. */
const kill = (run: RunEntry) => {
  const { pid } = run.notes.process ?? {}
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}

describe('a run', () => {
  test('makes a model of the project, with its parent, its measures and its lineage; and never changes then', async () => {
    const run = await startTraining(studio, project)
    const summary = await studio.until(run, 'succeeded')
    const [model] = project.models.list()
    expect(model?.model).toBe(summary.result?.['sha256'])
    expect(model).toMatchObject({
      origin: { kind: 'run', run: run.key },
      measured: { accuracy: expect.any(Number) as number },
    })
    expect(summary.output).toBe(model?.model)
    const record = readFileSync(join(run.folder, 'run.json'), 'utf8')
    for (const call of ['pauseRun', 'resumeRun', 'stopRun'] as const) {
      await expect(handlers[call](studio.host, { run: run.key })).rejects.toMatchObject({ code: 'run.state' })
    }
    expect(readFileSync(join(run.folder, 'run.json'), 'utf8')).toBe(record)
    await vi.waitFor(() => expect(studio.notices.map(({ code }) => code)).toEqual(['run-succeeded']))
  })

  test('paused and resumed, twice, gives the same bits, and says who paused it', async () => {
    const { sha, metrics } = await uninterrupted()
    const run = await startTraining(studio, project)
    for (const step of [20, 70]) {
      studio.atStep(run, step, () => void studio.host.supervisor.pause(run))
      const paused = await studio.until(run, 'paused')
      expect(paused.halt).toMatchObject({ cause: 'person', savedStep: paused.halt?.atStep })
      await studio.host.supervisor.resume(run)
    }
    const done = await studio.until(run, 'succeeded')
    expect([shaOf(run), metricsOf(run)]).toEqual([sha, metrics])
    expect(run.notes.sessions).toHaveLength(3)
    expect(done.halt).toBeUndefined()
    expect(run.streams().find(({ stream }) => stream === '0-clock')?.rows).toBe(1200)
  })

  test('stopped keeps its best; discarded goes to the bin and comes back', async () => {
    const run = await startTraining(studio, project, long)
    studio.atStep(run, 60, () => void studio.host.supervisor.stop(run))
    const stopped = await studio.until(run, 'stopped')
    expect(stopped.result?.['accuracy']).toBeGreaterThan(0.1)
    expect(project.models.has(stopped.output ?? '')).toBe(true)

    const other = await startTraining(studio, project, long)
    await studio.until(other, 'running')
    const { pid = 0 } = other.notes.process ?? {}
    const discarded = await handlers.discardRun(studio.host, { run: other.key })
    expect(() => process.kill(pid, 0)).toThrow()
    expect(existsSync(other.folder)).toBe(false)
    expect(project.runs.has(other.key)).toBe(false)
    await handlers.restore(studio.host, { id: discarded.id })
    expect(project.runs.has(other.key)).toBe(true)
  })

  test('paused can still be stopped: it ends with its best weights', async () => {
    const run = await startTraining(studio, project, long)
    studio.atStep(run, 60, () => void studio.host.supervisor.pause(run))
    await studio.until(run, 'paused')
    await studio.host.supervisor.stop(run)
    const stopped = await studio.until(run, 'stopped')
    expect(stopped.result?.['sha256']).toBeDefined()
  })

  test('killed goes on by itself to the same bits', async () => {
    const { sha, metrics } = await uninterrupted()
    const run = await startTraining(studio, project)
    studio.atStep(run, 50, () => kill(run))
    const done = await studio.until(run, 'succeeded')
    expect([shaOf(run), metricsOf(run)]).toEqual([sha, metrics])
    expect(done.crashes).toBe(1)
    expect(run.notes.crashes[0]?.exit).toEqual({ kind: 'killed', signal: 'SIGKILL' })
  })

  test('that dies twice at the same step is not started a third time', async () => {
    const run = await startTraining(studio, project, { ...long, batch: 128 }, { checkpointEvery: 1000, limit: 60_000 })
    for (let i = 0; i < 2; i++) {
      studio.atStep(run, 20, () => kill(run))
      await vi.waitFor(() => expect(run.notes.crashes).toHaveLength(i + 1), { timeout: 30_000 })
    }
    const halted = await studio.until(run, 'interrupted')
    expect(halted.halt).toMatchObject({ cause: 'crash-loop', exit: { kind: 'killed' } })
    await vi.waitFor(() => expect(studio.notices.map(({ code }) => code)).toContain('run-crash-loop'))
    await studio.host.supervisor.resume(run)
    await studio.until(run, 'running')
  })

  test('whose numbers are not finite pauses at that step and names the tensor', async () => {
    const run = await startTraining(studio, project, { lr: 1e30, optimizer: 'sgd', schedule: 'constant' })
    const paused = await studio.until(run, 'paused', 'failed')
    expect(paused.state).toBe('paused')
    expect(paused.halt?.cause).toBe('not-finite')
    expect(paused.error?.message).toMatch(/^the (weight|metric|input) ".+ is not finite at step \d+$/)
    const step = Number(/step (\d+)$/.exec(paused.error?.message ?? '')?.[1])
    const rows = run.metrics('0-train', 0, 1000)
    const finite = rows.columns.indexOf('finite')
    expect(rows.rows).toBe(step)
    expect(rows.values[(step - 1) * rows.columns.length + finite]).not.toBe(1)
    if (step > 1) expect(rows.values[(step - 2) * rows.columns.length + finite]).toBe(1)
  })

  test('branched from a checkpoint without changes ends with the same bits; with changes, with others', async () => {
    const run = await startTraining(studio, project, { epochs: 3 })
    await studio.until(run, 'succeeded')
    const { sha, metrics } = { sha: shaOf(run), metrics: metricsOf(run) }
    const [, point] = await run.checkpoints()
    const [stage = 0, step = 0] = (point?.checkpoint ?? '').split('/').map(Number)
    const same = await branchRun(studio.host, run, { stage, step }, {})
    const changed = await branchRun(studio.host, run, { stage, step }, { 'steps.0.lr': 0.001 })
    await studio.until(same, 'succeeded')
    await studio.until(changed, 'succeeded')
    expect([shaOf(same), metricsOf(same)]).toEqual([sha, metrics])
    expect(shaOf(changed)).not.toBe(sha)
    expect(metricsOf(changed).slice(0, 64)).toBe(metrics?.slice(0, 64))
    expect(same.summary().branchedFrom).toEqual({ run: run.key, checkpoint: point?.checkpoint })
    const clone = await cloneRun(studio.host, run, { 'steps.0.epochs': 1 })
    await studio.until(clone, 'succeeded')
    expect(clone.metrics('0-train', 0, 1000).rows).toBe(40)
  })

  test('asked for what cannot be is refused before anything is made', async () => {
    const refused = async (plan: object, code: string) => {
      await expect(createRun(studio.host, { ...trainingPlan(project), ...plan })).rejects.toMatchObject({ code })
    }
    await refused({ model: { kind: 'model', model: 'a'.repeat(64) } }, 'model.unknown')
    await refused({ data: { kind: 'dataset', dataset: 'none' } }, 'data.unknown')
    await refused({ recipe: '/etc/passwd' }, 'recipe.missing')
    await refused({ recipe: '../x.yaml' }, 'recipe.missing')
    await refused({ set: { 'steps.0.lr': -1 } }, 'recipe.invalid')
    expect(project.runs.size).toBe(0)
    const check = await handlers.checkRun(studio.host, trainingPlan(project))
    expect(check.problems).toEqual([])
    expect(check.disk).toMatchObject({ floor: 1e9, enough: true })
  })
})

describe('the queue', () => {
  test('keeps to its order and to how many may go at once', async () => {
    studio.host.supervisor.pauseQueue(true)
    const runs: RunEntry[] = []
    for (const title of ['a', 'b', 'c']) runs.push(await startTraining(studio, project, { epochs: 1 }, { title }))
    const [a, b, c] = runs.map(({ key }) => key)
    await studio.host.supervisor.reorder([c ?? '', a ?? '', b ?? ''])
    expect(studio.host.supervisor.queue()).toMatchObject({ order: [c, a, b], running: [], paused: true })
    studio.host.supervisor.pauseQueue(false)
    expect(studio.host.supervisor.queue().running).toEqual([c])
    for (const run of runs) await studio.until(run, 'succeeded')
    const starts = runs.map(({ notes }) => notes.sessions[0]?.start ?? 0)
    expect(starts.toSorted((x, y) => x - y)).toEqual([starts[2], starts[0], starts[1]])
  })

  test('survives the host, with its order', async () => {
    studio.host.supervisor.pauseQueue(true)
    for (const title of ['a', 'b']) await startTraining(studio, project, { epochs: 1 }, { title })
    const { order } = studio.host.supervisor.queue()
    await studio.host.supervisor.reorder(order.toReversed())
    await studio.close()
    const host = await studio.start()
    const { order: after, running } = host.supervisor.queue()
    expect([...running, ...after]).toEqual(order.toReversed())
  })
})

describe('the disk guard', () => {
  test('pauses what runs below the floor, and lets it go on above', async () => {
    const { sha } = await uninterrupted()
    const run = await startTraining(studio, project)
    await studio.host.settings.change({ diskFloor: 1e15 })
    const paused = await studio.until(run, 'paused')
    expect(paused.halt?.cause).toBe('disk')
    await studio.host.settings.change({ diskFloor: 0 })
    await studio.until(run, 'succeeded')
    expect(shaOf(run)).toBe(sha)
    expect(studio.notices.map(({ code }) => code)).toEqual(expect.arrayContaining(['disk-low', 'disk-recovered']))
  })
})

describe('a project', () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'alambic-elsewhere-'))
  afterAll(() => rmSync(elsewhere, { recursive: true, force: true }))

  test('that changes on disk shows so, and a new one shows up', async () => {
    const { path, file } = project
    writeFileSync(join(path, 'project.json'), JSON.stringify({ ...file, name: 'Renamed outside' }))
    await vi.waitFor(() => expect(project.summary().name).toBe('Renamed outside'), { timeout: 5000 })
    cpSync(path, join(studio.home, 'projects', 'copy'), { recursive: true })
    await vi.waitFor(() => expect(studio.host.projects.size).toBe(2), { timeout: 5000 })
    const ids = [...studio.host.projects.keys()]
    expect(new Set(ids).size).toBe(2)
    rmSync(join(studio.home, 'projects', 'copy'), { recursive: true })
    await vi.waitFor(() => expect(studio.host.projects.size).toBe(1), { timeout: 5000 })
  })

  test('goes to the bin with everything in it, and comes back', async () => {
    const { id, path } = project
    const discarded = await handlers.deleteProject(studio.host, { project: id })
    expect(existsSync(path)).toBe(false)
    expect((await handlers.bin(studio.host, {})).map(({ name }) => name)).toEqual(['Test'])
    await handlers.restore(studio.host, { id: discarded.id })
    expect(existsSync(join(path, 'project.json'))).toBe(true)
    expect(studio.host.project(id).isHeld).toBe(true)
  })

  test('that is damaged or missing says so and leaves the others alone', async () => {
    writeFileSync(join(elsewhere, 'project.json'), '{"alambic":1')
    await expect(studio.host.open(elsewhere)).rejects.toMatchObject({ code: 'project.damaged' })
    await expect(studio.host.open(join(elsewhere, 'none'))).rejects.toMatchObject({ code: 'project.missing' })
    const run = await startTraining(studio, project, { epochs: 1 })
    await studio.until(run, 'succeeded')
    await studio.close()
    writeFileSync(join(run.folder, 'run.json'), 'not JSON')
    const host = await studio.start()
    expect(host.project(project.id).summary().problem).toMatchObject({ code: 'run.damaged' })
  })

  test('starts with damaged settings, on their defaults', async () => {
    await studio.close()
    writeFileSync(join(studio.home, 'settings.json'), '{"theme":"dark","concurrency":"many"')
    expect((await studio.start()).settings.get()).toMatchObject({ theme: 'system', concurrency: 1 })
    await studio.close()
    writeFileSync(join(studio.home, 'settings.json'), '{"theme":"dark","concurrency":"many","other":1}')
    expect((await studio.start()).settings.get()).toMatchObject({ theme: 'dark', concurrency: 1 })
  })
})

import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync, strFromU8 } from 'fflate'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { DeviceId } from '../../workers/protocol/devices.ts'
import type { Found } from '../../workers/protocol/studio.ts'
import { handlers } from './api.ts'
import type { ProjectFolder } from './project.ts'
import type { RunEntry } from './run.ts'
import { startTraining, TestHost } from './testing.ts'

const studio = new TestHost()
let project: ProjectFolder
let run: RunEntry
/** A model file that a run made. */
let model = ''

beforeAll(async () => {
  // What is measured here is not remembered for the person whose machine it is.
  vi.stubEnv('ALAMBIC_HOME', studio.home)
  await studio.start()
  project = await studio.host.create('Contents')
  run = await startTraining(studio, project, { epochs: 2 })
  const { output = '' } = await studio.until(run, 'succeeded')
  model = project.models.path(output)
})
afterAll(() => studio.remove())

const drop = () => join(studio.home, 'drop')
const scan = (id: string, path = drop()) =>
  handlers.scan(studio.host, { scan: id, project: project.id, sources: [{ kind: 'path', path }] })

/** A folder as people drop it: some of it is of use. */
function makeDrop(): void {
  rmSync(drop(), { recursive: true, force: true })
  for (const folder of ['models', 'table', 'recipes', 'images/cat', 'images/dog']) {
    mkdirSync(join(drop(), folder), { recursive: true })
  }
  cpSync(model, join(drop(), 'models', 'good.onnx'))
  writeFileSync(join(drop(), 'models', 'labels.txt'), 'zero\none\n')
  writeFileSync(join(drop(), 'models', 'broken.onnx'), 'this is no model')
  const rows = Array.from({ length: 30 }, (_, i) => `${i},${30 - i},${i % 2}`)
  writeFileSync(join(drop(), 'table', 'train.csv'), ['a,b,label', ...rows].join('\n'))
  writeFileSync(
    join(drop(), 'recipes', 'mine.yaml'),
    'alambic: 1\nname: mine\nsteps:\n  - step: train\n    epochs: 1\n',
  )
  writeFileSync(join(drop(), 'recipes', 'bad.yaml'), 'alambic: 1\nname: bad\nsteps:\n  - step: nonsense\n')
  writeFileSync(join(drop(), 'recipes', 'other.yaml'), 'version: 3\n')
  writeFileSync(join(drop(), 'README.md'), 'hello')
  for (const kind of ['cat', 'dog'])
    writeFileSync(join(drop(), 'images', kind, 'a.bmp'), bitmap(kind === 'cat' ? 0 : 255))
}

/** A picture of 2 × 2 pixels of one gray, 24 bits each. */
function bitmap(gray: number): Buffer {
  const bytes = Buffer.alloc(54 + 16, gray)
  bytes.fill(0, 0, 54)
  bytes.write('BM')
  bytes.writeUInt32LE(70, 2)
  bytes.writeUInt32LE(54, 10)
  bytes.writeUInt32LE(40, 14)
  bytes.writeInt32LE(2, 18)
  bytes.writeInt32LE(2, 22)
  bytes.writeUInt16LE(1, 26)
  bytes.writeUInt16LE(24, 28)
  return bytes
}

const byName = (found: readonly Found[]) => new Map(found.map((one) => [one.path.replace(/^drop\//, ''), one]))

describe('what is dropped', () => {
  test('is listed by kind, with what is wrong with it; the rest is counted', async () => {
    makeDrop()
    const report = await scan('s1')
    const found = byName(report.found)
    expect(Object.fromEntries([...found].map(([path, { kind }]) => [path, kind]))).toEqual({
      'models/good.onnx': 'model',
      'models/broken.onnx': 'model',
      table: 'dataset',
      'recipes/mine.yaml': 'recipe',
      'recipes/bad.yaml': 'recipe',
      images: 'dataset',
    })
    expect(found.get('models/good.onnx')).toMatchObject({
      format: expect.stringMatching(/^ONNX, opset \d+$/) as string,
      companions: ['labels.txt'],
    })
    expect(found.get('models/broken.onnx')?.problem?.code).toMatch(/^onnx\./)
    expect(found.get('recipes/bad.yaml')?.problem?.code).toBe('recipe.step')
    expect(found.get('table')?.details).toMatchObject({ samples: { train: 30 } })
    expect(found.get('images')?.details).toMatchObject({ classes: ['cat', 'dog'] })
    expect(report.ignored).toEqual({
      count: 3,
      names: expect.arrayContaining(['drop/README.md', 'drop/recipes/other.yaml']) as string[],
    })
  })

  test('is taken in by parts, copied or linked; what cannot be does not stop the rest', async () => {
    makeDrop()
    await scan('s2')
    const items = ['models/good.onnx', 'models/broken.onnx', 'table', 'recipes/mine.yaml', 'nothing'].map((path) => ({
      id: `drop/${path}`,
      mode: path === 'table' ? ('link' as const) : ('copy' as const),
    }))
    const report = await handlers.importFound(studio.host, { job: 'i2', project: project.id, scan: 's2', items })
    expect(report.imported.map(({ id }) => id)).toEqual([
      'drop/models/good.onnx',
      'drop/table',
      'drop/recipes/mine.yaml',
    ])
    expect(report.failed.map(({ error }) => error.code)).toEqual([expect.stringMatching(/^onnx\./), 'import.unknown'])
    const [imported] = report.imported
    expect(project.models.files(imported?.as ?? '').map((path) => readFileSync(path).length)).toHaveLength(2)
    const [data] = project.datasets()
    expect(data).toMatchObject({ linked: true, reference: join(drop(), 'table'), samples: { train: 30 } })
    expect(project.recipes()).toHaveLength(1)

    // The same bytes again are the same things.
    const third = byName((await scan('s3')).found)
    expect(third.get('models/good.onnx')?.already).toBe(imported?.as)
    expect(third.get('table')?.already).toBe(report.imported[1]?.as)
    const again = await handlers.importFound(studio.host, {
      job: 'i3',
      project: project.id,
      scan: 's3',
      items: items.slice(0, 3),
    })
    expect(again.imported[0]?.as).toBe(imported?.as)
    expect(project.datasets()).toHaveLength(1)

    rmSync(drop(), { recursive: true })
    expect(project.datasets()[0]?.problem?.code).toBe('data.gone')
  })

  test('can be located again when it was linked and has moved, by the same contents only', async () => {
    makeDrop()
    // Labels are part of a model: with others it is another one than that of the tests before.
    writeFileSync(join(drop(), 'models', 'labels.txt'), 'two\nthree\n')
    await scan('s6')
    const items = ['models/good.onnx', 'table'].map((path) => ({ id: `drop/${path}`, mode: 'link' as const }))
    const { imported } = await handlers.importFound(studio.host, { job: 'i6', project: project.id, scan: 's6', items })
    const [id = '', dataset = ''] = imported.map(({ as }) => as)
    const moved = join(drop(), '..', 'moved')
    renameSync(drop(), moved)
    expect(project.models.get(id).problem?.code).toBe('model.gone')
    const at = (path: string) => join(moved, path)
    const model = (path: string) => handlers.locateModel(studio.host, { project: project.id, model: id, path })
    const data = (path: string) => handlers.locateDataset(studio.host, { project: project.id, dataset, path })
    await expect(model(at('models/broken.onnx'))).rejects.toMatchObject({ code: 'model.other' })
    await expect(model(at('models/none.onnx'))).rejects.toMatchObject({ code: 'onnx.unreadable' })
    await expect(data(at('images'))).rejects.toMatchObject({ code: 'data.other' })
    expect((await model(at('models/good.onnx'))).problem).toBeUndefined()
    expect(await data(at('table'))).toMatchObject({ reference: at('table'), linked: true })
    expect(project.models.path(id)).toBe(at('models/good.onnx'))
    expect(project.datasets().every(({ problem }) => problem === undefined)).toBe(true)
    rmSync(moved, { recursive: true })
  })

  test('can be cancelled while it is looked through: what was found by then is the answer', async () => {
    makeDrop()
    for (let i = 0; i < 40; i++) cpSync(model, join(drop(), 'models', `copy-${i}.onnx`))
    const report = scan('s4')
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(await handlers.cancelJob(studio.host, { job: 's4' })).toEqual({ found: true })
    const { cancelled, found } = await report
    expect(cancelled).toBe(true)
    expect(found.length).toBeLessThan(40)
  })
})

describe('a project that changes', () => {
  test('keeps every change, whatever is read from the disk before it is written', async () => {
    const { name } = project.file
    const changes = [project.change({ name: 'first' }), project.change({ sample: false })]
    project.rescan()
    expect(project.file.name).toBe('first')
    await Promise.all(changes)
    project.rescan()
    expect(project.file.name).toBe('first')
    await project.change({ name })
  })
})

describe('a run that is looked at', () => {
  test('shows samples with what the student says of them', async () => {
    const report = await handlers.samples(studio.host, { run: run.key, job: 'a', count: 4, offset: 10 })
    expect(report.samples).toHaveLength(4)
    for (const [i, { index, image, label, student }] of report.samples.entries()) {
      expect(index).toBe(10 + i)
      expect(image?.pixels).toHaveLength(28 * 28)
      expect(label).toBeGreaterThanOrEqual(0)
      expect(student.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4)
    }
    expect(report.classes).toHaveLength(10)
  })

  test('has checkpoints that can be evaluated and exported, the best of them as good as the run', async () => {
    const checkpoints = await handlers.checkpoints(studio.host, { run: run.key })
    const best = checkpoints.find((one) => one.best)
    expect(checkpoints.filter(({ last }) => last)).toHaveLength(1)
    if (!best) throw new Error('no best checkpoint was kept')
    const { checkpoint } = best
    const report = await handlers.evaluateCheckpoint(studio.host, { run: run.key, checkpoint, job: 'b', split: 'test' })
    expect(report['accuracy']).toBe(run.record.result?.['accuracy'])
    const written = await handlers.exportCheckpoint(studio.host, { run: run.key, checkpoint, job: 'c' })
    expect(written.sha256).toBe(run.record.result?.['sha256'])
    expect(written.download).toMatch(/^\/download\/[\w-]{24}$/)
  })

  test('has numbers from any row on, events from any number on, and a log that can be searched', async () => {
    const all = await handlers.metrics(studio.host, { run: run.key, stream: '0-train', fromRow: 0, maxRows: 1000 })
    const rest = await handlers.metrics(studio.host, { run: run.key, stream: '0-train', fromRow: 70, maxRows: 5 })
    expect([all.rows, rest.rows, rest.total, rest.fromRow]).toEqual([80, 5, 80, 70])
    const width = all.columns.length
    expect(rest.values).toEqual(all.values.slice(70 * width, 75 * width))
    const beyond = await handlers.metrics(studio.host, { run: run.key, stream: '0-train', fromRow: 900, maxRows: 5 })
    expect([beyond.rows, beyond.total, beyond.fromRow]).toEqual([0, 80, 80])
    const { events, last } = await handlers.runEvents(studio.host, { run: run.key, after: 0, limit: 1000 })
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
    expect((await handlers.runEvents(studio.host, { run: run.key, after: last - 2, limit: 10 })).events).toHaveLength(2)
    const log = await handlers.log(studio.host, { run: run.key, fromLine: 0, limit: 1000 })
    const some = await handlers.log(studio.host, { run: run.key, fromLine: 0, limit: 10, search: 'CHECKPOINT' })
    expect(log.lines).toHaveLength(log.total)
    expect(some.lines.length).toBeGreaterThan(0)
    expect(some.lines.every(({ text }) => text.includes('checkpoint'))).toBe(true)
  })
})

describe('the machine', () => {
  test('has devices that pass their self-test', async () => {
    const devices = await handlers.devices(studio.host, { refresh: false })
    expect(devices[0]).toMatchObject({ device: 'cpu', kind: 'cpu', available: true })
    const result = await handlers.selfTest(studio.host, { job: 't', device: 'cpu' })
    expect(result).toMatchObject({ ok: true })
    expect(result.samplesPerSecond).toBeGreaterThan(0)
    expect(result.maxError).toBeLessThan(1e-4)
    // It is remembered, and every engine that is missing says why.
    const again = await handlers.devices(studio.host, { refresh: true })
    expect(again[0]?.selfTest).toMatchObject({ samplesPerSecond: result.samplesPerSecond })
    expect(again.filter((d) => !d.available && !d.reason)).toEqual([])
    expect(again.map((d) => d.device)).toEqual(DeviceId.options)
  })

  test('tells how busy it is', async () => {
    const { cpu, memory, disk } = await handlers.system(studio.host, {})
    expect(cpu).toBeGreaterThanOrEqual(0)
    expect(cpu).toBeLessThanOrEqual(1)
    expect(memory.own).toBeGreaterThan(1e7)
    expect(disk.free).toBeLessThanOrEqual(disk.total)
  })

  test('has a bundle for finding faults, without models and data', async () => {
    const { path } = await handlers.diagnostics(studio.host, { job: 'd' })
    const files = unzipSync(readFileSync(path))
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['about.json', 'settings.json', `runs/${run.key}/log.txt`]),
    )
    expect(Object.keys(files).some((name) => name.endsWith('.onnx'))).toBe(false)
    expect(strFromU8(files['about.json'] ?? new Uint8Array())).toContain('"version"')
  })
})

test('a catalog has what a run can be made of', async () => {
  const { recipes, datasets, zoo } = await handlers.catalog(studio.host, { project: project.id })
  expect(recipes.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['built in', 'file']))
  expect(datasets.find(({ id }) => id === 'mnist')?.present).toBe(true)
  expect(zoo.map(({ id }) => id)).toContain('lenet-5')
})

test('a model that something was made from cannot be deleted; another can', async () => {
  const [first] = project.models.list()
  if (!first) throw new Error('there is no model')
  const child = await startTraining(studio, project, { epochs: 1 }, { model: { kind: 'model', model: first.model } })
  const { output } = await studio.until(child, 'succeeded')
  expect(project.models.get(output ?? '').parent).toBe(first.model)
  await expect(handlers.deleteModel(studio.host, { project: project.id, model: first.model })).rejects.toMatchObject({
    code: 'model.used',
  })
  await handlers.deleteModel(studio.host, { project: project.id, model: output ?? '' })
  expect(project.models.has(output ?? '')).toBe(false)
  const detail = await handlers.runDetail(studio.host, { run: child.key })
  expect(detail.references).toContainEqual({ name: 'baseline', accuracy: first.measured?.['accuracy'] })
  await vi.waitFor(() =>
    expect(readdirSync(join(project.path, 'models')).every((name) => !name.startsWith('.adding'))).toBe(true),
  )
})

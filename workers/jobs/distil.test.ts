import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import {
  PairingRequest,
  RunRequest,
  StudentsRequest,
  type Progress,
  type Report,
  type RunEvent,
} from '../protocol/worker.ts'
import { DistilReport, Pairing } from '../protocol/files/methods.ts'
import { columnsOf, streamPath } from '../protocol/files/metrics.ts'
import { buildZoo } from '../zoo/index.ts'
import { runRecipe } from './run.ts'
import { pairingCall, studentsCall } from './student.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-distil-'))
// What teachers say is kept for the person; tests keep it with themselves. Workers inherit it.
process.env['ALAMBIC_CACHE'] = join(root, 'cache')
afterAll(() => rmSync(root, { recursive: true, force: true }))

const teacher = join(root, 'teacher.onnx')
const distil = { step: 'distil', student: 'lenet-5@0.1', epochs: 2, batch: 32, lr: 0.01, validation: 0.2 }

const request = (name: string, step: object, model = teacher) => ({
  recipe: { alambic: 1, name: 'test', steps: [step] },
  model,
  data: 'mnist',
  limit: 1600,
  threads: 1,
  folder: join(root, name),
  output: join(root, `${name}.onnx`),
  checkpointEvery: 0.05,
})

interface Done {
  readonly report: Report
  /** Of the one step. */
  readonly step: Readonly<Record<string, unknown>>
  readonly events: readonly RunEvent[]
}

/** Runs a recipe of one step here. */
async function run(name: string, step: object, model = teacher): Promise<Done> {
  const events: RunEvent[] = []
  const report = await runRecipe(RunRequest.parse(request(name, step, model)), {
    executor: ortCpu,
    listener: { progress: () => undefined, event: (event) => events.push(event) },
    stopping: () => false,
    leaving: () => undefined,
  })
  return { report, step: (report['steps'] as Done['step'][])[0] ?? {}, events }
}

async function inWorker(call: object, watch: (p: Progress, worker: Worker) => void = () => undefined): Promise<Report> {
  const worker: Worker = new Worker({ progress: (p) => watch(p, worker), event: () => undefined })
  try {
    return await worker.call('run', call)
  } finally {
    await worker.close()
  }
}

const weightsOf = async (name: string) => [
  ...(await readModel(join(root, `${name}.onnx`))).model.graph.initializers.keys(),
]

beforeAll(async () => {
  const train = { step: 'train', epochs: 2, batch: 32, lr: 0.005, validation: 0.2 }
  await run('teacher', train, 'lenet-5@0.2')
  await writeModel(buildZoo('lenet-5', { classes: 7 }), join(root, 'classes.onnx'))
  await writeModel(buildZoo('lenet-5', { inputDims: [1, 32, 32] }), join(root, 'input.onnx'))
})

describe('losses', () => {
  test.each([
    ['attention, similarity and relations beside kd', ['kd', 'at', 'sp', 'rkd']],
    ['hints through a regressor', [{ term: 'hint', weight: 1, kernel: 3 }]],
    ['decoupled, with a ramp', [{ term: 'dkd', rampUp: 0.5, beta: 2 }]],
  ] as const)('%s', async (title, losses) => {
    const name = title.replaceAll(' ', '-')
    const { report, step, events } = await run(name, { ...distil, losses })
    expect(report['accuracy']).toBeGreaterThan(0.6)
    expect((await weightsOf(name)).filter((weight) => weight.startsWith('distil.'))).toEqual([])
    const { agreement, throughput } = DistilReport.parse(step)
    expect(agreement?.disagreements.length).toBeGreaterThan(0)
    expect(throughput).toBeGreaterThan(0)
    const diagonal = (table: readonly (readonly number[])[] = []) => table.reduce((n, row, i) => n + (row[i] ?? 0), 0)
    expect(diagonal(agreement?.confusion) / 10_000).toBeCloseTo(agreement?.after ?? 0)
    expect(diagonal(agreement?.confusionBefore) / 10_000).toBeCloseTo(agreement?.before ?? 0)
    const evaluation = columnsOf(streamPath(join(root, name), '0-evaluation'))
    expect(evaluation).toEqual(['step', 'epoch', 'loss', 'accuracy', 'agreement'])
    const terms = losses.map((term) => (typeof term === 'string' ? term : term.term))
    expect(columnsOf(streamPath(join(root, name), '0-train'))).toEqual(expect.arrayContaining(['loss', ...terms]))
    expect(step['agreement']).toMatchObject({ n: 10_000 })
    const { before, after } = step['agreement'] as { before: number; after: number }
    expect(after).toBeGreaterThan(before + 0.3)
    const shown = events.find(({ kind }) => kind === 'pairing')
    const { pairs, outputs, teacher: points, student } = Pairing.parse(shown?.data)
    expect(pairs.length === 0).toBe(title === 'decoupled, with a ramp')
    expect(outputs).toEqual(terms.filter((term) => term === 'kd' || term === 'dkd'))
    for (const pair of pairs) {
      expect(points).toContainEqual(expect.objectContaining({ value: pair.teacher, dims: pair.teacherDims }))
      expect(student).toContainEqual(expect.objectContaining({ value: pair.student, dims: pair.studentDims }))
    }
  })
})

describe('what the teacher says', () => {
  test('is kept for later runs, and gives the same bits', async () => {
    const first = await run('cached-1', { ...distil, temperature: 3 })
    const again = await run('cached-2', { ...distil, temperature: 3 })
    expect(again.report['sha256']).toBe(first.report['sha256'])
    expect(again.step['teacher']).toMatchObject({ cached: true, reused: true, samples: 0 })
    expect(readdirSync(join(root, 'cache', 'teachers')).every((entry) => !entry.includes('writing'))).toBe(true)
  })

  test('is computed for every batch where inputs change or there is no room', async () => {
    const flipped = await run('live-1', { ...distil, epochs: 1, augmentation: { padCrop: { pad: 2 } } })
    expect(flipped.step['teacher']).toMatchObject({ cached: false, because: 'inputs are augmented' })
    const again = await run('live-again', { ...distil, epochs: 1, augmentation: { padCrop: { pad: 2 } } })
    expect(again.report['sha256']).toBe(flipped.report['sha256'])
    const large = await run('live-2', { ...distil, epochs: 1, losses: ['at'], cacheLimit: 0.5 })
    expect(large.step['teacher']).toMatchObject({ cached: false })
    expect((large.step['teacher'] as { because: string }).because).toContain('more than the limit of 0.5 MB')
    expect((large.step['teacher'] as { throughput: number }).throughput).toBeGreaterThan(0)
  })
})

describe('strategies', () => {
  const one = { ...distil, epochs: 1 }
  test.each([
    ['mutual', { peers: 2 }],
    ['branches', { peers: 2 }],
    ['self', {}],
    ['born-again', { generations: 2 }],
    ['assistant', { assistants: ['lenet-5@0.15'] }],
    ['progressive', {}],
  ] as const)('%s gives a student without anything beside it', async (strategy, more) => {
    const { report } = await run(strategy, { ...one, ...more, strategy })
    expect(report['accuracy']).toBeGreaterThan(0.4)
    expect((await weightsOf(strategy)).sort()).toEqual(
      [
        'conv1.bias',
        'conv1.weight',
        'conv2.bias',
        'conv2.weight',
        'ip1.bias',
        'ip1.weight',
        'ip2.bias',
        'ip2.weight',
      ].sort(),
    )
  })

  test('several teachers are one', async () => {
    const { report } = await run('ensemble', { ...one, teacher: [teacher, 'lenet-5@0.3'] })
    expect(report['accuracy']).toBeGreaterThan(0.4)
  })

  test('a chain that was killed in its second phase goes on bit for bit', async () => {
    const chain = { ...one, strategy: 'born-again', generations: 2 }
    const whole = await run('chain', chain)
    const kill = (p: Progress, worker: Worker) => {
      if (p.activity === 'train generation-2' && p.done >= 12) void worker.close()
    }
    await expect(inWorker(request('chain-killed', chain), kill)).rejects.toMatchObject({ code: 'worker.died' })
    const resumed = await inWorker({ ...request('chain-killed', chain), resume: true })
    expect(resumed['sha256']).toBe(whole.report['sha256'])
    const metrics = (name: string) =>
      readFileSync(join(root, name, 'metrics', '0-train.generation-2.f64')).toString('hex')
    expect(metrics('chain-killed')).toBe(metrics('chain'))
  })
})

describe('students of the teacher’s own graph', () => {
  test('start from its weights and beat what they start with', async () => {
    const { report, step, events } = await run('auto', { ...distil, student: 'auto', epochs: 1 })
    expect(events.some(({ kind, data }) => kind === 'note' && String(data['text']).includes('by auto'))).toBe(true)
    expect(report['params']).toBe(costOf(buildZoo('lenet-5', { width: 0.1 }).graph, { N: 1 }).params)
    const { before, after } = step['agreement'] as { before: number; after: number }
    expect(after).toBeGreaterThan(before)
  })

  test('are shown with their counts and latency', async () => {
    const environment = { executor: () => Promise.resolve(ortCpu) }
    const request = StudentsRequest.parse({ model: teacher, runs: 3, threads: 1 })
    const { students, refused } = (await studentsCall(request, environment)) as {
      students: { student: string; params: number; latency?: unknown }[]
      refused: { student: string }[]
    }
    expect(students.map((row) => row.student)).toContain('thin:0.5')
    expect(students.every((row) => row.params > 0)).toBe(true)
    expect(refused.map((row) => row.student)).toContain('shallow')
    const counted = await studentsCall({ ...request, measure: false }, environment)
    expect(counted['students']).toEqual(students.map(({ latency: _timed, ...row }) => row))
    expect(students.every(({ latency }) => latency !== undefined)).toBe(true)
  })

  test('are paired layer by layer', async () => {
    const { pairs, teacher: column } = (await pairingCall(
      PairingRequest.parse({ teacher, student: 'lenet-5@0.1', losses: ['at'] }),
    )) as { pairs: { teacher: string }[]; teacher: { value: string }[] }
    expect(pairs.map((p) => p.teacher)).toEqual(['conv1', 'pool1', 'conv2', 'pool2'])
    expect(column.map((p) => p.value)).toEqual(['conv1', 'pool1', 'conv2', 'pool2', 'flatten', 'ip1', 'relu1'])
  })

  test('are paired before they are made, and what does not fit is told beside the layers', async () => {
    const asked = { teacher, student: 'thin:0.5', losses: ['kd', 'at'], explain: true }
    const thin = await pairingCall(PairingRequest.parse(asked))
    const { pairs, outputs } = Pairing.parse(thin)
    expect(pairs.map(({ bridge }) => bridge.kind)).toEqual(['attention', 'attention', 'attention', 'attention'])
    expect(outputs).toEqual(['kd'])
    const wrong = { ...asked, pairs: [{ student: 'pool3', teacher: 'pool1' }] }
    const told = await pairingCall(PairingRequest.parse(wrong))
    expect(told['problem']).toMatchObject({ code: 'distil.unknown-feature', subject: 'pool3' })
    expect(Pairing.parse(told).student.length).toBeGreaterThan(4)
  })
})

describe('bad input', () => {
  test.each([
    ['another number of classes', { student: join(root, 'classes.onnx') }, 'distil.classes'],
    ['another input', { student: join(root, 'input.onnx') }, 'distil.preprocessing'],
    [
      'a name that no layer has',
      { losses: ['at'], pairs: [{ student: 'pool3', teacher: 'pool1' }] },
      'distil.unknown-feature',
    ],
    ['a chain of nothing', { strategy: 'assistant' }, 'distil.no-assistants'],
    ['a loss that is none', { losses: ['kdd'] }, 'recipe.invalid'],
  ] as const)('%s', async (title, more, code) => {
    await expect(run(title.replaceAll(' ', '-'), { ...distil, ...more })).rejects.toMatchObject({ code })
  })

  test('a student larger than its teacher is a warning', async () => {
    const { events } = await run('larger', { ...distil, student: 'lenet-5@0.4', epochs: 1 })
    expect(events.find(({ kind }) => kind === 'warning')?.data).toMatchObject({ code: 'distil.larger-student' })
  })
})

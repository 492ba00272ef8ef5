import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { modelOf, type Model } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { mulberry32 } from '../graph/random.ts'
import { verify } from '../graph/verify.ts'
import { inspectModel } from '../jobs/inspect.ts'
import { corpus } from '../onnx/corpus/index.ts'
import { mutated } from '../onnx/corpus/mutate.ts'
import { decodeModel, encodeForRuntime, type Limits } from '../onnx/index.ts'
import { typeProblems } from '../ops/infer.ts'
import { AlambicError } from '../protocol/errors.ts'
import { writeReport } from './assets.ts'
import { GuardedRuntime, type Outcome } from './guarded.ts'

/*
 * What a person drops on the window may be anything. Every file is refused in words or is a graph that can be
 * inspected, within 5 s and 1 GiB; only models that our own reader accepted and our own writer wrote reach the native
 * runtime, and only in a child with a watchdog.
 */
const models = join(import.meta.dirname, 'models')
const seeds: readonly Uint8Array[] = [
  ...Object.values(corpus)
    .filter((c) => c.limits === undefined && c.bytes.length < 3000)
    .map((c) => c.bytes),
  ...globSync('*.onnx', { cwd: models })
    .toSorted()
    .map((name) => new Uint8Array(readFileSync(join(models, name))))
    .filter((bytes) => bytes.length < 30_000),
]

/** How many are damaged, and how many of those that are still models run natively. */
const [count, runs] = process.env['ALAMBIC_LONG'] ? [10_000, 10_000] : [10_000, 300]
const LIMIT_MS = 5000
const LIMIT_BYTES = 2 ** 30

const guard = new GuardedRuntime({ milliseconds: LIMIT_MS, bytes: LIMIT_BYTES })
/** Where the end is what counts, however busy the machine is. */
const patient = new GuardedRuntime({ milliseconds: 60_000, bytes: LIMIT_BYTES })
afterAll(() => [guard, patient].forEach((each) => each.close()))

/** A model that reads, verifies, types and inspects; undefined where one of them says no in words. */
function opened(bytes: Uint8Array, limits: Partial<Limits> = {}): Model | undefined {
  try {
    const model = decodeModel(bytes, { limits })
    verify(model.graph, { types: (graph) => typeProblems(graph, model.functions) })
    JSON.stringify(inspectModel(model))
    return model
  } catch (error) {
    if (error instanceof AlambicError) return undefined
    throw error
  }
}

test(`${count} damaged models are refused in words or inspected, in time; up to ${runs} of those run in a guarded child`, async () => {
  const random = mulberry32(11)
  const outcomes = new Map<Outcome | 'faulty', number>()
  const add = (outcome: Outcome | 'faulty') => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  const valid: Model[] = []
  let slowest = 0
  for (let i = 0; i < count; i++) {
    const bytes = mutated(seeds[i % seeds.length] as Uint8Array, random)
    const started = performance.now()
    const model = opened(bytes)
    slowest = Math.max(slowest, performance.now() - started)
    if (!model) add('faulty')
    else if (valid.length < runs) valid.push(model)
  }
  expect(slowest).toBeLessThan(LIMIT_MS)
  expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(LIMIT_BYTES)
  for (const model of valid) add(await guard.run(encodeForRuntime(model)))
  expect(valid.length).toBeGreaterThan(100)
  expect(outcomes.get('faulty')).toBeGreaterThan(100)
  expect(outcomes.get('ran')).toBeGreaterThan(20)
  writeReport('front-door', [
    '# Damaged models',
    '',
    `${count} files with random changes; the slowest took ${slowest.toFixed(0)} ms to refuse or inspect.`,
    `${valid.length} of those that still verify were given to onnxruntime, in a child with a watchdog:`,
    ...[...outcomes].filter(([outcome]) => outcome !== 'faulty').map(([outcome, n]) => `- ${outcome}: ${n}`),
  ])
}, 1_800_000)

test('so are all crafted files', () => {
  const slowest = Object.values(corpus).reduce((worst, { bytes, limits }) => {
    const started = performance.now()
    opened(bytes, limits)
    return Math.max(worst, performance.now() - started)
  }, 0)
  expect(Object.keys(corpus).length).toBeGreaterThanOrEqual(80)
  expect(slowest).toBeLessThan(LIMIT_MS)
  expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(LIMIT_BYTES)
})

const encoded = (text: string): Uint8Array => encodeForRuntime(modelOf(parse(text)))
const healthy = encoded('graph (x: f32[2]) -> (y: f32[2]) opset 18 { y = Relu(x) }')

test('a file that crashes the runtime costs the child only', async () => {
  // onnxruntime ends with a segmentation fault on a float16 GRU (seen in 1.30 from Node and in 1.32 from Python).
  const outcome = await patient.run(new Uint8Array(readFileSync(join(models, 'speech-vad-fp16.onnx'))))
  if (process.platform === 'linux' && process.arch === 'x64') expect(outcome).toBe('crashed')
  expect(await patient.run(healthy)).toBe('ran')
})

test('a model that never ends is stopped', async () => {
  const loop = encoded(`graph (x: f32[2]) -> (y: f32[2]) opset 18 {
    const n: i64[] = 9223372036854775807  const go: bool[] = [1]
    y = Loop(n, go, x) {body = graph (i: i64[], c: bool[], v: f32[2]) -> (d, w) { d = Identity(c)  w = Tanh(v) }}
  }`)
  const strict = new GuardedRuntime({ milliseconds: 1500, bytes: LIMIT_BYTES })
  expect(await strict.run(loop)).toBe('too slow')
  strict.close()
  expect(await patient.run(healthy)).toBe('ran')
})

test('a model that wants too much memory is stopped', async (context) => {
  if (process.platform !== 'linux') return context.skip('only Linux says in a file how much memory a process has')
  // Three gibibytes from a file of a hundred bytes.
  const greedy = encoded(`graph (x: f32[1]) -> (y: f32[1]) opset 18 {
    const s: i64[3] = [768, 1024, 1024]  h = Expand(x, s)  t = Tanh(h)  u = Add(t, h)  const a: i64[2] = [1, 2]
    r = ReduceSum(u, a) {keepdims = 0}  const z: i64[1] = [0]  y = ReduceSum(r, z)
  }`)
  expect(await patient.run(greedy)).toBe('too much memory')
  expect(await patient.run(healthy)).toBe('ran')
})

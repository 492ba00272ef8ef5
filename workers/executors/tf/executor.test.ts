import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, i64, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { stepOf, twoSteps } from '../../testing/conformance/corpus.ts'
import { tensorFlowJs } from '../../testing/conformance/tensorflow-js.ts'
import { METRICS } from '../../train/step.ts'
import { loadEngine, unavailable } from '../engines.ts'
import { tfExecutor } from './executor.ts'
import type { Backend } from './tensorflow.ts'

let tf: Backend
beforeAll(async () => {
  tf = await tensorFlowJs()
})

const compile = (text: string) => tfExecutor(tf).compile(parse(text))

describe('memory', () => {
  test('stays as it is from step to step, and is all given back', async () => {
    const before = tf.memory()
    const step = stepOf('padded max pool of ties')
    const program = await tfExecutor(tf).compile(step.graph, { state: step.state })
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    const feeds = {
      x: tensorOf(
        'f32',
        [4, 4, 9, 9],
        Float32Array.from({ length: 1296 }, (_, i) => Math.sin(i)),
      ),
      labels: i64([1, 2, 3, 4]),
    }
    const counts: number[] = []
    for (let i = 1; i <= 6; i++) {
      const results = await program.run({ ...feeds, ...step.hyper(i, 1e-2) })
      expect(results[METRICS]?.dtype).toBe('f32')
      counts.push(tf.memory().numTensors)
    }
    // The first step makes the forms of constants that the others read.
    expect(new Set(counts.slice(1)).size).toBe(1)
    await program.dispose()
    expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes })
  })

  test('is given back by a node that fails', async () => {
    const program = await compile(
      'graph (x: f32[8,9], s: i64[2]) -> (y) opset 18 { a = Relu(x) b = Tanh(a) y = Reshape(b, s) }',
    )
    const before = tf.memory().numTensors
    const x = f32(new Float32Array(72), [8, 9])
    await expect(program.run({ x, s: i64([5, 5]) })).rejects.toMatchObject({ code: 'tf.failed', subject: 'y' })
    expect(tf.memory().numTensors).toBe(before)
    await program.run({ x, s: i64([9, 8]) })
    expect(tf.memory().numTensors).toBe(before)
  })

  test('an output that is an input, and a state that does not change, live on', async () => {
    const program = await tfExecutor(tf).compile(
      parse('graph (x: f32[64], s: f32[64]) -> (y, t, z) opset 18 { y = Identity(x) t = Identity(s) z = Add(x, s) }'),
      { state: [{ input: 's', output: 't' }] },
    )
    await program.writeState({ s: f32(new Float32Array(64).fill(2)) })
    const x = f32(new Float32Array(64).fill(3))
    for (let i = 0; i < 3; i++) {
      const { y, z } = await program.run({ x })
      expect([arrayOf(y as Tensor)[0], arrayOf(z as Tensor)[63]]).toEqual([3, 5])
    }
    const [state] = Object.values(await program.readState())
    expect(arrayOf(state as Tensor)[1]).toBe(2)
  })
})

describe('what it does not do, it says before anything runs', () => {
  test.each([
    ['y = NonMaxSuppression(x, x)', 'tf.unsupported', /NonMaxSuppression.*nothing/],
    ['y = Pad(x, p) {mode = "edge"}', 'tf.unsupported', /mode "edge"/],
    ['y, i = MaxPool(x) {kernel_shape = [2]}', 'tf.unsupported', /Indices/],
    ['h = Cast(x) {to = 11} y = Sqrt(h)', 'tf.dtype', /f64/],
  ])('%s', async (body, code, message) => {
    const graph = `graph (x: f32[2,3,70], p: i64[6]) -> (y) opset 18 { ${body} }`
    await expect(compile(graph)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
  })

  test('a type that an operator would be decomposed with', async () => {
    const graph = 'graph (x: f16[2,3]) -> (y) opset 18 { y = LayerNormalization(x, x) }'
    await expect(compile(graph)).rejects.toMatchObject({
      code: 'tf.dtype',
      fix: expect.stringMatching(/float32/) as string,
    })
  })

  test('that it is not installed, and how to get it', async () => {
    vi.stubEnv('ALAMBIC_HOME', join(tmpdir(), 'alambic-nothing-here'))
    try {
      const error = { code: 'device.no-engine', subject: 'tf' }
      await expect(loadEngine('tf')).rejects.toMatchObject(error)
      if (process.platform === 'linux' && process.arch === 'x64')
        expect(unavailable('tf')?.fix).toMatch(/engines add tf/)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('an integer that has more than 32 bits', async () => {
    const program = await compile('graph (i: i64[2000]) -> (y) opset 18 { y = Neg(i) }')
    const large = BigInt64Array.from({ length: 2000 }, () => 2n ** 40n)
    await expect(program.run({ i: tensorOf('i64', [2000], large) })).rejects.toMatchObject({ code: 'tf.range' })
  })

  test('a state that was not written', async () => {
    const program = await tfExecutor(tf).compile(parse('graph (s: f32[2]) -> (t) { t = Neg(s) }'), {
      state: [{ input: 's', output: 't' }],
    })
    await expect(program.run({})).rejects.toMatchObject({ code: 'executor.no-state' })
  })
})

test('two runs give the same bits', async () => {
  const step = stepOf('grouped')
  const [a, b] = [await twoSteps(tfExecutor(tf), step, 3), await twoSteps(tfExecutor(tf), step, 3)]
  expect(a).toEqual(b)
})

test('sizes that only a device would compute wrong are whole numbers of 64 bits', async () => {
  const program = await compile(
    'graph (x: f32[70]) -> (y) opset 18 { s = Shape(x) const big: i64[1] = [4294967296] a = Mul(s, big) const b: i64[1] = [4294967296] d = Div(a, b) y = Reshape(x, d) }',
  )
  const { y } = await program.run({ x: f32(new Float32Array(70)) })
  expect(y?.dims).toEqual([70])
})

import { describe, expect, test } from 'vitest'
import type { Attribute } from '../../graph/attributes.ts'
import type { LocalFunction } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { arrayOf, f32, i64 } from '../../graph/tensor.ts'
import { evaluate } from './evaluate.ts'
import { referenceExecutor, referenceExecutorFor } from './executor.ts'
import { floatArray, type NdArray } from './value.ts'

const floatsOf = (value: unknown): number[] => [...((value as NdArray).data as Float64Array)]

describe('evaluate', () => {
  test('float32 results are rounded at every node, but not in f64', () => {
    const graph = parse('graph (x: f32[1]) -> (y) { h = Add(x, x) y = Mul(h, x) }')
    const x = floatArray('f32', [1], Float64Array.of(0.1))
    expect(floatsOf(evaluate(graph, { x })['y'])).toEqual([Math.fround(Math.fround(0.2) * Math.fround(0.1))])
    expect(floatsOf(evaluate(graph, { x }, { precision: 'f64' })['y'])).toEqual([0.2 * 0.1])
  })

  test('what is fed is rounded too, on a copy', () => {
    const graph = parse('graph (x: f32[1]) -> (y) { y = Identity(x) }')
    const x = floatArray('f32', [1], Float64Array.of(0.1))
    expect(floatsOf(evaluate(graph, { x })['y'])).toEqual([Math.fround(0.1)])
    expect(floatsOf(x)).toEqual([0.1])
  })

  test('an input with a default value need not be fed, and may be', () => {
    const graph = parse('graph (x: f32[2]) -> (y) { y = Add(x, w) const w: f32[2] = [1, 2] }')
    const withDefault = graph.with({ inputs: [...graph.inputs, { name: 'w', type: { kind: 'unknown' } }] })
    expect(floatsOf(evaluate(withDefault, { x: f32([1, 1]) })['y'])).toEqual([2, 3])
    expect(floatsOf(evaluate(withDefault, { x: f32([1, 1]), w: f32([5, 5]) })['y'])).toEqual([6, 6])
  })

  test('a missing feed and an unknown operator are named before anything runs', () => {
    const graph = parse('graph (x) -> (y) { h = Relu(x) y = Frobnicate(h) }')
    expect(() => evaluate(graph, { x: f32([1]) })).toThrow('(Frobnicate): the reference executor has no definition')
    expect(() => evaluate(parse('graph (x) -> (y) { y = Relu(x) }'), {})).toThrow('input "x" was not fed')
  })

  test('an unknown operator inside a branch that is not taken is named too', () => {
    const graph = parse(`graph (c, x) -> (y) {
      y = If(c) {then_branch=graph () -> (a) { a = Relu(x) }, else_branch=graph () -> (b) { b = com.acme.Secret(x) }}
    }`)
    expect(() => evaluate(graph, {})).toThrow('com.acme.Secret')
  })

  test('errors of a node name it', () => {
    const graph = parse('graph (x, w) -> (y) { y = Conv(x, w) {group=3} }')
    const feeds = { x: f32(new Float32Array(16), [1, 4, 2, 2]), w: f32(new Float32Array(16), [16, 1, 1, 1]) }
    expect(() => evaluate(graph, feeds)).toThrow('(Conv): group=3 does not divide 4 input channels')
  })

  test('a reshape into rows that do not come out even', () => {
    const graph = parse('graph (x: f32[2]) -> (y) { const s: i64[2] = [-1, 3] y = Reshape(x, s) }')
    expect(() => evaluate(graph, { x: f32([1, 2]) })).toThrow('(Reshape): the number of elements would change')
  })

  test('a body reads the graph around it', () => {
    const graph = parse(`graph (n, c, x: f32[2]) -> (last, all) {
      last, all = Loop(n, c, x) {body=graph (i, going, h) -> (going2, h2, h2) {
        going2 = Identity(going)
        h2 = Add(h, x)
      }}
    }`)
    const feeds = { n: i64([3], []), c: { dtype: 'bool', dims: [], bytes: Uint8Array.of(1) } as const, x: f32([1, 10]) }
    const values = evaluate(graph, feeds)
    expect(floatsOf(values['last'])).toEqual([4, 40])
    expect(values['all']).toMatchObject({ dims: [3, 2] })
    expect(floatsOf(values['all'])).toEqual([2, 20, 3, 30, 4, 40])
  })
})

/** LeakyScale(x, s?) {slope = 0.5} = LeakyRelu(x)·s */
const leakyScale: LocalFunction = {
  domain: 'acme',
  name: 'LeakyScale',
  overload: '',
  inputs: ['x', 'low', 'high'],
  outputs: ['y'],
  attributeNames: [],
  attributeDefaults: { slope: { kind: 'float', value: 0.5 } },
  nodes: [
    {
      name: 'leaky',
      op: 'LeakyRelu',
      domain: '',
      inputs: ['x'],
      outputs: ['h'],
      attributes: { alpha: { kind: 'reference', value: 'slope', of: 'float' } satisfies Attribute },
    },
    { name: 'clip', op: 'Clip', domain: '', inputs: ['h', 'low', 'high'], outputs: ['y'], attributes: {} },
  ],
  opsets: new Map([['', 17]]),
  types: new Map(),
}

describe('functions of the model', () => {
  const x = f32([-4, 4])
  const run = (text: string) => floatsOf(evaluate(parse(text), { x }, { functions: [leakyScale] })['y'])

  test('are expanded, with their default attributes and without their optional inputs', () => {
    expect(run('graph (x) -> (y) { y = acme.LeakyScale(x) }')).toEqual([-2, 4])
  })

  test('with given attributes and inputs', () => {
    expect(run('graph (x) -> (y) { y = acme.LeakyScale(x, low) {slope=0.25} const low: f32[] = -0.5 }')).toEqual([
      -0.5, 4,
    ])
  })

  test('are run by an executor that knows them', async () => {
    const graph = parse('graph (x) -> (y) { y = acme.LeakyScale(x) }')
    await expect(referenceExecutor.compile(graph)).rejects.toMatchObject({ code: 'reference.unsupported' })
    const program = await referenceExecutorFor([leakyScale]).compile(graph)
    expect(await program.run({ x })).toEqual({ y: f32([-2, 4]) })
  })
})

describe('a program with state', () => {
  const graph = parse('graph (w: f32[2], g: f32[2]) -> (w2, norm) { w2 = Sub(w, g) norm = ReduceSum(w2) {keepdims=0} }')
  const state = [{ input: 'w', output: 'w2' }]

  test('reads next time what it put out', async () => {
    const program = await referenceExecutor.compile(graph, { state })
    await program.writeState({ w: f32([5, 5]) })
    expect(await program.run({ g: f32([1, 2]) })).toEqual({ norm: f32([7], []) })
    expect(await program.run({ g: f32([1, 2]) })).toEqual({ norm: f32([4], []) })
    const { w } = await program.readState()
    expect(w && [...arrayOf(w)]).toEqual([3, 1])
  })

  test('must be written first, and only its own', async () => {
    const program = await referenceExecutor.compile(graph, { state })
    await expect(program.run({ g: f32([1, 2]) })).rejects.toMatchObject({ code: 'reference.no-state', subject: 'w' })
    await expect(program.writeState({ g: f32([1, 2]) })).rejects.toMatchObject({ code: 'reference.no-state' })
  })
})

import { describe, expect, test } from 'vitest'
import { modelOf, type Graph, type LocalFunction, type Node } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { verify } from '../../graph/verify.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import {
  constantsToInitializers,
  foldShapes,
  inlineFunctions,
  removeDead,
  removeDropout,
  removeFinalSoftmax,
  removeIdentities,
  simplify,
} from '../index.ts'

async function sameResults(before: Graph, after: Graph, tolerance = 1e-6): Promise<void> {
  const feeds = randomFeeds(before)
  const expected = await runInOnnxruntime(before, feeds)
  const found = await runInOnnxruntime(after, feeds)
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  for (const [name, { values }] of Object.entries(expected)) {
    expect(largestDifference(values, found[name]?.values ?? [])).toBeLessThan(tolerance)
  }
}

const checked = (graph: Graph): string => {
  verify(graph)
  return print(graph)
}

describe('constants', () => {
  test('of every kind become initializers of their names', () => {
    const graph = parse(`graph (x: f32[2]) -> (y, kept) {
      a = Constant() {value_float=1.5}
      b = Constant() {value_floats=[1, 2]}
      c = Constant() {value_int=3}
      d = Constant() {value_ints=[4, 5]}
      e = Constant() {value_strings=["u", "v"]}
      kept = Constant() {value_float=2}
      h = Add(x, a)  y = Mul(h, b)
    }`)
    const { graph: after, report } = constantsToInitializers(graph)
    expect(report.changes).toHaveLength(5)
    expect(checked(after)).toMatchInlineSnapshot(`
      "graph main (x: f32[2]) -> (y, kept) opset 17 {
        const a: f32[] = 1.5
        const b: f32[2] = [1, 2]
        const c: i64[] = 3
        const d: i64[2] = [4, 5]
        const e: string[2] = ["u", "v"]
        kept = Constant() {value_float = 2.0}
        h = Add(x, a)
        y = Mul(h, b)
      }"
    `)
  })

  test('of 64 bits keep every digit', () => {
    const graph = parse('graph () -> (y) { a = Constant() {value_int=9007199254740993}  y = Neg(a) }')
    const tensor = constantsToInitializers(graph).graph.initializers.get('a')
    expect(new BigInt64Array(tensor?.bytes.slice().buffer as ArrayBuffer)[0]).toBe(9007199254740993n)
  })

  test('inside branches stay inside', () => {
    const graph = parse(`graph (c: bool[], x: f32[2]) -> (y) {
      y = If(c) {
        then_branch = graph () -> (a) { k = Constant() {value_float=2}  a = Mul(x, k) },
        else_branch = graph () -> (b) { b = Constant() {value_floats=[1, 1]} }
      }
    }`)
    expect(checked(constantsToInitializers(graph).graph)).toMatchInlineSnapshot(`
      "graph main (c: bool[], x: f32[2]) -> (y) opset 17 {
        y = If(c) {
          else_branch = graph main () -> (b) {
            b = Constant() {value_floats = [1.0, 1.0]}
          },
          then_branch = graph main () -> (a) {
            const k: f32[] = 2
            a = Mul(x, k)
          }
        }
      }"
    `)
  })

  test('a graph without any comes back as it is', () => {
    const graph = parse('graph (x: f32[2]) -> (y) { y = Relu(x) }')
    expect(constantsToInitializers(graph)).toEqual({ graph, report: { modified: false, changes: [] } })
    expect(constantsToInitializers(graph).graph).toBe(graph)
  })
})

describe('identities', () => {
  test('go, chains of them too, and outputs keep their names', () => {
    const graph = parse(`graph (x: f32[2]) -> (y, z) {
      a = Identity(x)  b = Identity(a)  r = Relu(b)
      y = Identity(r)  z = Neg(r)
    }`)
    expect(checked(removeIdentities(graph).graph)).toMatchInlineSnapshot(`
      "graph main (x: f32[2]) -> (y, z) opset 17 {
        y = Relu(x) "r"
        z = Neg(y)
      }"
    `)
  })

  test('stay where an output would be an input, a constant or another output', () => {
    const graph = parse(`graph (x: f32[2]) -> (a, b, y, z) {
      const w: f32[2] = 1
      a = Identity(x)  b = Identity(w)  y = Relu(x)  z = Identity(y)
    }`)
    expect(removeIdentities(graph).graph).toBe(graph)
  })

  test('two outputs of one value keep one copy', () => {
    const graph = parse('graph (x: f32[2]) -> (y, z) { r = Relu(x)  y = Identity(r)  z = Identity(r) }')
    expect(checked(removeIdentities(graph).graph)).toMatchInlineSnapshot(`
      "graph main (x: f32[2]) -> (y, z) opset 17 {
        y = Relu(x) "r"
        z = Identity(y)
      }"
    `)
  })

  test('are looked through from branches, and go inside them', () => {
    const graph = parse(`graph (c: bool[], x: f32[2]) -> (y) {
      h = Relu(x)  a = Identity(h)
      y = If(c) {
        then_branch = graph () -> (t) { i = Identity(a)  t = Neg(i) },
        else_branch = graph () -> (e) { e = Identity(a) }
      }
    }`)
    expect(checked(removeIdentities(graph).graph)).toMatchInlineSnapshot(`
      "graph main (c: bool[], x: f32[2]) -> (y) opset 17 {
        h = Relu(x)
        y = If(c) {
          else_branch = graph main () -> (e) {
            e = Identity(h)
          },
          then_branch = graph main () -> (t) {
            t = Neg(h)
          }
        }
      }"
    `)
  })
})

describe('dropout', () => {
  const text = `graph (x: f32[2]) -> (y) {
    const r: f32[] = 0.5  const on: bool[] = 1  const off: bool[] = 0
    a = Relu(x)  b = Dropout(a, r)  c = Dropout(b, r, off)  d = Dropout(c, r, on)  e, m = Dropout(d, r)
    n = Cast(m) {to=1}  y = Add(e, n)
  }`

  test('goes where it does nothing', () => {
    const { graph, report } = removeDropout(parse(text))
    expect(report.changes).toEqual(['Dropout "b" removed', 'Dropout "c" removed'])
    expect(graph.nodes.map((node) => `${node.op}(${node.inputs.join(', ')})`)).toEqual([
      'Relu(x)',
      'Dropout(a, r, on)',
      'Dropout(d, r)',
      'Cast(m)',
      'Add(e, n)',
    ])
  })

  test('stays in what is to be trained, unless told', () => {
    const ops = (graph: Graph) => graph.nodes.filter((node) => node.op === 'Dropout').length
    expect(ops(simplify(parse(text)))).toBe(4)
    expect(ops(simplify(parse(text), { dropout: true }))).toBe(2)
  })
})

describe('dead code', () => {
  test('goes with its constants; inputs and their defaults stay', () => {
    const graph = parse(`graph (x: f32[2], unused: f32[2], d: f32[2]) -> (y) {
      const w: f32[2] = 1  const v: f32[2] = 2  const d: f32[2] = 3
      a = Mul(x, w)  b = Neg(a)  y = Add(x, v)
    }`)
    const { graph: after, report } = removeDead(graph)
    expect(report.changes).toEqual(['removed what nothing reads: 2 nodes, 1 constants'])
    expect(checked(after)).toMatchInlineSnapshot(`
      "graph main (x: f32[2], unused: f32[2], d: f32[2]) -> (y) opset 17 {
        const v: f32[2] = 2
        const d: f32[2] = 3
        y = Add(x, v)
      }"
    `)
    expect(removeDead(after).graph).toBe(after)
  })
})

describe('the final softmax', () => {
  const cut = (text: string) => removeFinalSoftmax(parse(text))

  test('goes; the output has the name of the logits', () => {
    const { graph, report } = cut('graph (x: f32[N,4]) -> (p: f32[N,4]) { z = Relu(x)  p = Softmax(z) }')
    expect(checked(graph)).toMatchInlineSnapshot(`
      "graph main (x: f32[N,4]) -> (z: f32[N,4]) opset 17 {
        z = Relu(x)
      }"
    `)
    expect(report).toEqual({ modified: true, changes: ['Softmax "p" before the output "p" removed'] })
  })

  test('goes from before a Flatten, whose name stays', () => {
    const { graph } = cut('graph (x: f32[N,4,1,1]) -> (p) { z = Relu(x)  s = Softmax(z) {axis=1}  p = Flatten(s) }')
    expect(graph.nodes.map((node) => `${node.outputs[0]} = ${node.op}(${node.inputs.join()})`)).toEqual([
      'z = Relu(x)',
      'p = Flatten(z)',
    ])
  })

  test('takes its output with it where the logits are put out already', () => {
    const { graph } = cut('graph (x: f32[N,4]) -> (p, z) { z = Relu(x)  p = Softmax(z) }')
    verify(graph)
    expect(graph.outputs.map((v) => v.name)).toEqual(['z'])
  })

  test('goes when it is spelled out, with or without the maximum taken off', () => {
    const shapes = 'const one: i64[1] = [1]  const low: f32[1] = [-1e30]  z = Relu(x)'
    const over = 'q = ReduceSum(e, one) {keepdims = 0}  u = Unsqueeze(q, one)  p = Div(e, u)'
    const stable = `${shapes}  m = ReduceMax(z) {axes = [1]}  b = Max(low, m)  d = Sub(z, b)  e = Exp(d)  ${over}`
    for (const body of [stable, `${shapes}  e = Exp(z)  ${over}`]) {
      const { graph } = cut(`graph (x: f32[N,4]) -> (p: f32[N,4]) opset 15 { ${body} }`)
      expect(graph.nodes.map((node) => node.op)).toEqual(['Relu'])
      expect(graph.outputs.map((v) => v.name)).toEqual(['z'])
    }
    // A quotient of something else, and a difference from something else, are what they are.
    const other = `${shapes}  m = ReduceMax(x) {axes = [1]}  d = Sub(z, m)  e = Exp(d)  ${over}`
    expect(cut(`graph (x: f32[N,4]) -> (p: f32[N,4]) opset 15 { ${other} }`).graph.outputs[0]?.name).toBe('d')
    const plain = cut(
      `graph (x: f32[N,4]) -> (p) opset 15 { const one: i64[1] = [1]  e = Exp(x)  q = ReduceSum(x, one)  p = Div(e, q) }`,
    )
    expect(plain.report.modified).toBe(false)
  })

  test.each([
    ['inside the net', 'graph (x: f32[N,4]) -> (y) { s = Softmax(x)  y = MatMul(s, x) }'],
    ['absent', 'graph (x: f32[N,4]) -> (y) { y = Relu(x) }'],
    ['the whole net', 'graph (x: f32[N,4]) -> (y) { y = Softmax(x) }'],
  ])('stays when %s', (_, text) => {
    const graph = parse(text)
    expect(removeFinalSoftmax(graph).graph).toBe(graph)
  })
})

describe('shape arithmetic', () => {
  test('that inference knows becomes constants', async () => {
    const graph = inferTypes(
      parse(`graph (x: f32[2,3,4]) -> (y: f32) {
        const first: i64[1] = [0]  const zero: i64[1] = [0]  const minus: i64[1] = [-1]
        s = Shape(x)  n = Gather(s, first)  t = Concat(n, minus) {axis=0}
        y = Reshape(x, t)
      }`),
    )
    const { graph: after } = foldShapes(graph)
    expect(checked(after)).toMatchInlineSnapshot(`
      "graph main (x: f32[2,3,4]) -> (y: f32[2,12]) opset 17 {
        const t: i64[2] = [2, -1]
        y = Reshape(x, t)
      }"
    `)
    await sameResults(graph, after)
  })

  test('of symbolic sizes stays, and so do floats and outputs', () => {
    const graph = inferTypes(
      parse(`graph (x: f32[N,3], q: f32[5]) -> (y, s2) {
        s = Shape(x)  s2 = Shape(q)  c = Cast(s2) {to=1}  r = Cast(s) {to=1}
        t = Sum(c, r)  y = Identity(t)
      }`),
    )
    expect(foldShapes(graph).graph).toBe(graph)
  })
})

const call = (op: string, inputs: readonly string[], outputs: readonly string[], more: Partial<Node> = {}): Node => ({
  name: outputs[0] ?? '',
  op,
  domain: '',
  inputs,
  outputs,
  attributes: {},
  ...more,
})

const localFunction = (name: string, text: string, more: Partial<LocalFunction> = {}): LocalFunction => {
  const body = parse(text)
  return {
    domain: 'local',
    name,
    overload: '',
    inputs: body.inputs.map((v) => v.name),
    outputs: body.outputs.map((v) => v.name),
    attributeNames: [],
    attributeDefaults: {},
    nodes: body.nodes,
    opsets: body.opsets,
    types: new Map(),
    ...more,
  }
}

describe('local functions', () => {
  const inline = (graph: Graph, functions: readonly LocalFunction[]) =>
    inlineFunctions({ ...modelOf(graph), functions })

  test('are written out at every call, calls inside them too', () => {
    const inner = localFunction('Double', 'graph (a) -> (b) opset 17 { b = Add(a, a) }')
    const outer = localFunction(
      'Twice',
      'graph (a) -> (b) opset 17, local 1 { h = local.Double(a)  b = local.Double(h) }',
    )
    const graph = parse(
      'graph (x: f32[2]) -> (y: f32, z: f32) opset 17, local 1 { y = local.Twice(x)  z = local.Double(y) }',
    )
    expect(checked(inline(graph, [inner, outer]))).toMatchInlineSnapshot(`
      "graph main (x: f32[2]) -> (y: f32, z: f32) opset 17 {
        "y/h" = Add(x, x) "y/h/b"
        y = Add("y/h", "y/h") "y/b/b"
        z = Add(y, y) "z/b"
      }"
    `)
  })

  test('get their attributes, defaults and absent inputs', () => {
    const reference = { kind: 'reference', value: 'slope', of: 'float' } as const
    const leaky = localFunction(
      'Leaky',
      'graph (a, low, high) -> (b) opset 17 { c = Clip(a, low, high)  b = LeakyRelu(c) }',
    )
    const withSlope = {
      ...leaky,
      nodes: leaky.nodes.map((n) => (n.op === 'LeakyRelu' ? { ...n, attributes: { alpha: reference } } : n)),
      attributeDefaults: { slope: { kind: 'float', value: 0.25 } as const },
    }
    const base = parse('graph (x: f32[2]) -> (y, z) opset 17, local 1 { const top: f32[] = 1 }')
    const given = { slope: { kind: 'float', value: 0.5 } as const }
    const graph = base.with({
      nodes: [
        call('Leaky', ['x', '', 'top'], ['y'], { domain: 'local' }),
        call('Leaky', ['x'], ['z'], { domain: 'local', attributes: given }),
      ],
    })
    expect(checked(inline(graph, [withSlope]))).toMatchInlineSnapshot(`
      "graph main (x: f32[2]) -> (y, z) opset 17 {
        const top: f32[] = 1
        "y/c" = Clip(x, _, top)
        y = LeakyRelu("y/c") {alpha = 0.25} "y/b"
        "z/c" = Clip(x, _, _)
        z = LeakyRelu("z/c") {alpha = 0.5} "z/b"
      }"
    `)
  })

  test('of an older opset are raised to the graph', async () => {
    const old = localFunction('Sum1', 'graph (a) -> (b) opset 11 { b = ReduceSum(a) {axes=[1]} }')
    const graph = parse('graph (x: f32[2,3]) -> (y: f32) opset 17, local 1 { y = local.Sum1(x) }')
    const after = inline(graph, [old])
    verify(after)
    expect(after.opset).toBe(17)
    await sameResults(parse('graph (x: f32[2,3]) -> (y: f32) opset 11 { y = ReduceSum(x) {axes=[1]} }'), after)
  })

  test('that hand an input through keep the output name', () => {
    const through = localFunction('Through', 'graph (a) -> (a, b) opset 17 { b = Neg(a) }')
    const graph = parse('graph (x: f32[2]) -> (y, z) opset 17, local 1 { y, z = local.Through(x) }')
    const after = inline(graph, [through])
    verify(after)
    expect(after.nodes.map((n) => `${n.outputs[0]} = ${n.op}(${n.inputs.join()})`)).toEqual([
      'z = Neg(x)',
      'y = Identity(x)',
    ])
  })

  test('that call themselves are refused', () => {
    const loop = localFunction('Loop1', 'graph (a) -> (b) opset 17, local 1 { b = local.Loop1(a) }')
    const graph = parse('graph (x: f32[2]) -> (y) opset 17, local 1 { y = local.Loop1(x) }')
    expect(() => inline(graph, [loop])).toThrow(expect.objectContaining({ code: 'graph.recursive-function' }))
  })
})

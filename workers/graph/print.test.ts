import { describe, expect, test } from 'vitest'
import { Builder } from './builder.ts'
import { Graph, type Node } from './graph.ts'
import { parse } from './parse.ts'
import { print, printNode, typeText } from './print.ts'
import { f32, i64, stringTensor, tensorOf } from './tensor.ts'
import { tensorType } from './types.ts'

const node = (parts: Partial<Node>): Node => ({
  name: 'y',
  op: 'Relu',
  domain: '',
  inputs: ['x'],
  outputs: ['y'],
  attributes: {},
  ...parts,
})

describe('print', () => {
  test('a small network', () => {
    const b = new Builder()
    const x = b.input('x', 'f32', ['N', 4])
    const w = b.constant(
      'fc.weight',
      f32(
        Array.from({ length: 20 }, (_, i) => i / 8),
        [4, 5],
      ),
    )
    const bias = b.constant('fc.bias', f32([0.5, -1, 0.1, 0, 1e-7]))
    const h = b.op('Gemm', [x, w, bias], { alpha: 0.5, transA: 0 }, { name: 'fc' })
    const [y] = b.ops('Dropout', [h], { seed: 7 }, { names: ['y', ''] })
    b.output(y as string)
    expect(print(b.build())).toMatchInlineSnapshot(`
      "graph main (x: f32[N,4]) -> (y) opset 17 {
        const fc.weight: f32[4,5] = sha256:3451fad0f1e172eb
        const fc.bias: f32[5] = [0.5, -1, 0.1, 0, 1e-7]
        gemm = Gemm(x, fc.weight, fc.bias) {alpha = 0.5, transA = 0} "fc"
        y, _ = Dropout(gemm) {seed = 7}
      }"
    `)
  })

  test('long lists of inputs and outputs take a line each', () => {
    const inputs = Array.from({ length: 8 }, (_, i) => ({
      name: `layer${i}.weight`,
      type: tensorType('f32', [64, 64]),
    }))
    const outputs = [{ name: 'layer0.weight', type: tensorType('f32', [64, 64]) }]
    expect(print(new Graph({ inputs, outputs }))).toMatchInlineSnapshot(`
      "graph main (
        layer0.weight: f32[64,64],
        layer1.weight: f32[64,64],
        layer2.weight: f32[64,64],
        layer3.weight: f32[64,64],
        layer4.weight: f32[64,64],
        layer5.weight: f32[64,64],
        layer6.weight: f32[64,64],
        layer7.weight: f32[64,64]
      ) -> (
        layer0.weight: f32[64,64]
      ) opset 17 {
      }"
    `)
  })

  test('types of intermediate values', () => {
    const graph = parse('graph (x) -> (y) { h: f32[N,2], m: bool[N,2] = Dropout(x)  y: seq(f32[?]) = Foo(h) }')
    expect(print(graph, { types: true })).toMatchInlineSnapshot(`
      "graph main (x) -> (y) opset 17 {
        h: f32[N,2], m: bool[N,2] = Dropout(x)
        y: seq(f32[?]) = Foo(h)
      }"
    `)
    expect(print(graph)).not.toContain('bool')
  })

  test('constants: small, equal, by hash', () => {
    const initializers = new Map([
      ['scalar', f32([2], [])],
      ['one', f32([2], [1])],
      ['zeros', f32(new Float32Array(4096), [64, 64])],
      ['half', tensorOf('f16', [2], Uint16Array.of(0x3c00, 0x0001))],
      ['brain', tensorOf('bf16', [2], Uint16Array.of(0x3f80, 0x4049))],
      ['nibbles', tensorOf('i4', [3], Uint8Array.of(0x9f, 0x07))],
      ['mask', tensorOf('bool', [2], Uint8Array.of(1, 0))],
      ['words', stringTensor(['a "b"', 'é'])],
      ['axes', i64([-1, 2 ** 63])],
      ['eight', tensorOf('f8e4m3fn', [2], Uint8Array.of(1, 2))],
      ['empty', f32([], [0, 3])],
      ['big', f32(Float32Array.from({ length: 17 }, (_, i) => i))],
    ])
    expect(print(new Graph({ initializers }))).toMatchInlineSnapshot(`
      "graph main () -> () opset 17 {
        const scalar: f32[] = 2
        const one: f32[1] = [2]
        const zeros: f32[64,64] = 0
        const half: f16[2] = [1, 6e-8]
        const brain: bf16[2] = [1, 3.14]
        const nibbles: i4[3] = [-1, -7, 7]
        const mask: bool[2] = [true, false]
        const words: string[2] = ["a \\"b\\"", "é"]
        const axes: i64[2] = [-1, 9223372036854775807]
        const eight: f8e4m3fn[2] = base64 "AQI="
        const empty: f32[0,3] = []
        const big: f32[17] = sha256:b578392a98eb1802
      }"
    `)
    expect(print(new Graph({ initializers }), { weights: 'all' })).toContain('const big: f32[17] = [0, 1, 2, 3')
  })

  test('subgraphs are indented and have no opsets of their own', () => {
    const graph = parse(`graph (c: bool[], x: f32[2]) -> (y) opset 19 {
      y = If(c) {then_branch = graph yes () -> (a) { a = Relu(x) }, else_branch = graph no () -> (b) { b = Neg(x) }}
      z = com.example.Switch(c) {cases = [graph a () -> () {}, graph b () -> () {}], n = 1}
    }`)
    expect(print(graph)).toMatchInlineSnapshot(`
      "graph main (c: bool[], x: f32[2]) -> (y) opset 19 {
        y = If(c) {
          else_branch = graph no () -> (b) {
            b = Neg(x)
          },
          then_branch = graph yes () -> (a) {
            a = Relu(x)
          }
        }
        z = com.example.Switch(c) {
          cases = [
            graph a () -> () {
            },
            graph b () -> () {
            }
          ],
          n = 1
        }
      }"
    `)
  })

  test('documentation and metadata on demand', () => {
    const graph = new Graph({
      doc: 'a\nnet',
      metadata: new Map([['task', 'none']]),
      inputs: [{ name: 'x', type: tensorType('f32', [1]), doc: 'pixels' }],
      nodes: [node({ doc: 'the end', metadata: new Map([['k', 'v']]) })],
    })
    expect(print(graph, { doc: true })).toMatchInlineSnapshot(`
      "graph main doc "a\\nnet" meta {"task" = "none"} (x: f32[1] doc "pixels") -> () opset 17 {
        y = Relu(x) doc "the end" meta {"k" = "v"}
      }"
    `)
    expect(print(graph)).not.toContain('pixels')
  })
})

describe('printNode', () => {
  test('names the domain, the overload and a name of its own', () => {
    expect(printNode(node({ domain: 'com.microsoft', op: 'Gelu', overload: 'fast', name: 'act' }))).toBe(
      'y = com.microsoft.Gelu:fast(x) "act"',
    )
    expect(printNode(node({ domain: 'my-domain', op: 'Op' }))).toBe('y = "my-domain"."Op"(x)')
    expect(printNode(node({ outputs: [], inputs: [], name: '' }))).toBe('() = Relu()')
    expect(printNode(node({ inputs: ['', 'odd name'], outputs: ['', 'm'], name: '' }))).toBe(
      '_, m = Relu(_, "odd name")',
    )
  })

  test('tells ints, floats and big integers apart', () => {
    const attributes: Node['attributes'] = {
      f: { kind: 'float', value: 1 },
      i: { kind: 'int', value: 1 },
      l: { kind: 'int', value: 2n ** 63n - 1n },
      none: { kind: 'floats', value: [] },
      odd: { kind: 'floats', value: [-0, NaN, Infinity, Math.fround(1e-10)] },
    }
    expect(printNode(node({ op: 'Custom', attributes }))).toBe(
      'y = Custom(x) {f = 1.0, i = 1, l = 9223372036854775807, none = floats [], odd = [-0.0, nan, inf, 1e-10]}',
    )
  })

  test('says the kind where the schema would read another', () => {
    const attributes: Node['attributes'] = { alpha: { kind: 'int', value: 1 } }
    expect(printNode(node({ op: 'Elu', attributes }))).toBe('y = Elu(x) {alpha = int 1}')
  })
})

test('typeText covers every kind of type', () => {
  const texts = [
    '?',
    'f32',
    'f32[]',
    'tensor',
    'tensor[N,?,3]',
    'i64["a b"]',
    'sparse(f32[3])',
    'seq(?)',
    'optional(map(i64, seq(f32)))',
  ]
  const types = texts.map(
    (text) => parse(`graph (x: ${text}) -> () {}`).inputs[0]?.type ?? { kind: 'unknown' as const },
  )
  expect(types.map(typeText)).toEqual(texts)
})

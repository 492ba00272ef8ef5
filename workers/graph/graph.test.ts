import { describe, expect, test } from 'vitest'
import { attributesOf, toAttributes } from './attributes.ts'
import { Builder, namesIn } from './builder.ts'
import { capturedBy, freeNamesOf, Graph, modelOf, nodeLabel } from './graph.ts'
import { parse } from './parse.ts'
import { print } from './print.ts'
import { attributeKindOf, schemaOf } from './schema.ts'
import { f32, i64 } from './tensor.ts'
import { contradicts, mapDims, staticShape, tensorType, type ValueType } from './types.ts'

const branches = parse(
  `graph (c: bool[], x: f32[2]) -> (y, k) {
  const k: f32[] = 1
  h = Relu(x)
  y = If(c) {
    then_branch = graph t () -> (a) { u = Add(h, k)  a = If(c) {then_branch = graph i () -> (b) { b = Add(u, x) }} }
    else_branch = graph e () -> (x) {}
  }
}`.replace('}} }\n', '}} },\n'),
)

describe('Graph', () => {
  test('knows producers, uses and types', () => {
    expect(branches.producer('h')?.op).toBe('Relu')
    expect(branches.producer('x')).toBeUndefined()
    const uses = (value: string) =>
      branches.uses(value).map((use) => ('node' in use ? `${use.kind} ${use.node.name}` : use.kind))
    expect(uses('x')).toEqual(['node h', 'captured y'])
    expect(uses('h')).toEqual(['captured y'])
    expect(uses('k')).toEqual(['captured y', 'output'])
    expect(uses('nothing')).toEqual([])
    expect(branches.type('k')).toEqual(tensorType('f32', []))
    expect(branches.type('x')).toEqual(tensorType('f32', [2]))
    expect(branches.type('h')).toBeUndefined()
  })

  test('what a subgraph captures goes through all levels', () => {
    const node = branches.producer('y')
    expect(node && [...capturedBy(node)]).toEqual(['h', 'k', 'c', 'x'])
    expect(freeNamesOf(branches).size).toBe(0)
  })

  test('an input with a default is not required', () => {
    const graph = parse('graph (x: f32[1], w: f32[1]) -> (y) { const w: f32[1] = [1]  y = Add(x, w) }')
    expect(graph.requiredInputs.map((v) => v.name)).toEqual(['x'])
  })

  test('with() keeps the rest and leaves the graph alone', () => {
    const renamed = branches.with({ name: 'other' })
    expect([renamed.name, renamed.nodes, branches.name]).toEqual(['other', branches.nodes, 'main'])
  })

  test.each([
    [8, 4],
    [11, 6],
    [17, 8],
    [21, 10],
    [23, 11],
    [24, 12],
    [27, 13],
    [28, 14],
  ])('opset %d is written as IR version %d', (opset, irVersion) => {
    expect(modelOf(new Graph({ opsets: new Map([['', opset]]) })).irVersion).toBe(irVersion)
  })

  test('nodes are called by name, else by what they compute', () => {
    const [named, unnamed, none] = parse('graph () -> () { a = Foo() "n"  _, b = my.Op() ""  () = Bar() "" }').nodes
    expect([named, unnamed, none].map((node) => node && nodeLabel(node))).toEqual([
      'node "n" (Foo)',
      'the my.Op node that computes "b"',
      'an unnamed Bar node',
    ])
  })
})

describe('Builder', () => {
  test('makes names that neither the graph nor its subgraphs have', () => {
    expect([...namesIn(branches)].sort().join(' ')).toBe('a b c h k u x y')
    const b = new Builder(branches)
    expect([b.fresh('a'), b.fresh('a'), b.fresh('new'), b.constant('u', f32([1]))]).toEqual([
      'a_1',
      'a_2',
      'new',
      'u_1',
    ])
    expect(() => b.input('u', 'f32', [1])).toThrow('the name "u" is already taken in graph "main"')
  })

  test('declares the domains that nodes use', () => {
    const b = new Builder(new Graph({ opsets: new Map([['ai.onnx', 19]]) }))
    b.op('Relu', [b.input('x', 'f32', [])])
    b.node('ai.alambic', 'Foo', [])
    expect([...b.build().opsets]).toEqual([
      ['ai.onnx', 19],
      ['ai.alambic', 1],
    ])
  })

  test('keeps what it does not know of its base, and does not change what it built', () => {
    const base = new Graph({ name: 'net', doc: 'a net', metadata: new Map([['a', 'b']]) })
    const b = new Builder(base)
    const built = b.build()
    b.op('Relu', [b.input('x', 'f32', [])])
    expect(built).toEqual(base)
    expect(b.build().nodes.length).toBe(1)
  })

  test('asks inference for the types of outputs', () => {
    const b = new Builder(new Graph({}), (node, builder) => node.inputs.map((input) => builder.type(input)))
    const y = b.op('Relu', [b.input('x', 'f32', ['N', 3])])
    b.output(y)
    expect(b.build().outputs).toEqual([{ name: 'relu', type: tensorType('f32', ['N', 3]) }])
  })
})

describe('attributes', () => {
  test('take their kind from the schema, floats as float32', () => {
    expect(toAttributes('Gemm', '', { alpha: 1, beta: 0.1, transA: 1, transB: undefined })).toEqual({
      alpha: { kind: 'float', value: 1 },
      beta: { kind: 'float', value: Math.fround(0.1) },
      transA: { kind: 'int', value: 1 },
    })
  })

  test('take it from the value where there is no schema', () => {
    const graph = new Graph({})
    const kinds = Object.entries(
      toAttributes('Foo', 'my', {
        i: 1,
        f: 0.5,
        s: 'a',
        ints: [1],
        empty: [],
        floats: [1, 0.5],
        strings: ['a'],
        t: f32([1]),
        ts: [f32([1])],
        g: graph,
        gs: [graph],
        bytes: Uint8Array.of(1),
        type: tensorType('f32'),
      }),
    ).map(([name, { kind }]) => `${name}: ${kind}`)
    expect(kinds.join(', ')).toBe(
      'i: int, f: float, s: string, ints: ints, empty: ints, floats: floats, strings: strings, t: tensor, ' +
        'ts: tensors, g: graph, gs: graphs, bytes: sparse, type: type',
    )
  })

  test('refuse unknown names and wrong values', () => {
    expect(() => toAttributes('Relu', '', { constructor: 1 })).toThrow('operator Relu has no attribute "constructor"')
    expect(() => toAttributes('Gemm', '', { transA: 0.5 })).toThrow(
      'operator Gemm: attribute "transA" is not of kind int',
    )
    expect(() => toAttributes('Gemm', '', { alpha: 'a' })).toThrow('attribute "alpha" is not of kind float')
    expect(() => toAttributes('Transpose', '', { perm: [0, 'a'] as never })).toThrow('is not of kind ints')
  })

  test('come back as plain values, whatever their name', () => {
    const [node] = parse('graph () -> () { y = Foo() {big = 9223372036854775807, "__proto__" = [1, 2]} }').nodes
    const plain = node && attributesOf(node)
    expect(Object.entries(plain ?? {})).toEqual([
      ['big', 2 ** 63],
      ['__proto__', [1, 2]],
    ])
  })
})

describe('schemas', () => {
  test('are of the default domain, under both of its names', () => {
    expect(schemaOf('Relu')).toBe(schemaOf('Relu', 'ai.onnx'))
    expect(schemaOf('Relu', 'com.microsoft')).toBeUndefined()
    expect(schemaOf('constructor')).toBeUndefined()
  })

  test('kinds of attributes follow the opset', () => {
    expect(attributeKindOf('Cast', '', 'to')).toBe('int')
    expect(attributeKindOf('Cast', '', 'to', 5)).toBe('string')
    expect(attributeKindOf('Cast', '', 'toString')).toBeUndefined()
  })
})

describe('types', () => {
  const type = (text: string): ValueType => parse(`graph (x: ${text}) -> () {}`).inputs[0]?.type ?? { kind: 'unknown' }

  test.each([
    ['f32[N,4]', 'f32[2,4]', false],
    ['f32[N,4]', 'f32[2,5]', true],
    ['f32[?]', 'f32[3]', false],
    ['f32[3]', 'f32[3,1]', true],
    ['f32[3]', 'i64[3]', true],
    ['f32', 'f32[3]', false],
    ['tensor[3]', 'f32[3]', false],
    ['f32[3]', 'sparse(f32[3])', true],
    ['?', 'seq(f32)', false],
    ['seq(f32[2])', 'seq(f32[3])', true],
    ['seq(f32)', 'optional(f32)', true],
    ['map(i64, f32)', 'map(string, f32)', true],
    ['map(i64, f32)', 'map(i64, f32[2])', false],
  ])('%s against %s: %s', (a, b, expected) => {
    expect(contradicts(type(a), type(b))).toBe(expected)
    expect(contradicts(type(b), type(a))).toBe(expected)
  })

  test('mapDims reaches every shape', () => {
    const renamed = mapDims(type('seq(map(i64, f32[N,3]))'), (dim) => (dim === 'N' ? 7 : dim))
    expect(renamed).toEqual(type('seq(map(i64, f32[7,3]))'))
    expect(staticShape(type('f32[7,3]'))).toEqual([7, 3])
    expect(staticShape(type('f32[N,3]'))).toBeUndefined()
  })
})

test('a graph built by hand prints like one that was parsed', () => {
  const b = new Builder()
  const shape = b.constant('shape', i64([2, -1]))
  b.output(b.op('Reshape', [b.input('x', 'f32', [4]), shape], {}, { names: ['y'] }))
  expect(print(b.build())).toBe(
    print(parse('graph (x: f32[4]) -> (y) { const shape: i64[2] = [2, -1]  y = Reshape(x, shape) }')),
  )
})

import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { randomGraph } from '../../testing/pruning.ts'
import { analyse } from '../prune/analysis.ts'
import { cut } from '../prune/cut.ts'
import { groupsOf } from '../prune/groups.ts'
import { removeIdentities } from '../simplify/identity.ts'
import type { GraphDiff } from '../../protocol/studio.ts'
import { diffGraphs } from './diff.ts'

const net = randomGraph(`graph (x: f32[N,3,8,8]) -> (y: f32) opset 17 {
  const w1: f32[10,3,3,3] = 1 a = Conv(x, w1) "first" r = Relu(a) "relu1"
  const w2: f32[20,10,3,3] = 1 b = Conv(r, w2) "second" s = Relu(b) "relu2"
  const w3: f32[4,20,3,3] = 1 c = Conv(s, w3) "third" p = GlobalAveragePool(c) "pool" f = Flatten(p) "flat"
  const w4: f32[4,2] = 1 y = MatMul(f, w4) "fc" }`)

/** Name and status of every node but those that are the same. */
const differing = ({ nodes }: GraphDiff) =>
  Object.fromEntries(nodes.filter(({ status }) => status !== 'same').map(({ name, status }) => [name, status]))

const pruned = (graph: Graph, removal: ReadonlyMap<number, readonly number[]>) => cut(groupsOf(analyse(graph)), removal)

describe('a pruned pair', () => {
  const groups = groupsOf(analyse(net))
  const second = groups.groups.find(({ name }) => name === 'second')
  const after = pruned(net, new Map([[second?.id ?? -1, [0, 3, 5, 7]]]))
  const diff = diffGraphs({ before: net, after })

  test('shows exactly the changed nodes', () => {
    expect(differing(diff)).toEqual({ second: 'changed', relu2: 'reshaped', third: 'changed' })
    expect(diff.counts).toEqual({ same: 5, reshaped: 1, weights: 0, changed: 2, added: 0, removed: 0 })
    const [first, then] = diff.nodes.filter(({ status }) => status === 'changed')
    expect(first?.changes).toEqual([
      { what: 'weight shape', name: 'w2', before: '20×10×3×3', after: '16×10×3×3' },
      { what: 'output shape', name: 'b', before: 'N×20×4×4', after: 'N×16×4×4' },
    ])
    expect(then?.changes).toEqual([{ what: 'weight shape', name: 'w3', before: '4×20×3×3', after: '4×16×3×3' }])
  })

  test('says which channels went together, and why', () => {
    expect(diff.groups).toHaveLength(1)
    const [group] = diff.groups
    expect(group).toMatchObject({ name: 'second', units: 20, left: 16 })
    expect(group?.members.map(({ tensor, before, after: left }) => [tensor, before, left])).toEqual([
      ['w2', 20, 16],
      ['w3', 20, 16],
    ])
    expect(group?.members[0]?.use).toContain('output channels')
  })

  test('puts layers side by side', () => {
    const rows = diff.layers.map(({ name, before, after: to }) => [
      name,
      before?.channels,
      to?.channels,
      before?.params,
      to?.params,
    ])
    expect(rows).toEqual([
      ['first', 10, 10, 270, 270],
      ['second', 20, 16, 1800, 1440],
      ['third', 4, 4, 720, 576],
      ['fc', 2, 2, 8, 8],
    ])
    expect(diff.layers[1]?.group).toBe(0)
    expect(diff.layers.every(({ before }) => before?.bits === 32)).toBe(true)
  })

  test('is nothing but the same for a graph and itself', () => {
    const same = diffGraphs({ before: net, after: net })
    expect(same.counts).toEqual({ same: 8, reshaped: 0, weights: 0, changed: 0, added: 0, removed: 0 })
    expect(same.groups).toEqual([])
  })
})

test('residual blocks: what is added together is cut together', () => {
  const graph = randomGraph(`graph (x: f32[1,8,4,4]) -> (y: f32) opset 17 {
    const w1: f32[8,8,1,1] = 1 a = Conv(x, w1) "stem"
    const w2: f32[8,8,1,1] = 1 b = Conv(a, w2) "block"
    c = Add(a, b) "sum" const w3: f32[3,8,1,1] = 1 y = Conv(c, w3) "head" }`)
  const groups = groupsOf(analyse(graph))
  const stem = groups.groups.find(({ name }) => name === 'stem')
  const diff = diffGraphs({ before: graph, after: pruned(graph, new Map([[stem?.id ?? -1, [1, 2]]])) })
  expect(differing(diff)).toEqual({ stem: 'changed', block: 'changed', sum: 'reshaped', head: 'changed' })
  expect(diff.groups).toHaveLength(1)
  expect(diff.groups[0]).toMatchObject({ units: 8, left: 6 })
  expect(diff.groups[0]?.because.join(' ')).toMatch(/sum.*Add|Add.*sum/)
  expect(diff.layers.filter(({ group }) => group === 0).map(({ name }) => name)).toEqual(['stem', 'block'])
})

test('values alone are told from shapes', () => {
  const first = net.initializers.get('w1')
  if (!first) throw new Error('no w1')
  const bytes = first.bytes.slice()
  bytes.fill(0, 0, 400)
  const after = net.with({ initializers: new Map(net.initializers).set('w1', { ...first, bytes }) })
  const diff = diffGraphs({ before: net, after })
  expect(differing(diff)).toEqual({ first: 'weights' })
  expect(diff.nodes[0]?.changes).toEqual([
    { what: 'weight values', name: 'w1', before: '270 of 270 not 0', after: '170 of 270 not 0' },
  ])
})

test('quantized layers are the same layers, with what was put around them', () => {
  const after = parse(`graph (x: f32[N,3,8,8]) -> (y: f32) opset 17 {
    const s: f32[] = 0.1 const z: u8[] = 3 const sw: f32[] = 0.2 const zw: i8[] = 0
    q = QuantizeLinear(x, s, z) "x_q" d = DequantizeLinear(q, s, z) "x_dq"
    const w1: i8[10,3,3,3] = 1 w = DequantizeLinear(w1, sw, zw) "w_dq"
    a = Conv(d, w) "first" y = Relu(a) "relu1" }`)
  const before = parse(`graph (x: f32[N,3,8,8]) -> (y: f32) opset 17 {
    const w1: f32[10,3,3,3] = 1 a = Conv(x, w1) "first" y = Relu(a) "relu1" }`)
  const diff = diffGraphs({ before, after })
  expect(differing(diff)).toEqual({ first: 'changed', x_q: 'added', x_dq: 'added', w_dq: 'added' })
  expect(diff.nodes[0]?.changes).toEqual([{ what: 'weight type', name: 'w1', before: 'f32', after: 'i8' }])
  const [layer] = diff.layers
  expect([layer?.before?.bits, layer?.after?.bits, layer?.before?.bytes, layer?.after?.bytes]).toEqual([
    32, 8, 1080, 270,
  ])

  const operators = parse(`graph (x: f32[N,3,8,8]) -> (y: f32) opset 17 {
    const s: f32[] = 0.1 const z: u8[] = 3 const sw: f32[] = 0.2 const zw: i8[] = 0 const w1: i8[10,3,3,3] = 1
    q = QuantizeLinear(x, s, z) "x_q" c = QLinearConv(q, s, z, w1, sw, zw, s, z) "first" y = DequantizeLinear(c, s, z) "y_dq" }`)
  const integer = diffGraphs({ before, after: operators })
  expect(differing(integer)).toEqual({ first: 'changed', relu1: 'removed', x_q: 'added', y_dq: 'added' })
  expect(integer.nodes[0]?.changes[0]).toEqual({
    what: 'operator',
    name: 'first',
    before: 'Conv',
    after: 'QLinearConv',
  })
})

test('without names, neighbours and order tell', () => {
  const before = parse(
    `graph (x: f32[4]) -> (y: f32[4]) { i1 = Identity(x) a = Relu(i1) b = Neg(a) c = Abs(b) y = Exp(c) }`,
  )
  const after = parse(`graph (input: f32[4]) -> (out: f32[4]) { p = Relu(input) q = Sqrt(p) r = Abs(q) out = Exp(r) }`)
  const { counts, nodes } = diffGraphs({ before, after })
  expect(counts).toEqual({ same: 3, reshaped: 0, weights: 0, changed: 0, added: 1, removed: 2 })
  const pairs = nodes.flatMap(({ op, before: a, after: b }) => (a !== undefined && b !== undefined ? [[op, a, b]] : []))
  expect(pairs).toEqual([['Relu', 1, 0], ['Abs', 3, 2], ['Exp', 4, 3]]) // prettier-ignore
  expect(diffGraphs({ before, after: removeIdentities(before).graph }).counts).toMatchObject({
    removed: 1,
    added: 0,
    changed: 0,
  })
})

test('attributes and inputs that were exchanged are changes', () => {
  const text = (axis: number, [a, b]: readonly [string, string]) =>
    parse(
      `graph (x: f32[4,4]) -> (y: f32) { a = Relu(x) "a" b = Neg(x) "b" y = Concat(${a}, ${b}) {axis=${axis}} "join" }`,
    )
  const before = text(0, ['a', 'b'])
  const [axis] = diffGraphs({ before, after: text(1, ['a', 'b']) }).nodes.filter(({ status }) => status === 'changed')
  expect(axis?.changes[0]).toEqual({ what: 'attribute', name: 'axis', before: '0', after: '1' })
  const [order] = diffGraphs({ before, after: text(0, ['b', 'a']) }).nodes.filter(({ status }) => status === 'changed')
  expect(order?.changes).toEqual([
    { what: 'input', name: 'a', before: 'a', after: 'b' },
    { what: 'input', name: 'b', before: 'b', after: 'a' },
  ])
})

test('ten thousand nodes are aligned in seconds', () => {
  const chain = (skip: number) => {
    const nodes = Array.from({ length: 10_000 }, (_, i) => i).filter((i) => i % skip > 0)
    const names = nodes.map((i) => `v${i}`)
    const lines = nodes.map((i, k) => `${names[k]} = ${['Relu', 'Neg', 'Abs'][i % 3]}(${k === 0 ? 'x' : names[k - 1]})`)
    return parse(`graph (x: f32[4]) -> (${names.at(-1)}: f32[4]) { ${lines.join(' ')} }`)
  }
  const started = performance.now()
  const { counts } = diffGraphs({ before: chain(1e9), after: chain(97) })
  expect(performance.now() - started).toBeLessThan(10_000)
  expect([counts.added, counts.removed]).toEqual([0, 103])
})

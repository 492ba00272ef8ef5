import { expect, test } from 'vitest'
import type { ModelSheet, Texts } from '../../../workers/protocol/studio.ts'
import { foldGraph } from '../../graph/tree.ts'
import { drawnOf, rowOfId } from './drawn.ts'
import { barLength, PROXY, sensitivityColumn, techniquePhrase, techniquesOf } from './sensitivity.ts'
import { bitsOverlay, groupsOverlay, sensitivityOverlay, shareOverlay, type Words } from './overlays.ts'
import { flatRows, LayerData, treeRows } from './rows.ts'

const texts = (all: readonly string[]): Texts => {
  const values = [...new Set(all)]
  return { values, index: Uint32Array.from(all, (text) => values.indexOf(text)) }
}

/** Two equal blocks and a head, as the worker describes them; the second block is quantized. */
const names = ['/a/0/conv', '/a/0/relu', '/a/1/conv', '/a/1/relu', 'shape', 'head']
const sheet: ModelSheet = {
  name: 'net',
  producer: '',
  opsets: { 'ai.onnx': 17 },
  inputs: [{ name: 'x', type: 'f32[N,3]' }],
  outputs: [{ name: 'y', type: 'f32[N,2]' }],
  count: 6,
  names,
  ops: texts(['Conv', 'Relu', 'Conv', 'Relu', 'Constant', 'Gemm']),
  types: texts(['f32[N,8]', 'f32[N,8]', 'f32[N,8]', 'f32[N,8]', 'i64[2]', 'f32[N,2]']),
  attributes: texts(['group=1', '', 'group=1', '', '', '']),
  weights: texts(['w [8,3]', '', 'w [8,8]', '', '', 'w [2,8]']),
  params: Float64Array.of(100, 0, 200, 0, 0, 700),
  macs: Float64Array.of(1000, 0, 3000, 0, 0, 6000),
  bytes: Float64Array.of(400, 0, 200, 0, 0, 1400),
  sparsity: Float64Array.of(0.5, Number.NaN, 0, Number.NaN, Number.NaN, 0),
  bits: Float64Array.of(32, Number.NaN, 8, Number.NaN, Number.NaN, 16),
  edges: {
    from: Int32Array.of(-1, 0, 1, 2, 3, 4, 5),
    to: Int32Array.of(0, 1, 2, 3, 5, 5, -1),
    types: texts(['f32[N,3]', 'f32[N,8]', 'f32[N,8]', 'f32[N,8]', 'f32[N,8]', 'i64[2]', 'f32[N,2]']),
  },
  totals: { params: 1000, macs: 10_000, bytes: 2000 },
  unknown: [],
  trainable: { parameters: 3 },
}
const drawn = drawnOf(sheet)
const tree = foldGraph(drawn.graph)
const data = new LayerData(sheet, undefined)
const rowsOf = (nodes: readonly number[]) => nodes.map((node) => drawn.rowOf[node] ?? -1).filter((row) => row >= 0)
const words: Words = {
  title: '',
  percent: (share) => `${Math.round(100 * share)} %`,
  number: String,
  phrase: (key, { value }) => `${key} ${value}`,
}

test('constants are no boxes, and every other edge is there', () => {
  const { nodes, edges } = drawn.graph
  expect(nodes.map(({ id }) => id)).toEqual(['in0', 'n0', 'n1', 'n2', 'n3', 'n5', 'out0'])
  expect(edges.map(({ from, to }) => `${from}>${to}`)).toEqual(['0>1', '1>2', '2>3', '3>4', '4>5', '5>6'])
  expect(nodes[1]).toMatchObject({ label: 'Conv', attributes: ['group=1'], weights: ['w [8,3]'] })
  expect(rowOfId('n5')).toBe(5)
  expect(rowOfId('in0')).toBeUndefined()
})

test('the tree shows what is open, and sums for what is folded', () => {
  const shown = (open: ReadonlySet<string>) =>
    treeRows(drawn, tree, open).map(
      ({ row, group, depth }) => `${depth} ${row < 0 ? tree.groups[group]?.title : names[row]}`,
    )
  expect(shown(new Set())).toEqual(['0 a', '0 head'])
  const [first] = tree.groups.filter(({ title }) => title === 'a')
  expect(shown(new Set([first?.key ?? '']))).toEqual(['0 a', '1 0', '1 1', '0 head'])
  const inside = rowsOf(first?.nodes ?? [])
  expect(data.numberOf('params', inside)).toBe(300)
  expect(data.numberOf('share', inside)).toBeCloseTo(0.4)
  expect(data.numberOf('sparsity', inside)).toBeCloseTo(50 / 300)
  expect(data.numberOf('bits', inside)).toBeNaN()
})

test('lines are filtered by all words and sorted by number, unknown ones last', () => {
  const of = (filter: string, column: 'bits' | 'name' | undefined, descending = true) =>
    flatRows(data, filter, column && { column, descending }).map(({ row }) => row)
  expect(of('conv', undefined)).toEqual([0, 2])
  expect(of('a/1 n,8', undefined)).toEqual([2, 3])
  expect(of('', 'bits')).toEqual([0, 5, 2, 1, 3, 4])
  expect(of('', 'bits', false)).toEqual([2, 5, 0, 1, 3, 4])
  expect(of('relu', 'name')).toEqual([3, 1])
})

test('colours over the graph say the same in words', () => {
  const size = shareOverlay(sheet.bytes, rowsOf, words)
  expect(size.mark([5])).toEqual({ tone: 'heat5', badge: '70 %' })
  expect(size.mark([2])).toBeUndefined()
  // A box of several is marked by their sum.
  expect(size.mark([1, 2, 3])).toEqual({ tone: 'heat5', badge: '30 %' })

  const bits = bitsOverlay(sheet, rowsOf, words)
  expect(bits.mark([1])?.badge).toBe('bits 32')
  expect(bits.mark([1, 3])).toEqual({ tone: 'warn', badge: 'bits 8–32' })
  expect(bits.legend.map(({ text }) => text)).toEqual(['bits 8', 'bits 16', 'bits 32', 'mixed '])

  const decibels = Float64Array.of(30, Number.NaN, 10, Number.NaN, Number.NaN, 20)
  const noise = sensitivityOverlay({ unit: 'decibels', values: decibels }, rowsOf, words)
  expect(noise.mark([1, 3])).toEqual({ tone: 'heat5', badge: '10 dB' })
  expect(noise.mark([2])).toBeUndefined()
})

test('sensitivity is what a scan measured, or a stand-in that says so', () => {
  const line = (layer: string, technique: string, drop: number) => ({
    layer,
    technique,
    family: 'quantization' as const,
    drop,
    params: 0,
    bytes: 0.1,
  })
  const long = 'a'.repeat(80)
  const weights = ['w0 [8,3]', '', `${'a'.repeat(59)}… [8,8]\nb [8]`, '', '', 'w5 [4]']
  const own = { ...sheet, weights: { values: weights, index: Uint32Array.of(0, 1, 2, 3, 4, 5) } }
  const scan = {
    format: 1 as const,
    accuracy: 0.9,
    n: 100,
    data: 'mnist',
    dataHash: 'x',
    complete: true,
    lines: [line('w0', '4-bit weights', 0.2), line(long, '4-bit weights', -0.01), line('w0', '8-bit weights', 0)],
  }
  const measured = sensitivityColumn(own, '4-bit weights', scan, undefined)
  expect(measured).toEqual({
    unit: 'drop',
    values: Float64Array.of(0.2, Number.NaN, -0.01, Number.NaN, Number.NaN, Number.NaN),
  })
  if (!measured) throw new Error('no column')
  expect([0, 1, 2].map((row) => barLength(measured, row))).toEqual([1, 0, 0])
  const overlay = sensitivityOverlay(measured, rowsOf, words)
  // Of a box of several the worst counts.
  expect(overlay.mark([1, 3])).toEqual({ tone: 'heat5', badge: '20 %' })
  expect(overlay.mark([3])?.tone).toBe('heat1')
  const noise = { bits: [8, 4], decibels: [new Float64Array(6), new Float64Array(6).fill(15)] }
  const proxy = sensitivityColumn(own, PROXY, scan, noise)
  expect(proxy?.unit).toBe('decibels')
  expect(proxy && barLength(proxy, 0)).toBe(0.5)
  expect(techniquesOf(scan).map((id) => techniquePhrase(id).key)).toEqual(['bits', 'bits'])
  expect(techniquePhrase('low rank, 2× fewer parameters')).toEqual({ key: 'rank', n: '2' })
})

test('coupling groups are told by colour and number, one alone when it is chosen', () => {
  const group = (id: number, nodes: number[]) => ({
    id,
    name: `g${id}`,
    units: 8,
    nodes: Uint32Array.from(nodes),
    members: [],
    because: [],
  })
  const reach = { methods: [], groups: [group(0, [0, 2]), group(1, [2, 5])] }
  const all = groupsOverlay(reach, undefined, rowsOf, words)
  expect(all.mark([3])?.badge).toBe('group 0 group 1')
  expect(all.mark([2])).toBeUndefined()
  const one = groupsOverlay(reach, 1, rowsOf, words)
  expect(one.mark([3])?.badge).toBe('group 1')
  expect(one.mark([1])).toBeUndefined()
})

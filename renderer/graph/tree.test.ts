import { expect, test } from 'vitest'
import type { GraphData } from './model.ts'
import { repeatsOf } from './repeats.ts'
import { scopesOf } from './scopes.ts'
import { foldGraph, groupsAround, openAtFirst, visibleCount, type GroupTree } from './tree.ts'

/** A graph of nodes in a row, from lines of `Op name`. */
const chain = (lines: readonly string[]): GraphData => ({
  nodes: lines.map((line, i) => {
    const [label = '', name = ''] = line.split(' ')
    return { id: String(i), label, name }
  }),
  edges: lines.slice(1).map((_, i) => ({ from: i, to: i + 1 })),
})

/** The tree as text: each group in brackets after its title. */
function shown({ groups }: GroupTree, graph: GraphData, id = 0): string {
  const group = groups[id]
  const inside = (group?.children ?? []).map((child) =>
    child < 0 ? shown({ groups } as GroupTree, graph, ~child) : graph.nodes[child]?.label,
  )
  return `${group?.title}${group?.times ? `×${group.times}` : ''}[${inside.join(' ')}]`
}

test('scopes are read from the names that exporters write', () => {
  expect(scopesOf('/encoder/layer.0/attention/MatMul')).toEqual(['encoder', 'layer.0', 'attention'])
  expect(scopesOf('/features/features.0/features.0.2/Constant')).toEqual(['features', '0', '2'])
  expect(scopesOf('layer1.0.conv1')).toEqual(['layer1', '0'])
  expect(scopesOf('Conv_12')).toEqual([])
  expect(scopesOf('')).toEqual([])
})

test('repeats are the longest stretches of the shortest part', () => {
  const of = (text: string) =>
    repeatsOf(
      [...text].map((c) => c.charCodeAt(0)),
      { longest: 20, least: () => 3 },
    )
  expect(of('xabababy')).toEqual([{ start: 1, period: 2, times: 3 }])
  expect(of('abcabcabcddd')).toEqual([
    { start: 0, period: 3, times: 3 },
    { start: 9, period: 1, times: 3 },
  ])
  expect(of('abcdef')).toEqual([])
})

test('equal layers of a network fold into one box, each still a group of its own', () => {
  const layer = (i: number) => [`MatMul /enc/layer.${i}/q`, `Softmax /enc/layer.${i}/s`, `Add /enc/layer.${i}/a`]
  const graph = chain(['Gather /embed', ...[0, 1, 2, 3].flatMap(layer), 'Gemm /head'])
  const tree = foldGraph(graph)
  const block = (i: number) => `layer.${i}[MatMul Softmax Add]`
  expect(shown(tree, graph)).toBe(`[Gather enc[${[0, 1, 2, 3].map(block).join(' ')}] Gemm]`)
  expect(groupsAround(tree, 5).map((id) => tree.groups[id]?.title)).toEqual(['layer.1', 'enc'])
})

test('without scopes the repeated operators themselves are the blocks', () => {
  const graph = chain(['Conv', ...Array.from({ length: 5 }, () => ['Conv', 'Relu', 'Add']).flat(), 'Gemm'])
  const tree = foldGraph(graph)
  expect(shown(tree, graph)).toBe(`[Conv ×5[${Array.from({ length: 5 }, () => '[Conv Relu Add]').join(' ')}] Gemm]`)
})

test('a scope that holds one node is that node', () => {
  const graph = chain(['Conv /stem/conv/Conv', 'Relu /stem/relu/Relu'])
  expect(shown(foldGraph(graph), graph)).toBe('[stem[Conv Relu]]')
})

test('ten thousand nodes without names or repeats become boxes of at most 120 things, quickly', () => {
  let state = 1
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647
  const ops = ['Add', 'Mul', 'Conv', 'Relu', 'MatMul', 'Sigmoid', 'Concat']
  const graph = chain(Array.from({ length: 10_000 }, () => ops[Math.floor(random() * ops.length)] ?? 'Add'))
  const started = performance.now()
  const tree = foldGraph(graph)
  expect(performance.now() - started).toBeLessThan(2000)
  expect(Math.max(...tree.groups.map(({ children }) => children.length))).toBeLessThanOrEqual(120)
  expect(tree.groups[0]?.nodes.length).toBe(10_000)
  expect(tree.groups.filter(({ kind }) => kind === 'part').map(({ title }) => title)).toContain('1 – 60')
  const open = openAtFirst(tree, 10_000)
  expect(visibleCount(tree, new Set([...open].map((key) => tree.byKey.get(key) ?? 0)))).toBeLessThan(150)
})

test('a deep stack of equal layers stays folded at first, a small graph is all open', () => {
  const layer = (i: number) => Array.from({ length: 20 }, (_, k) => `Op${k} /enc/layer.${i}/n${k}`)
  const large = chain(Array.from({ length: 24 }, (_, i) => layer(i)).flat())
  const tree = foldGraph(large)
  const open = openAtFirst(tree, large.nodes.length)
  expect([...open].map((key) => tree.groups[tree.byKey.get(key) ?? 0]?.title)).toContain('enc')
  expect(open.size).toBeLessThan(4)
  const small = foldGraph(chain(layer(0)))
  expect(openAtFirst(small, 20).size).toBe(small.groups.length - 1)
})

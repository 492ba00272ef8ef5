import { expect, test } from 'vitest'
import type { Picture, Theme } from './paint.ts'
import { tones, type Tone } from './model.ts'
import type { Box, Line } from './scene.ts'
import { findNodes } from './search.ts'
import { childOf, idOf } from './selection.ts'
import { svgOf } from './svg.ts'
import { foldGraph } from './tree.ts'

const theme: Theme = {
  surface: 'white',
  sunken: 'ivory',
  line: 'grey',
  strong: 'dimgrey',
  edge: 'black',
  text: 'navy',
  muted: 'teal',
  accent: 'red',
  tones: Object.fromEntries(tones.map((tone) => [tone, tone === 'heat5' ? 'orange' : 'khaki'])) as Record<Tone, string>,
  font: '"Inter", sans-serif',
}
const box = (child: number, y: number): Box => ({ child, x: 0, y, width: 100, height: 30, open: false, depth: 0 })
const line: Line = {
  points: Float64Array.of(50, 30, 50, 60),
  source: 0,
  edges: [0],
  bounds: { left: 50, top: 30, right: 50, bottom: 60 },
}
const boxes = [box(0, 0), box(1, 60)]
const picture: Picture = {
  scene: { boxes, lines: [line], width: 100, height: 90, boxOf: new Map(boxes.map((b) => [b.child, b])) },
  face: ({ child }) =>
    child === 0
      ? { title: 'Conv<&"', lines: ['first'], kind: 'node', mark: { tone: 'heat5', badge: '12 %' } }
      : { title: 'Relu', lines: [], kind: 'node' },
  selected: undefined,
  found: new Set(),
  theme,
  label: () => 'f32[1,8]',
}

test('a picture as SVG has every box, line, text and badge, and texts are never markup', () => {
  const svg = svgOf(picture, 'A <net>')
  expect(svg).toContain('<title>A &lt;net&gt;</title>')
  expect(svg).toContain('viewBox="-20 -20 140 130"')
  expect(svg).toContain('>Conv&lt;&amp;&quot;</text>')
  expect(svg).toContain('fill="orange"')
  expect(svg).toContain('>12 %</text>')
  expect(svg).toContain('>f32[1,8]</text>')
  expect(svg).toContain('d="M50 30L50 60"')
  // A background, and a rectangle for each box.
  expect(svg.match(/<rect /g)).toHaveLength(3)
})

const graph = {
  nodes: ['/a/0/q', '/a/0/k', '/a/1/q', '/a/1/k'].map((name, i) => ({
    id: `n${i}`,
    label: i % 2 === 0 ? 'MatMul' : 'Softmax',
    name,
    attributes: [`axis=${i}`],
  })),
  edges: [],
}

test('nodes are found by operator, name and attributes, all words at once', () => {
  expect(findNodes(graph, 'matmul')).toEqual([0, 2])
  expect(findNodes(graph, 'A/1 soft')).toEqual([3])
  expect(findNodes(graph, 'axis=2')).toEqual([2])
  expect(findNodes(graph, '  ')).toEqual([])
})

test('what is selected has a name that stays the same: nodes by id, groups by key', () => {
  const tree = foldGraph(graph)
  const indices = new Map(graph.nodes.map(({ id }, i) => [id, i]))
  for (const child of [0, 3, ~1, ~(tree.groups.length - 1)])
    expect(childOf(idOf(child, graph, tree), indices, tree)).toBe(child)
  expect(childOf('group:gone', indices, tree)).toBeUndefined()
})

import ELK from 'elkjs'
import { expect, test } from 'vitest'
import { elkEngine } from './elk.ts'
import { nodeSize } from './labels.ts'
import { layoutTree, type Engine, type LayoutCache } from './layout.ts'
import { Levels } from './levels.ts'
import type { GraphData } from './model.ts'
import { boxAt, boxTowards, sceneOf, type Scene } from './scene.ts'
import { foldGraph } from './tree.ts'
import { begin, centred, fit, zoomAt } from './viewport.ts'

/** Without a thread there is nothing to end. */
const inProcess = () =>
  elkEngine(
    () => new ELK(),
    () => undefined,
  )
const { layout: elk } = inProcess()

/** Layers that each read the one before and the input: lines through the edges of every group. */
function stack(layers: number): GraphData {
  const nodes = [
    { id: 'in', label: 'input', name: 'x', kind: 'input' as const },
    ...Array.from({ length: layers }, (_, i) =>
      ['MatMul', 'Softmax', 'Add'].map((label) => ({ id: `${i}${label}`, label, name: `/enc/${i}/${label}` })),
    ).flat(),
  ]
  const edges = Array.from({ length: layers }, (_, i) => {
    const [a, b, c] = [1 + 3 * i, 2 + 3 * i, 3 + 3 * i]
    const before = i === 0 ? 0 : a - 1
    return [
      { from: before, to: a },
      { from: a, to: b },
      { from: b, to: c },
      { from: before, to: c },
      { from: 0, to: c },
    ]
  }).flat()
  return { nodes, edges }
}

async function drawn(
  graph: GraphData,
  open: (key: string) => boolean,
  engine: Engine = elk,
  cache: LayoutCache = new Map(),
) {
  const tree = foldGraph(graph)
  const ids = tree.groups.flatMap(({ key }, id) => (id > 0 && open(key) ? [id] : []))
  const size = (child: number) =>
    child < 0
      ? { width: 140, height: 48 }
      : nodeSize(graph.nodes[child] ?? { id: '', label: '', name: '' }, {
          names: false,
          attributes: false,
          weights: false,
        })
  const input = { tree, levels: new Levels(graph, tree), size, open: new Set(ids) }
  return { tree, scene: sceneOf(await layoutTree(input, engine, cache, new AbortController().signal)) }
}

const inside = (outer: Scene['boxes'][number], inner: Scene['boxes'][number]) =>
  inner.x >= outer.x &&
  inner.y >= outer.y &&
  inner.x + inner.width <= outer.x + outer.width &&
  inner.y + inner.height <= outer.y + outer.height

test('an open group holds its boxes, and no two of them overlap', async () => {
  const { scene, tree } = await drawn(stack(4), () => true)
  const leaves = scene.boxes.filter(({ open }) => !open)
  expect(leaves).toHaveLength(13)
  for (const box of scene.boxes.filter(({ open }) => open)) {
    const nodes = new Set(tree.groups[~box.child]?.nodes)
    for (const leaf of leaves) expect(inside(box, leaf)).toBe(nodes.has(leaf.child))
  }
  for (const a of leaves)
    for (const b of leaves)
      if (a !== b)
        expect(a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y).toBe(
          true,
        )
})

test('lines that cross the edge of a group go on without a gap', async () => {
  const { scene } = await drawn(stack(3), () => true)
  const ends = new Set(scene.lines.flatMap(({ points }) => [`${points.at(-2)} ${points.at(-1)}`]))
  const starts = scene.lines.map(({ points }) => [points[0] ?? 0, points[1] ?? 0] as const)
  // A line starts at the lower edge of a box, or where another line has come to the upper edge of a group.
  for (const [x, y] of starts) {
    const box = scene.boxes.some((b) => x >= b.x && x <= b.x + b.width && Math.abs(b.y + b.height - y) < 1)
    const near = [...ends].some((end) => {
      const [ex = 0, ey = 0] = end.split(' ').map(Number)
      return Math.abs(ex - x) < 1.5 && Math.abs(ey - y) < 1.5
    })
    expect(box || near).toBe(true)
  }
})

test('folded, there are the input and one box, and one line', async () => {
  const { scene } = await drawn(stack(4), () => false)
  expect(scene.boxes).toHaveLength(2)
  expect(scene.lines).toHaveLength(1)
  expect(scene.lines[0]?.edges).toHaveLength(6)
})

test('opening one group lays out only it and those around it', async () => {
  const cache: LayoutCache = new Map()
  let calls = 0
  const counted: Engine = (graph, signal) => {
    calls++
    return elk(graph, signal)
  }
  const graph = stack(4)
  const { tree } = await drawn(graph, () => true, counted, cache)
  expect(calls).toBe(tree.groups.length)
  calls = 0
  const last = tree.groups.at(-1)?.key
  await drawn(graph, (key) => key !== last, counted, cache)
  expect(calls).toBe(2)
})

test('a layout that is stopped throws, and the next one works', async () => {
  const engine = inProcess()
  const controller = new AbortController()
  const going = engine.layout({ boxes: [{ width: 9, height: 9 }], lines: [] }, controller.signal)
  controller.abort(new Error('stopped by the person'))
  await expect(going).rejects.toThrow('stopped by the person')
  const { width } = await engine.layout({ boxes: [{ width: 9, height: 9 }], lines: [] }, new AbortController().signal)
  expect(width).toBe(9)
})

test('the arrow keys go from box to box, and a click finds the innermost one', async () => {
  const { scene } = await drawn(stack(2), () => true)
  const first = scene.boxOf.get(0)
  const second = first && boxTowards(scene, first, 'ArrowDown')
  expect(second?.child).toBe(1)
  expect(second && boxTowards(scene, second, 'ArrowUp')?.child).toBe(0)
  expect(second && boxAt(scene, second.x + 2, second.y + 2)).toBe(second)
  expect(boxAt(scene, -10, -10)).toBeUndefined()
})

test('views keep the place under the pointer, and what is too long begins at its top', () => {
  const view = { x: 10, y: 20, zoom: 0.5 }
  const at = { x: 100, y: 50 }
  const next = zoomAt(view, 2, at)
  expect(next.x + at.x / next.zoom).toBeCloseTo(view.x + at.x / view.zoom)
  expect(next.y + at.y / next.zoom).toBeCloseTo(view.y + at.y / view.zoom)
  const window = { width: 800, height: 600 }
  expect(fit({ width: 400, height: 300 }, window).zoom).toBe(1)
  expect(begin({ width: 400, height: 30_000 }, window)).toMatchObject({ zoom: 1 })
  const box = { left: 100, right: 200, top: 1000, bottom: 1100 }
  const there = centred({ x: 0, y: 0, zoom: 1 }, box, window)
  expect((150 - there.x) * there.zoom).toBe(400)
})

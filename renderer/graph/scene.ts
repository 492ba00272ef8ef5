import type { GroupLayout } from './layout.ts'

/** A box at its place in the whole graph. Nodes are told by index, groups by `~index`. */
export interface Box {
  readonly child: number
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  readonly open: boolean
  /** How many groups it is in. */
  readonly depth: number
}

export interface Line {
  /** x and y of its corners. */
  readonly points: Float64Array
  /** The node it starts from. */
  readonly source: number
  readonly edges: readonly number[]
  readonly bounds: Rectangle
}

export interface Rectangle {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** Everything that is drawn, in one system of coordinates; boxes come before those inside them. */
export interface Scene {
  readonly boxes: readonly Box[]
  readonly lines: readonly Line[]
  readonly width: number
  readonly height: number
  readonly boxOf: ReadonlyMap<number, Box>
}

export const emptyScene: Scene = { boxes: [], lines: [], width: 0, height: 0, boxOf: new Map() }

export function sceneOf(layout: GroupLayout): Scene {
  const boxes: Box[] = []
  const lines: Line[] = []
  const visit = (group: GroupLayout, x: number, y: number, depth: number): void => {
    for (const line of group.lines) {
      const points = line.points.map((value, i) => value + (i % 2 === 0 ? x : y))
      lines.push({ points, source: line.source, edges: line.edges, bounds: boundsOf(points) })
    }
    for (const { child, x: dx, y: dy, width, height, inner } of group.children) {
      boxes.push({ child, x: x + dx, y: y + dy, width, height, open: inner !== undefined, depth })
      if (inner) visit(inner, x + dx, y + dy, depth + 1)
    }
  }
  visit(layout, 0, 0, 0)
  return {
    boxes,
    lines,
    width: layout.width,
    height: layout.height,
    boxOf: new Map(boxes.map((box) => [box.child, box])),
  }
}

function boundsOf(points: Float64Array): Rectangle {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i] ?? 0, points[i + 1] ?? 0]
    left = Math.min(left, x)
    right = Math.max(right, x)
    top = Math.min(top, y)
    bottom = Math.max(bottom, y)
  }
  return { left, top, right, bottom }
}

/** The innermost box at a place. */
export const boxAt = (scene: Scene, x: number, y: number): Box | undefined =>
  scene.boxes.findLast((box) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height)

const directions = {
  ArrowDown: [0, 1],
  ArrowUp: [0, -1],
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
} as const
export type Direction = keyof typeof directions

export const isDirection = (key: string): key is Direction => key in directions

/** The box that the eye goes to next in a direction: the nearest, what lies aside counting double. */
export function boxTowards(scene: Scene, from: Box, direction: Direction): Box | undefined {
  const [dx, dy] = directions[direction]
  let best: Box | undefined
  let least = Infinity
  for (const box of scene.boxes) {
    if (box === from || box.open) continue
    const along =
      dx === 0
        ? dy * (box.y + (dy < 0 ? box.height : 0) - (from.y + (dy > 0 ? from.height : 0)))
        : dx * (box.x + (dx < 0 ? box.width : 0) - (from.x + (dx > 0 ? from.width : 0)))
    if (along < 0) continue
    const aside =
      dx === 0
        ? Math.abs(box.x + box.width / 2 - from.x - from.width / 2)
        : Math.abs(box.y + box.height / 2 - from.y - from.height / 2)
    const distance = along + 2 * aside
    if (distance < least) [best, least] = [box, distance]
  }
  return best
}

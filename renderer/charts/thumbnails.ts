import { extentOf, scaleOf } from './scale.ts'
import type { Mark, Scene, Spot, Token } from './scene.ts'

/** A picture at a place of a plane. */
export interface Thumbnail {
  readonly id: string
  readonly x: number
  readonly y: number
  /** A `data:` address; a dot stands for a sample that is no picture. */
  readonly href?: string | undefined
  /** Its frame. */
  readonly colour: Token
  readonly label: string
}

const SIZE = 22
const PAD = 16

/**
 * Pictures where they are in the plane. None hides another: each is moved to the nearest free cell of a grid, so that
 * a heap can be looked into.
 */
export function thumbnailScene(thumbnails: readonly Thumbnail[], width: number, height: number): Scene {
  const x = scaleOf(extentOf(thumbnails.map((one) => one.x)) ?? [0, 1], [PAD, width - PAD - SIZE])
  const y = scaleOf(extentOf(thumbnails.map((one) => one.y)) ?? [0, 1], [PAD, height - PAD - SIZE])
  const cell = SIZE + 3
  const [columns, rows] = [
    Math.max(1, Math.floor((width - PAD) / cell)),
    Math.max(1, Math.floor((height - PAD) / cell)),
  ]
  const taken = new Set<number>()
  const marks: Mark[] = []
  const spots: Spot[] = []
  for (const one of thumbnails) {
    const at = freeCell(
      taken,
      { columns, rows },
      Math.round((x.at(one.x) - PAD / 2) / cell),
      Math.round((y.at(one.y) - PAD / 2) / cell),
    )
    // More pictures than cells: those that are left out are in the table.
    if (!at) break
    const [left, top] = [PAD / 2 + at.column * cell, PAD / 2 + at.row * cell]
    marks.push(
      {
        kind: 'rect',
        x: left - 1,
        y: top - 1,
        w: SIZE + 2,
        h: SIZE + 2,
        fill: 'sunken',
        stroke: one.colour,
        width: 1.5,
        radius: 2,
      },
      one.href === undefined
        ? { kind: 'circle', x: left + SIZE / 2, y: top + SIZE / 2, r: 4, fill: one.colour }
        : { kind: 'image', x: left, y: top, w: SIZE, h: SIZE, href: one.href },
    )
    spots.push({ id: one.id, x: left + SIZE / 2, y: top + SIZE / 2, label: one.label })
  }
  return { width, height, marks, spots: spots.toSorted((a, b) => a.y - b.y || a.x - b.x) }
}

interface Grid {
  readonly columns: number
  readonly rows: number
}

/** The free cell nearest to a wanted one, taken from then on; undefined when all are taken. */
function freeCell(taken: Set<number>, { columns, rows }: Grid, column: number, row: number) {
  const wanted = { column: Math.min(columns - 1, Math.max(0, column)), row: Math.min(rows - 1, Math.max(0, row)) }
  for (let ring = 0; ring < Math.max(columns, rows); ring++) {
    let [least, found] = [Infinity, undefined as { column: number; row: number } | undefined]
    for (let r = wanted.row - ring; r <= wanted.row + ring; r++) {
      for (let c = wanted.column - ring; c <= wanted.column + ring; c++) {
        const isOnRing = Math.max(Math.abs(r - wanted.row), Math.abs(c - wanted.column)) === ring
        const isThere = r >= 0 && c >= 0 && r < rows && c < columns && !taken.has(r * columns + c)
        const far = Math.hypot(r - wanted.row, c - wanted.column)
        if (isOnRing && isThere && far < least) [least, found] = [far, { column: c, row: r }]
      }
    }
    if (found) {
      taken.add(found.row * columns + found.column)
      return found
    }
  }
  return undefined
}

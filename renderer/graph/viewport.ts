import type { Viewport } from './model.ts'
import type { Size } from './layout.ts'
import type { Rectangle } from './scene.ts'

export const ZOOM = { least: 0.02, most: 4 } as const

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))

/** Zooms by a factor and leaves one place of the window (in pixels) where it is. */
export function zoomAt(view: Viewport, factor: number, at: { readonly x: number; readonly y: number }): Viewport {
  const zoom = clamp(view.zoom * factor, ZOOM.least, ZOOM.most)
  return { x: view.x + at.x / view.zoom - at.x / zoom, y: view.y + at.y / view.zoom - at.y / zoom, zoom }
}

/** Moves by pixels of the window. */
export const panBy = (view: Viewport, dx: number, dy: number): Viewport => ({
  ...view,
  x: view.x + dx / view.zoom,
  y: view.y + dy / view.zoom,
})

/** All of a graph in a window, in its middle. */
export function fit(graph: Size, window: Size, margin = 24): Viewport {
  const zoom = clamp(
    Math.min((window.width - 2 * margin) / graph.width, (window.height - 2 * margin) / graph.height, 1),
    ZOOM.least,
    1,
  )
  return { x: graph.width / 2 - window.width / 2 / zoom, y: graph.height / 2 - window.height / 2 / zoom, zoom }
}

/** A graph from its beginning, at a size that can be read, when all of it would be too small. */
export function begin(graph: Size, window: Size, legible = 0.6): Viewport {
  const all = fit(graph, window)
  if (all.zoom >= legible) return all
  const zoom = clamp((window.width - 48) / graph.width, legible, 1)
  return { x: graph.width / 2 - window.width / 2 / zoom, y: -24 / zoom, zoom }
}

/** The view in which a rectangle is in the middle, zoomed in where it could not be read. */
export function centred(view: Viewport, { left, top, right, bottom }: Rectangle, window: Size): Viewport {
  const zoom = view.zoom < 0.4 ? 0.8 : view.zoom
  return { x: (left + right) / 2 - window.width / 2 / zoom, y: (top + bottom) / 2 - window.height / 2 / zoom, zoom }
}

/** What of a graph a window shows. */
export const seen = (view: Viewport, window: Size): Rectangle => ({
  left: view.x,
  top: view.y,
  right: view.x + window.width / view.zoom,
  bottom: view.y + window.height / view.zoom,
})

export const meets = (a: Rectangle, b: Rectangle): boolean =>
  a.left <= b.right && a.right >= b.left && a.top <= b.bottom && a.bottom >= b.top

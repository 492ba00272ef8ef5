import { HEADER } from './layout.ts'
import { LINE, shortened } from './labels.ts'
import type { Mark, Tone } from './model.ts'
import { meets } from './viewport.ts'
import type { Box, Line, Rectangle, Scene } from './scene.ts'

/** Colours of the theme at hand, as a canvas and a file need them. */
export interface Theme {
  readonly surface: string
  readonly sunken: string
  readonly line: string
  readonly strong: string
  readonly edge: string
  readonly text: string
  readonly muted: string
  readonly accent: string
  readonly tones: Readonly<Record<Tone, string>>
  readonly font: string
}

export interface Stroke {
  readonly colour: string
  readonly width: number
  readonly dash?: readonly number[]
}

/** What a picture is drawn with: a canvas, or the text of an SVG file. */
export interface Pen {
  rectangle(at: Rectangle, radius: number, fill: string | undefined, stroke: Stroke | undefined): void
  path(points: Float64Array, stroke: Stroke, arrow: boolean): void
  text(text: string, x: number, y: number, style: TextStyle): void
}

export interface TextStyle {
  readonly colour: string
  readonly size: number
  readonly bold?: boolean
  readonly align?: 'left' | 'right' | 'center'
}

/** What is written in a box. */
export interface Face {
  readonly title: string
  readonly lines: readonly string[]
  readonly kind: 'node' | 'input' | 'output' | 'group'
  readonly mark?: Mark | undefined
}

export interface Picture {
  readonly scene: Scene
  readonly face: (box: Box) => Face
  readonly selected: Box | undefined
  /** Boxes that a search has found. */
  readonly found: ReadonlySet<number>
  readonly theme: Theme
  /** Text of a line between boxes; empty for none. */
  readonly label: (line: Line) => string
}

/** Smaller than this a text is not drawn: it could not be read. */
const LEGIBLE = 0.42

/** Draws what lies in a part of the picture; `zoom` only decides what is worth drawing. */
export function paint(pen: Pen, picture: Picture, part: Rectangle, zoom: number): void {
  const { scene } = picture
  const near = { left: part.left - 40, top: part.top - 40, right: part.right + 40, bottom: part.bottom + 40 }
  const boxes = scene.boxes.filter((box) => meets(rectangleOf(box), near))
  for (const box of boxes) if (box.open) paintGroup(pen, picture, box, zoom)
  for (const line of scene.lines) if (meets(line.bounds, near)) paintLine(pen, picture, line, zoom)
  for (const box of boxes) {
    if (box.open) paintHeader(pen, picture, box, part, zoom)
    else paintBox(pen, picture, box, zoom)
  }
}

const rectangleOf = ({ x, y, width, height }: Box): Rectangle => ({
  left: x,
  top: y,
  right: x + width,
  bottom: y + height,
})

function outline({ selected, found, theme }: Picture, box: Box, zoom: number): Stroke {
  const thick = 1 / Math.max(zoom, 0.25)
  if (box === selected) return { colour: theme.accent, width: 2.5 * thick }
  if (found.has(box.child)) return { colour: theme.accent, width: 1.5 * thick, dash: [4, 3] }
  return { colour: box.open ? theme.line : theme.strong, width: 1 }
}

function paintGroup(pen: Pen, picture: Picture, box: Box, zoom: number): void {
  const { theme } = picture
  pen.rectangle(rectangleOf(box), 8, box.depth % 2 === 0 ? theme.sunken : theme.surface, outline(picture, box, zoom))
}

/** The name of an open group stays in view as long as the group does. */
function paintHeader(pen: Pen, picture: Picture, box: Box, part: Rectangle, zoom: number): void {
  if (zoom < LEGIBLE) return
  const { title } = picture.face(box)
  const left = Math.min(Math.max(box.x, part.left), box.x + box.width - 120) + 10
  pen.text(`▾ ${title}`, left, box.y + 17, { colour: picture.theme.muted, size: 12, bold: true })
}

function paintLine(pen: Pen, { selected, theme, label }: Picture, line: Line, zoom: number): void {
  const isSelected = selected !== undefined && !selected.open && selected.child === line.source
  const width = isSelected ? 2 / Math.max(zoom, 0.25) : Math.max(1, 0.7 / zoom)
  pen.path(line.points, { colour: isSelected ? theme.accent : theme.edge, width }, zoom > 0.3)
  if (zoom < 0.75) return
  const text = label(line)
  const { points } = line
  if (text === '' || points.length < 4) return
  const [x = 0, y = 0] = [points.at(-2), points.at(-1)]
  pen.text(text, x + 5, y - 7, { colour: theme.muted, size: 10 })
}

function paintBox(pen: Pen, picture: Picture, box: Box, zoom: number): void {
  const { theme } = picture
  const { title, lines, kind, mark } = picture.face(box)
  const at = rectangleOf(box)
  const fill = mark && mark.tone !== 'none' ? theme.tones[mark.tone] : kind === 'node' ? theme.surface : theme.sunken
  if (kind === 'group' && zoom > 0.15) {
    // A second edge behind it: this stands for several.
    const behind = { left: at.left + 4, top: at.top + 4, right: at.right + 4, bottom: at.bottom + 4 }
    pen.rectangle(behind, 6, theme.surface, { colour: theme.strong, width: 1 })
  }
  pen.rectangle(at, kind === 'input' || kind === 'output' ? 14 : 6, fill, outline(picture, box, zoom))
  if (zoom < LEGIBLE) return
  const tinted = mark !== undefined && mark.tone !== 'none'
  const left = box.x + 10
  pen.text(kind === 'group' ? `▸ ${title}` : title, left, box.y + 18, { colour: theme.text, size: 12, bold: true })
  if (mark?.badge !== undefined) {
    pen.text(mark.badge, at.right - 8, box.y + 18, { colour: theme.text, size: 11, align: 'right' })
  }
  const colour = tinted ? theme.text : theme.muted
  lines.forEach((line, i) => pen.text(shortened(line, 40), left, box.y + HEADER + 8 + i * LINE, { colour, size: 11 }))
}

/** The whole picture small, without texts: boxes as plain rectangles. */
export function paintSmall(pen: Pen, { scene, face, theme, selected }: Picture): void {
  for (const box of scene.boxes) {
    const mark = box.open ? undefined : face(box).mark
    const fill = mark && mark.tone !== 'none' ? theme.tones[mark.tone] : box.open ? theme.sunken : theme.strong
    pen.rectangle(rectangleOf(box), 0, box === selected ? theme.accent : fill, undefined)
  }
}

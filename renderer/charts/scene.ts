/** Colours by their names in tokens.css. */
export type Token =
  | 's1'
  | 's2'
  | 's3'
  | 's4'
  | 's5'
  | 's6'
  | 'line'
  | 'line-strong'
  | 'field-line'
  | 'text'
  | 'muted'
  | 'faint'
  | 'surface'
  | 'sunken'
  | 'accent'
  | 'accent-soft'
  | 'good'
  | 'bad'
  | 'info'

interface Paint {
  readonly opacity?: number
  readonly dash?: string
  readonly width?: number
}

/** What a chart is drawn with. Lengths in pixels, origin at the top left. */
export type Mark =
  | ({
      readonly kind: 'line'
      readonly x1: number
      readonly y1: number
      readonly x2: number
      readonly y2: number
      readonly colour: Token
    } & Paint)
  | ({ readonly kind: 'path'; readonly d: string; readonly colour: Token } & Paint)
  | ({
      readonly kind: 'rect'
      readonly x: number
      readonly y: number
      readonly w: number
      readonly h: number
      readonly fill: Token
      readonly stroke?: Token
      readonly radius?: number
    } & Paint)
  | ({
      readonly kind: 'circle'
      readonly x: number
      readonly y: number
      readonly r: number
      readonly fill: Token
      readonly stroke?: Token
    } & Paint)
  | ({
      readonly kind: 'image'
      readonly x: number
      readonly y: number
      readonly w: number
      readonly h: number
      /** A `data:` address. */
      readonly href: string
    } & Paint)
  | {
      readonly kind: 'text'
      readonly x: number
      readonly y: number
      readonly text: string
      readonly colour: Token
      readonly anchor?: 'start' | 'middle' | 'end'
      readonly bold?: boolean
      readonly mono?: boolean
      /** Degrees around its place. */
      readonly turn?: number
    }

/** A place of a chart that can be pointed at, with the words for it. */
export interface Spot {
  readonly id: string
  readonly x: number
  readonly y: number
  readonly label: string
}

/** A drawn chart: the same marks become elements on the screen and a file. Spots are in reading order. */
export interface Scene {
  readonly width: number
  readonly height: number
  readonly marks: readonly Mark[]
  readonly spots: readonly Spot[]
}

/** The values of a chart as rows of text or numbers: what is shown as a table and written as CSV. */
export interface DataTable {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | undefined)[])[]
}

export const FONT_SIZE = 11

/** About how wide a text is, in pixels: there is no canvas to ask where geometry is computed. */
export function textWidth(text: string, size = FONT_SIZE): number {
  let width = 0
  for (const letter of text) width += (letter.codePointAt(0) ?? 0) > 0x2e80 ? size : size * 0.56
  return width
}

/** A text that is not wider than `room`; what was cut ends in an ellipsis. */
export function fitText(text: string, room: number): string {
  if (textWidth(text) <= room) return text
  let short = text
  while (short.length > 1 && textWidth(`${short}…`) > room) short = short.slice(0, -1)
  return `${short}…`
}

export const seriesToken = (index: number): Token => `s${(((index % 6) + 6) % 6) + 1}` as Token

/** The spot nearest to a place, if one is near enough. */
export function spotNear(spots: readonly Spot[], x: number, y: number, reach = 28): Spot | undefined {
  let found: Spot | undefined
  let least = reach
  for (const spot of spots) {
    const distance = Math.hypot(spot.x - x, spot.y - y)
    if (distance < least) [found, least] = [spot, distance]
  }
  return found
}

const escaped: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it may stand in markup, in an attribute too. */
export const escapeMarkup = (text: string): string => text.replaceAll(/[&<>"']/g, (letter) => escaped[letter] ?? '')

const round = (value: number): number => Math.round(value * 100) / 100

/** The attributes of a mark's element, by their SVG names; the same for the screen and for files. */
export function attributesOf(mark: Mark, colour: (token: Token) => string): Record<string, string | number> {
  if (mark.kind === 'text') return textAttributes(mark, colour)
  const paint = {
    ...(mark.opacity === undefined ? {} : { opacity: mark.opacity }),
    ...(mark.dash === undefined ? {} : { 'stroke-dasharray': mark.dash }),
  }
  switch (mark.kind) {
    case 'line':
      return {
        x1: round(mark.x1),
        y1: round(mark.y1),
        x2: round(mark.x2),
        y2: round(mark.y2),
        stroke: colour(mark.colour),
        'stroke-width': mark.width ?? 1,
        ...paint,
      }
    case 'path':
      return { d: mark.d, fill: 'none', stroke: colour(mark.colour), 'stroke-width': mark.width ?? 1.5, ...paint }
    case 'rect':
      return {
        x: round(mark.x),
        y: round(mark.y),
        width: round(Math.max(0, mark.w)),
        height: round(Math.max(0, mark.h)),
        rx: mark.radius ?? 0,
        fill: colour(mark.fill),
        ...(mark.stroke ? { stroke: colour(mark.stroke), 'stroke-width': mark.width ?? 1 } : {}),
        ...paint,
      }
    case 'image':
      return {
        x: round(mark.x),
        y: round(mark.y),
        width: round(mark.w),
        height: round(mark.h),
        href: mark.href,
        style: 'image-rendering:pixelated',
        ...paint,
      }
    case 'circle':
      return {
        cx: round(mark.x),
        cy: round(mark.y),
        r: mark.r,
        fill: colour(mark.fill),
        ...(mark.stroke ? { stroke: colour(mark.stroke), 'stroke-width': mark.width ?? 1.5 } : {}),
        ...paint,
      }
  }
}

function textAttributes(mark: Extract<Mark, { kind: 'text' }>, colour: (token: Token) => string) {
  const [x, y] = [round(mark.x), round(mark.y)]
  return {
    x,
    y,
    fill: colour(mark.colour),
    'font-size': FONT_SIZE,
    'text-anchor': mark.anchor ?? 'start',
    ...(mark.bold ? { 'font-weight': 650 } : {}),
    ...(mark.mono ? { 'font-family': 'monospace' } : {}),
    ...(mark.turn === undefined ? {} : { transform: `rotate(${mark.turn} ${x} ${y})` }),
  }
}

/** A scene as a file of its own. `title` is read by screen readers. */
export function svgText(scene: Scene, title: string, colour: (token: Token) => string): string {
  const marks = scene.marks.map((mark) => {
    const attributes = Object.entries(attributesOf(mark, colour))
      .map(([name, value]) => ` ${name}="${escapeMarkup(String(value))}"`)
      .join('')
    return mark.kind === 'text'
      ? `<text${attributes}>${escapeMarkup(mark.text)}</text>`
      : `<${mark.kind}${attributes}/>`
  })
  const { width, height } = scene
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
      `role="img" font-family="Inter, 'Noto Sans SC', system-ui, sans-serif">`,
    `<title>${escapeMarkup(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="${escapeMarkup(colour('surface'))}"/>`,
    ...marks,
    '</svg>',
  ].join('\n')
}

/** Rows as CSV (RFC 4180). A text that a spreadsheet would take for a formula is made one that it does not. */
export function csvText({ columns, rows }: DataTable): string {
  const cell = (value: string | number | undefined) => {
    if (value === undefined) return ''
    if (typeof value === 'number') return String(value)
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  }
  return `${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`
}

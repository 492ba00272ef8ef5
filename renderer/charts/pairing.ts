import { fitText, seriesToken, textWidth, type Mark, type Scene, type Spot } from './scene.ts'

/** A point of one of the two nets, in words. */
export interface PairingPoint {
  readonly id: string
  readonly name: string
  /** Shape and operator. */
  readonly note: string
  /** Chosen as one end of a new pair. */
  readonly chosen?: boolean
}

export interface PairingLink {
  readonly id: string
  /** Places in the columns. */
  readonly left: number
  readonly right: number
  readonly label: string
  readonly note: string
  readonly colour: number
}

export interface PairingInput {
  readonly left: readonly PairingPoint[]
  readonly right: readonly PairingPoint[]
  readonly links: readonly PairingLink[]
  readonly leftName: string
  readonly rightName: string
  readonly describePoint: (point: PairingPoint, side: 'left' | 'right') => string
  readonly describeLink: (link: PairingLink) => string
}

const ROW = 40
const BOX = 32
const TOP = 26
/** Between columns that are nearer, links have only their names. */
const NARROW = 200

/**
 * Rows of both columns such that points that are compared stand beside each other where their order allows it: between
 * two such places each column goes on by itself.
 */
export function alignedRows(
  counts: readonly [left: number, right: number],
  links: readonly { readonly left: number; readonly right: number }[],
): { readonly left: readonly number[]; readonly right: readonly number[]; readonly rows: number } {
  const left: number[] = []
  const right: number[] = []
  let rows = 0
  for (const anchor of [...inOrder(links), { left: counts[0], right: counts[1] }]) {
    let [a, b] = [rows, rows]
    while (left.length < anchor.left) left.push(a++)
    while (right.length < anchor.right) right.push(b++)
    rows = Math.max(a, b)
    if (anchor.left >= counts[0] || anchor.right >= counts[1]) continue
    left.push(rows)
    right.push(rows)
    rows++
  }
  return { left, right, rows }
}

/** The longest chain of links that do not cross. */
function inOrder<L extends { readonly left: number; readonly right: number }>(links: readonly L[]): readonly L[] {
  const sorted = links.toSorted((a, b) => a.left - b.left || a.right - b.right)
  const chains: { readonly length: number; readonly link: L; readonly before: number }[] = []
  sorted.forEach((link) => {
    let [length, before] = [1, -1]
    chains.forEach((chain, i) => {
      if (chain.link.left < link.left && chain.link.right < link.right && chain.length + 1 > length) {
        ;[length, before] = [chain.length + 1, i]
      }
    })
    chains.push({ length, link, before })
  })
  const chain: L[] = []
  let at = chains.reduce((best, { length }, i) => (length > (chains[best]?.length ?? 0) ? i : best), -1)
  for (let found = chains[at]; found; found = chains[at]) {
    chain.unshift(found.link)
    at = found.before
  }
  return chain
}

/** Two nets as columns of boxes, and curves between what is compared, each with the loss that compares it. */
export function pairingScene(input: PairingInput, width: number): Scene {
  const { left, right, links, leftName, rightName } = input
  const placed = alignedRows([left.length, right.length], links)
  const height = TOP + placed.rows * ROW + 6
  const column = Math.max(90, Math.min(320, width * 0.33))
  const from = column
  const to = width - column
  const yOf = (row: number) => TOP + row * ROW + BOX / 2
  const marks: Mark[] = [
    { kind: 'text', x: 0, y: 13, text: leftName, colour: 'muted', bold: true },
    { kind: 'text', x: to, y: 13, text: rightName, colour: 'muted', bold: true },
  ]
  const spots: Spot[] = []
  const linked = { left: new Set(links.map((l) => l.left)), right: new Set(links.map((l) => l.right)) }
  const labels: number[] = []
  for (const link of links) {
    const [y1, y2] = [yOf(placed.left[link.left] ?? 0), yOf(placed.right[link.right] ?? 0)]
    const third = (to - from) / 3
    const d = `M${from} ${y1}C${from + third} ${y1} ${to - third} ${y2} ${to} ${y2}`
    marks.push({ kind: 'path', d, colour: seriesToken(link.colour), width: 2 })
    let y = (y1 + y2) / 2
    while (labels.some((other) => Math.abs(other - y) < 30)) y += 15
    labels.push(y)
    marks.push(...labelMarks(link, (from + to) / 2, y, to - from - 16))
    spots.push({ id: `link:${link.id}`, x: (from + to) / 2, y, label: input.describeLink(link) })
  }
  const side = (points: readonly PairingPoint[], which: 'left' | 'right', x: number) =>
    points.forEach((point, i) => {
      const y = yOf(placed[which][i] ?? 0)
      marks.push(...boxMarks(point, x, y, column, linked[which].has(i)))
      const label = input.describePoint(point, which)
      spots.push({ id: `${which}:${point.id}`, x: which === 'left' ? x + 14 : x + column - 14, y, label })
    })
  side(left, 'left', 0)
  side(right, 'right', to)
  const lowest = Math.max(height, ...labels.map((y) => y + 22))
  return { width, height: lowest, marks, spots: spots.toSorted((a, b) => a.y - b.y || a.x - b.x) }
}

function boxMarks(point: PairingPoint, x: number, y: number, width: number, isLinked: boolean): Mark[] {
  const stroke = point.chosen ? 'accent' : isLinked ? 'line-strong' : 'line'
  const top = y - BOX / 2
  return [
    {
      kind: 'rect',
      x: x + 1,
      y: top,
      w: width - 2,
      h: BOX,
      fill: point.chosen ? 'accent-soft' : isLinked ? 'surface' : 'sunken',
      stroke,
      width: point.chosen ? 2 : 1,
      radius: 5,
    },
    {
      kind: 'text',
      x: x + 10,
      y: top + 14,
      text: fitText(point.name, width - 20),
      colour: isLinked || point.chosen ? 'text' : 'muted',
      mono: true,
    },
    { kind: 'text', x: x + 10, y: top + 27, text: fitText(point.note, width - 20), colour: 'faint' },
  ]
}

function labelMarks({ label, note }: PairingLink, x: number, y: number, room: number): Mark[] {
  if (room < 40) return []
  // Where there is little room the line itself says more than what stands between; pointing at it tells that.
  const [first, second] = [fitText(label, room), room < NARROW ? '' : fitText(note, room)]
  const w = Math.max(textWidth(first) * 1.1, textWidth(second)) + 12
  const h = second === '' ? 18 : 30
  return [
    { kind: 'rect', x: x - w / 2, y: y - h / 2, w, h, fill: 'surface', radius: 4 },
    { kind: 'text', x, y: y + (second === '' ? 4 : -2), text: first, colour: 'text', anchor: 'middle', bold: true },
    ...(second === ''
      ? []
      : [{ kind: 'text', x, y: y + 11, text: second, colour: 'muted', anchor: 'middle' } as const]),
  ]
}

/*
 * One picture for each method, as shapes on a field of 480 × 160. Every method has its own; what it shows is said in
 * words beside it. Colours are named by what they stand for.
 */
export type Tone = 'line' | 'weak' | 'strong' | 'gone' | 'good' | 'info'

export type Shape =
  | {
      readonly kind: 'box'
      readonly x: number
      readonly y: number
      readonly w: number
      readonly h: number
      readonly tone: Tone
    }
  | { readonly kind: 'dot'; readonly x: number; readonly y: number; readonly r: number; readonly tone: Tone }
  | { readonly kind: 'path'; readonly d: string; readonly tone: Tone; readonly dashed?: boolean }

const box = (x: number, y: number, w: number, h: number, tone: Tone): Shape => ({ kind: 'box', x, y, w, h, tone })
const dot = (x: number, y: number, r: number, tone: Tone): Shape => ({ kind: 'dot', x, y, r, tone })
const path = (d: string, tone: Tone, dashed = false): Shape => ({
  kind: 'path',
  d,
  tone,
  ...(dashed ? { dashed } : {}),
})
const arrow = (x: number, y: number, to: number): Shape =>
  path(`M${x} ${y}H${to}M${to - 8} ${y - 6}L${to} ${y}L${to - 8} ${y + 6}`, 'line')
const range = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

/** A column of channels, some of which go. */
const channels = (x: number, count: number, gone: readonly number[] = []) =>
  range(count, (i) => box(x, 16 + i * 16.5, 56, 12, gone.includes(i) ? 'gone' : 'strong'))
/** A grid of weights by a rule. */
const cells = (
  x: number,
  y: number,
  columns: number,
  rows: number,
  size: number,
  tone: (i: number, j: number) => Tone,
) =>
  range(columns * rows, (k) => {
    const [i, j] = [k % columns, Math.floor(k / columns)]
    return box(x + i * size, y + j * size, size - 3, size - 3, tone(i, j))
  })
/** Bars of given heights that stand on a line. */
const bars = (x: number, y: number, step: number, heights: readonly number[], tone: (height: number) => Tone) =>
  heights.map((height, i) => box(x + i * step, y - height, step - 8, height, tone(height)))
const axes = path('M30 12V140H460', 'line')
/** The curve `M40 132C170 124 230 30 450 24`, and the same in steps of a height. */
const CURVE = 'M40 132C170 124 230 30 450 24'
function rounded(height: number): string {
  const at = (t: number, [a, b, c, d]: readonly [number, number, number, number]) =>
    (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t * t * c + t ** 3 * d
  let d = 'M40 132'
  for (const t of range(60, (i) => (i + 1) / 60)) {
    const y = 132 - Math.round((132 - at(t, [132, 124, 30, 24])) / height) * height
    d += `H${at(t, [40, 170, 230, 450]).toFixed(1)}V${y}`
  }
  return d
}
const stairs = (x: number, y: number, width: number, steps: number, rise: number) =>
  `M${x} ${y}${range(steps, () => `h${width / steps}v${-rise / steps}`).join('')}`
/** Which of some weights are zero: about half of them, scattered. */
const isZero = (i: number, j: number): boolean => (i * 7 + j * 5 + i * j) % 3 !== 0

export const pictures: Readonly<Record<string, readonly Shape[]>> = {
  optimize: [
    axes,
    path('M76 118L132 74L214 48L392 34', 'good'),
    ...[
      [76, 118],
      [132, 74],
      [214, 48],
      [392, 34],
    ].map(([x, y]) => dot(x ?? 0, y ?? 0, 6, 'good')),
    ...[
      [150, 116],
      [206, 92],
      [262, 100],
      [306, 70],
      [352, 84],
      [420, 62],
    ].map(([x, y]) => dot(x ?? 0, y ?? 0, 5, 'weak')),
    path('M236 16V140', 'info', true),
  ],
  train: [axes, path('M34 20C90 120 200 128 456 134', 'strong'), path('M34 136C110 60 220 40 456 32', 'info')],
  finetune: [
    axes,
    path('M34 36H190', 'info'),
    path('M190 36V112', 'gone', true),
    path('M190 112C230 60 320 46 456 42', 'good'),
    dot(190, 112, 4, 'strong'),
  ],
  'insert-batchnorm': [
    box(40, 56, 100, 48, 'weak'),
    arrow(144, 80, 186),
    box(190, 48, 100, 64, 'strong'),
    arrow(294, 80, 336),
    box(340, 56, 100, 48, 'weak'),
  ],
  distil: [
    box(24, 20, 150, 54, 'info'),
    box(24, 104, 84, 36, 'strong'),
    ...bars(214, 74, 16, [10, 18, 44, 26, 12, 8], () => 'info'),
    path('M300 46C360 46 360 122 320 122M328 115L320 122L328 129', 'line', true),
    ...bars(214, 140, 16, [6, 12, 34, 20, 9, 5], () => 'strong'),
    arrow(176, 46, 208),
    arrow(112, 122, 208),
  ],
  prune: [
    ...channels(40, 8, [2, 5, 6]),
    ...channels(130, 8, [2, 5, 6]),
    arrow(210, 80, 262),
    ...channels(290, 5),
    ...channels(380, 5),
  ],
  slim: [
    axes,
    ...bars(44, 140, 29, [90, 20, 70, 12, 100, 84, 9, 60, 16, 95, 76, 7, 66, 14], (h) => (h < 30 ? 'gone' : 'strong')),
    path('M30 110H460', 'line', true),
  ],
  sparsify: [
    ...cells(40, 16, 8, 8, 16, () => 'strong'),
    arrow(190, 80, 250),
    ...cells(280, 16, 8, 8, 16, (i, j) => (isZero(i, j) ? 'gone' : 'strong')),
  ],
  'prune-retrain': [
    ...cells(30, 50, 4, 4, 16, () => 'strong'),
    arrow(106, 80, 146),
    ...cells(160, 50, 4, 4, 16, (i, j) => ((i + j) % 3 === 0 ? 'gone' : 'strong')),
    arrow(236, 80, 276),
    ...cells(290, 50, 4, 4, 16, (i, j) => (isZero(i, j) ? 'gone' : 'strong')),
    arrow(366, 80, 406),
    ...cells(412, 50, 4, 4, 16, (i, j) => ((i + 2 * j) % 4 === 0 ? 'good' : 'gone')),
    path('M190 40C230 8 290 8 320 40M311 36L320 40L322 30', 'line', true),
  ],
  factorize: [
    box(40, 16, 130, 128, 'strong'),
    arrow(190, 80, 240),
    box(262, 16, 26, 128, 'info'),
    box(310, 66, 130, 26, 'info'),
  ],
  cluster: [
    path('M30 110H460', 'line'),
    ...range(27, (i) => dot(42 + ((i * 137) % 410), 46 + ((i * 61) % 40), 4, 'weak')),
    ...range(4, (i) => dot(80 + i * 105, 110, 9, 'strong')),
    ...range(4, (i) => path(`M${80 + i * 105} 92v10`, 'line')),
  ],
  pack: [
    ...cells(40, 40, 6, 5, 17, (i, j) => (isZero(i, j) ? 'gone' : 'strong')),
    arrow(160, 80, 216),
    ...range(16, (i) => box(240 + i * 13, 70, i % 3 === 0 ? 9 : 5, 22, i % 2 === 0 ? 'info' : 'good')),
    path('M232 60H456V102H232Z', 'line'),
  ],
  quantize: [axes, path(CURVE, 'weak'), path(rounded(18), 'strong')],
  qat: [
    axes,
    path(stairs(40, 132, 410, 6, 108), 'weak'),
    path('M60 24C150 150 260 140 330 92', 'strong'),
    dot(330, 92, 6, 'good'),
    path('M352 84l20 -14', 'line', true),
  ],
  adaround: [
    ...range(5, (i) => path(`M40 ${24 + i * 28}H450`, 'line', true)),
    ...range(8, (i) => dot(70 + i * 48, 40 + ((i * 37) % 80), 5, 'weak')),
    ...range(8, (i) => {
      const y = 40 + ((i * 37) % 80)
      const low = 24 + Math.floor((y - 24) / 28) * 28
      const to = i % 3 === 0 ? low : low + 28
      return path(`M${70 + i * 48} ${y}V${to}`, 'strong')
    }),
    ...range(8, (i) => {
      const y = 40 + ((i * 37) % 80)
      const low = 24 + Math.floor((y - 24) / 28) * 28
      return dot(70 + i * 48, i % 3 === 0 ? low : low + 28, 5, 'strong')
    }),
  ],
  equalize: [
    ...bars(30, 140, 26, [110, 14, 60, 90, 20, 40], () => 'weak'),
    arrow(206, 80, 262),
    ...bars(290, 140, 26, [62, 52, 58, 60, 54, 56], () => 'strong'),
  ],
}

import { expect, test } from 'vitest'
import { barScene, barsHeight } from './bars.ts'
import { heatScene } from './heatmap.ts'
import { histogramOf, histogramScene } from './histogram.ts'
import { parallelScene } from './parallel.ts'
import { isWithinLimits, paretoFront, sweetSpot } from './pareto.ts'
import { linearTicks, logTicks, scaleOf } from './scale.ts'
import { scatterScene, type ScatterInput } from './scatter.ts'
import { thumbnailScene } from './thumbnails.ts'
import { csvText, fitText, spotNear, svgText, textWidth, type Mark, type Scene } from './scene.ts'

const better = { x: 'less', y: 'more' } as const
const at = (id: string, x: number, y: number) => ({ id, name: id, x, y, colour: 0 })
// Latency in milliseconds against accuracy.
const models = [
  at('baseline', 7.9, 0.92),
  at('thin', 4.1, 0.916),
  at('int8', 2.6, 0.913),
  at('slim', 7.2, 0.901),
  at('tiny', 2.1, 0.88),
]
const kinds = (scene: Scene, kind: Mark['kind']) => scene.marks.filter((mark) => mark.kind === kind)

test('the front has what no other beats, in order of x', () => {
  expect(paretoFront(models, better).map(({ id }) => id)).toEqual(['tiny', 'int8', 'thin', 'baseline'])
  const twins = [at('a', 1, 1), at('b', 1, 1), at('c', 2, 1)]
  expect(paretoFront(twins, better).map(({ id }) => id)).toEqual(['a', 'b'])
  expect(paretoFront(models, { x: 'more', y: 'more' }).map(({ id }) => id)).toEqual(['baseline'])
})

test('the sweet spot keeps the limits, and is nothing where none does', () => {
  const spot = (limits: { x?: number; y?: number }) => sweetSpot(models, { limits, better, logX: true })?.id
  expect(spot({ x: 3.6, y: 0.91 })).toBe('int8')
  expect(spot({ y: 0.915 })).toBe('thin')
  expect(spot({ x: 2.2 })).toBe('tiny')
  expect(spot({ x: 2.2, y: 0.9 })).toBeUndefined()
  expect(isWithinLimits(at('edge', 3.6, 0.91), { x: 3.6, y: 0.91 }, better)).toBe(true)
})

test('thumbnails lie where the plane has them, none on another, and go into a file as pictures', () => {
  const address = 'data:image/png;base64,AAAA'
  const heap = Array.from({ length: 40 }, (_, i) => ({
    id: String(i),
    x: i < 20 ? 0 : 10,
    y: i < 20 ? 0 : 10,
    ...(i === 3 ? {} : { href: address }),
    colour: 'bad' as const,
    label: `sample ${i}`,
  }))
  const scene = thumbnailScene(heap, 600, 420)
  expect(kinds(scene, 'image')).toHaveLength(39)
  expect(kinds(scene, 'circle')).toHaveLength(1)
  const places = new Set(scene.spots.map(({ x, y }) => `${x} ${y}`))
  expect(places.size).toBe(40)
  const spot = (id: string) => scene.spots.find((one) => one.id === id) ?? { x: NaN, y: NaN }
  // Two heaps at opposite corners stay apart.
  for (let i = 0; i < 20; i++) expect(spot(String(i)).x).toBeLessThan(spot(String(20 + i)).x)
  expect(svgText(scene, 'heap', (token) => token)).toContain(`href="${address}" style="image-rendering:pixelated"/>`)
  // More than there is room for are left out rather than hidden.
  expect(thumbnailScene(heap, 90, 90).spots.length).toBeLessThan(40)
})

test('ticks are round numbers within the domain', () => {
  expect(linearTicks([0.87, 0.93], 4)).toEqual([0.88, 0.9, 0.92])
  expect(linearTicks([0, 100], 5)).toEqual([0, 20, 40, 60, 80, 100])
  expect(linearTicks([3, 3], 5)).toEqual([3])
  expect(logTicks([0.5, 130], 12)).toEqual([0.5, 1, 2, 5, 10, 20, 50, 100])
  expect(logTicks([1, 1e9], 4)).toEqual([1, 1e3, 1e6, 1e9])
})

test('a scale goes both ways', () => {
  for (const logarithmic of [false, true]) {
    const scale = scaleOf([1, 100], [40, 540], logarithmic)
    expect([scale.at(1), scale.at(100)]).toEqual([40, 540])
    expect(scale.invert(scale.at(7))).toBeCloseTo(7, 9)
  }
  expect(scaleOf([1, 100], [0, 100], true).at(10)).toBeCloseTo(50, 9)
})

const scatter = (more: Partial<ScatterInput> = {}): ScatterInput => ({
  points: models.map((point) => ({ ...point, yRange: [point.y - 0.003, point.y + 0.003] as const })),
  better,
  limits: {},
  logX: false,
  judged: true,
  showX: (value) => `${value} ms`,
  showY: (value) => `${(100 * value).toFixed(0)} %`,
  xName: 'latency',
  yName: 'accuracy',
  describe: ({ name, x, y }) => `${name}: ${x} ms, ${y}`,
  ...more,
})

test('a scatter has a dot, an interval and words for each point, inside its frame', () => {
  const scene = scatterScene(scatter(), 560, 260)
  const dots = kinds(scene, 'circle') as Extract<Mark, { kind: 'circle' }>[]
  expect(dots).toHaveLength(models.length)
  for (const { x, y } of dots) expect(x > 28 && x < 546 && y > 18 && y < 226).toBe(true)
  expect(scene.spots.map(({ id }) => id)).toEqual(['tiny', 'int8', 'thin', 'slim', 'baseline'])
  expect(scene.spots[1]?.label).toBe('int8: 2.6 ms, 0.913')
  expect(kinds(scene, 'path')).toHaveLength(1)
  // The best compromise is drawn larger.
  expect(dots.filter(({ r }) => r === 7)).toHaveLength(1)
})

test('a scatter of what cannot be compared has no front and no best', () => {
  const scene = scatterScene(scatter({ judged: false }), 560, 260)
  expect(kinds(scene, 'path')).toHaveLength(0)
  expect((kinds(scene, 'circle') as Extract<Mark, { kind: 'circle' }>[]).every(({ r }) => r === 5)).toBe(true)
})

test('limits tint what they leave', () => {
  const scene = scatterScene(scatter({ limits: { x: 3.6, y: 0.91 }, limitLabel: '≤ 3.6 ms' }), 560, 260)
  const [area] = kinds(scene, 'rect') as Extract<Mark, { kind: 'rect' }>[]
  const int8 = scene.spots.find(({ id }) => id === 'int8')
  const slim = scene.spots.find(({ id }) => id === 'slim')
  const inside = (spot: typeof int8) =>
    area && spot && spot.x >= area.x && spot.x <= area.x + area.w && spot.y >= area.y && spot.y <= area.y + area.h
  expect([inside(int8), inside(slim)]).toEqual([true, false])
})

test('names that would cover each other are left out', () => {
  const points = Array.from({ length: 200 }, (_, i) => ({ ...at(`point ${i}`, 1 + i / 1e4, 0.9), colour: i }))
  const scene = scatterScene(scatter({ points }), 560, 260)
  const names = kinds(scene, 'text').filter((mark) => mark.kind === 'text' && mark.text.startsWith('point'))
  expect(names.length).toBeLessThan(20)
  expect(scene.spots).toHaveLength(200)
})

test('a histogram counts every finite value once', () => {
  const { edges, counts } = histogramOf(Float32Array.of(0, 0.1, 0.5, 0.9, 1, NaN, Infinity), 4)
  expect(edges).toEqual([0, 0.25, 0.5, 0.75, 1])
  expect(counts).toEqual([2, 0, 1, 2])
  expect(histogramOf([], 2).counts).toEqual([0, 0])
  expect(histogramOf([3, 3, 3], 3).counts).toEqual([3, 0, 0])
})

test('on a logarithmic axis a single value still has a bar, and an empty bin none', () => {
  const one = { id: 'w', name: 'weights', colour: 0, edges: [0, 1, 2, 3], counts: [1, 0, 1000] }
  const text = { showX: String, showY: String, xName: '', yName: '', describe: () => '' }
  const bars = kinds(histogramScene({ series: [one], logY: true, ...text }, 400, 200), 'rect')
  expect(bars).toHaveLength(2)
  for (const bar of bars) expect(bar.kind === 'rect' && bar.h > 4).toBe(true)
})

test('bars start at zero and are as long as their values', () => {
  const rows = [
    { id: 'a', label: 'conv1', values: [64, 32], note: '64 → 32' },
    { id: 'b', label: 'fc', values: [-16, undefined], note: '' },
  ]
  const scene = barScene({ rows, colours: [5, 0], describe: ({ label }) => label }, 600)
  const bars = kinds(scene, 'rect') as Extract<Mark, { kind: 'rect' }>[]
  expect(bars).toHaveLength(3)
  expect((bars[0]?.w ?? 0) / (bars[1]?.w ?? 1)).toBeCloseTo(2, 6)
  expect(bars[2]?.x ?? 0).toBeLessThan(bars[0]?.x ?? 0)
  expect(scene.height).toBe(barsHeight(2, 2))
})

test('a heat map tints more where there is more, and tells signs apart', () => {
  const input = {
    rows: ['cat', 'dog'],
    columns: ['cat', 'dog'],
    rowName: 'label',
    columnName: 'answer',
    show: String,
    describe: (i: number, j: number, value: number) => `${i} ${j} ${value}`,
  }
  const scene = heatScene({ ...input, values: [[90, 10], [0, 95]] }, 300) // prettier-ignore
  const tints = kinds(scene, 'rect').filter((mark) => mark.kind === 'rect' && mark.opacity !== undefined)
  expect(tints).toHaveLength(3)
  expect(scene.spots.map(({ label }) => label)).toEqual(['0 0 90', '0 1 10', '1 0 0', '1 1 95'])
  const signed = heatScene({ ...input, values: [[-3, 3], [0, 1]], signed: true, goodSign: (i, j) => (i === j ? 1 : -1) }, 300) // prettier-ignore
  const fills = kinds(signed, 'rect').flatMap((mark) =>
    mark.kind === 'rect' && mark.opacity !== undefined ? [mark.fill] : [],
  )
  expect(fills).toEqual(['bad', 'bad', 'good'])
})

test('a line across parallel axes is interrupted where a value is missing', () => {
  const axes = ['a', 'b', 'c', 'd'].map((id) => ({ id, name: id, show: String }))
  const line = (id: string, values: (number | string | undefined)[]) => ({ id, name: id, colour: 0, values })
  const lines = [line('one', [1, 2, undefined, 'sgd']), line('two', [3, 1, 4, 'adam'])]
  const scene = parallelScene({ axes, lines, chosen: 'one', describe: ({ name }) => name }, 600, 240)
  const paths = kinds(scene, 'path') as Extract<Mark, { kind: 'path' }>[]
  expect(paths.map(({ d }) => [...d.matchAll(/M/g)].length)).toEqual([1, 2])
  expect(paths[1]?.width).toBe(2.6)
  const words = kinds(scene, 'text').map((mark) => (mark.kind === 'text' ? mark.text : ''))
  expect(words).toEqual(expect.arrayContaining(['adam', 'sgd', '1', '3']))
})

test('a drawn chart is a file of its own, and names in it are text', () => {
  const scene = scatterScene(scatter({ points: [at('<b>"x"</b>', 1, 1)] }), 300, 200)
  const text = svgText(scene, 'a & b', (token) => `#${token}`)
  expect(text).toContain('&lt;b&gt;&quot;x&quot;&lt;/b&gt;')
  expect(text).toContain('<title>a &amp; b</title>')
  expect(text).not.toMatch(/<b>|href|url\(/)
})

test('CSV keeps commas, quotes and lines, and gives spreadsheets no formula', () => {
  const csv = csvText({ columns: ['name', 'ms'], rows: [['a "b", c', 1.5], ['=1+1', undefined], ['-x', -2]] }) // prettier-ignore
  expect(csv).toBe('name,ms\r\n"a ""b"", c",1.5\r\n\'=1+1,\r\n\'-x,-2\r\n')
})

test('texts are cut to their room, and the nearest spot is found', () => {
  expect(fitText('stage1.0.conv1.weight', 60)).toMatch(/^stage.*…$/)
  expect(textWidth(fitText('stage1.0.conv1.weight', 60))).toBeLessThanOrEqual(60)
  expect(textWidth('基线')).toBe(22)
  const spots = [
    { id: 'a', x: 10, y: 10, label: '' },
    { id: 'b', x: 30, y: 10, label: '' },
  ]
  expect(spotNear(spots, 24, 12)?.id).toBe('b')
  expect(spotNear(spots, 200, 200)).toBeUndefined()
})

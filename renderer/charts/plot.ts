import uPlot from 'uplot'
import type { View } from './decimate.ts'
import { decimate, pixelEdges, type Aligned, type Line } from './decimate.ts'
import type { ChartFrame, ChartLine, Marker, Reference } from './model.ts'
import type { Colours } from './palette.ts'
import { paddedRange } from './ticks.ts'

/** A number in words, with so many significant digits. */
export type Show = (value: number, digits?: number) => string

/** What a plot is told about its surroundings. */
export interface PlotHooks {
  readonly colours: Colours
  readonly showX: Show
  readonly showY: Show
  /** The person chose a part of the x axis by dragging. */
  readonly chose: (view: View) => void
  readonly reset: () => void
  /** Where the crosshair is; undefined when it is nowhere. */
  readonly hover: (x: number | undefined) => void
}

/** What a plot shows; changes with every frame. */
export interface PlotContent {
  readonly lines: readonly ChartLine[]
  readonly frame: ChartFrame
  readonly references: readonly Reference[]
  readonly markers: readonly Marker[]
}

const AXIS = 44

/** Room for the longest number of the y axis, at least `AXIS`: none is cut off. */
function widthOf(u: uPlot, values: readonly string[] | null): number {
  if (!values || values.length === 0) return AXIS
  u.ctx.save()
  u.ctx.font = u.axes[1]?.font?.[0] ?? u.ctx.font
  const widest = Math.max(...values.map((text) => u.ctx.measureText(text).width)) / devicePixelRatio
  u.ctx.restore()
  return Math.max(AXIS, Math.ceil(widest) + 12)
}

/** A canvas with lines (uPlot), fed with just what its pixels can show. */
export class Plot {
  readonly #hooks: PlotHooks
  readonly #root: HTMLElement
  #plot: uPlot | undefined
  #shape = ''
  #content: PlotContent | undefined

  constructor(root: HTMLElement, hooks: PlotHooks) {
    this.#root = root
    this.#hooks = hooks
  }

  show(content: PlotContent): void {
    this.#content = content
    const width = this.#root.clientWidth
    const height = this.#root.clientHeight
    if (width < 2 * AXIS || height < AXIS) return
    const plot = this.#plotFor(content, width, height)
    if (plot.width !== width || plot.height !== height) plot.setSize({ width, height })
    const data = dataOf(content, width - AXIS)
    const [low, high] = yRange(content, data)
    plot.batch(() => {
      plot.setData(data, false)
      plot.setScale('x', content.frame.view)
      plot.setScale('y', { min: low, max: high })
    })
  }

  destroy(): void {
    this.#plot?.destroy()
    this.#plot = undefined
  }

  /** uPlot fixes its series and scales when it is made: another set of lines is another plot. */
  #plotFor({ lines, frame }: PlotContent, width: number, height: number): uPlot {
    const shape = JSON.stringify([
      lines.map(({ id, colour, smooth }) => [id, colour, smooth !== undefined]),
      frame.logX,
      frame.logY,
    ])
    if (this.#plot && shape === this.#shape) return this.#plot
    this.destroy()
    this.#shape = shape
    this.#plot = new uPlot(this.#options(lines, frame, width, height), undefined, this.#root)
    return this.#plot
  }

  #options(lines: readonly ChartLine[], frame: ChartFrame, width: number, height: number): uPlot.Options {
    const { colours, showX, showY, chose, reset, hover } = this.#hooks
    const axis = {
      stroke: colours.text,
      font: colours.font,
      grid: { stroke: colours.line, width: 1 },
      ticks: { show: false },
    }
    return {
      width,
      height,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, distr: frame.logX ? 3 : 1, auto: false },
        y: { distr: frame.logY ? 3 : 1, auto: false },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 24,
          gap: 2,
          values: (_, splits) => labels(splits, showX),
        },
        { ...axis, size: widthOf, gap: 4, values: (_, splits) => labels(splits, showY) },
      ],
      series: [{}, ...lines.flatMap((line) => seriesOf(line, colours))],
      cursor: {
        sync: { key: 'alambic', scales: ['x', null] },
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: {
          dblclick: () => () => {
            reset()
            return null
          },
        },
      },
      hooks: {
        setSelect: [(u) => selectOf(u, chose)],
        setCursor: [
          (u) => {
            const { left } = u.cursor
            hover(left === undefined || left === null || left < 0 ? undefined : u.posToVal(left, 'x'))
          },
        ],
        draw: [(u) => this.#annotate(u)],
      },
    }
  }

  #annotate(u: uPlot): void {
    if (!this.#content) return
    const { colours } = this.#hooks
    drawMarkers(u, this.#content.markers, colours)
    drawReferences(u, this.#content.references, colours, this.#hooks.showY)
    drawEnds(u, this.#content.lines, colours)
  }
}

/** The raw values faint behind the smooth ones, or alone. */
function seriesOf({ colour, smooth }: ChartLine, colours: Colours): uPlot.Series[] {
  const stroke = colours.series[colour % colours.series.length] ?? colours.text
  const line = (alpha: number, width: number): uPlot.Series => ({ stroke, width, alpha, points: { show: false } })
  return smooth ? [line(0.28, 1), line(1, 1.8)] : [line(1, 1.6)]
}

/** Labels of an axis, with as many digits as tell them apart. */
function labels(splits: readonly (number | null)[], show: Show): string[] {
  const values = splits.filter((value) => value !== null)
  const enough = [3, 4, 5, 6, 7, 8].find((digits) => new Set(values.map((v) => show(v, digits))).size === values.length)
  return splits.map((value) => (value === null ? '' : show(value, enough ?? 8)))
}

function dataOf({ lines, frame }: PlotContent, pixels: number): Aligned {
  const drawn: Line[] = lines.flatMap(({ x, raw, smooth }) => [
    { x, y: raw },
    ...(smooth ? [{ x, y: smooth, smooth: true }] : []),
  ])
  const data = decimate(drawn, pixelEdges(frame.view, Math.max(1, Math.round(pixels)), frame.logX))
  if (!frame.logY) return data
  const [xs, ...rows] = data
  return [xs, ...rows.map((row) => row.map((y) => (typeof y === 'number' && y <= 0 ? null : y)))]
}

function yRange({ frame, references }: PlotContent, [, ...rows]: Aligned): [number, number] {
  let low = Infinity
  let high = -Infinity
  const take = (y: number) => {
    if (frame.logY && y <= 0) return
    if (y < low) low = y
    if (y > high) high = y
  }
  for (const row of rows) for (const y of row) if (typeof y === 'number') take(y)
  for (const { value } of references) take(value)
  return low <= high ? paddedRange(low, high, frame.logY) : frame.logY ? [0.1, 10] : [0, 1]
}

/** Fewer pixels than this were a click, not a choice. */
const LEAST_DRAG = 4

function selectOf(u: uPlot, chose: (view: View) => void): void {
  const { left, width } = u.select
  if (width < LEAST_DRAG) return
  chose({ min: u.posToVal(left, 'x'), max: u.posToVal(left + width, 'x') })
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
}

interface Pen {
  readonly ctx: CanvasRenderingContext2D
  /** Canvas pixels per CSS pixel. */
  readonly scale: number
}

function withPen(u: uPlot, colours: Colours, draw: (pen: Pen) => void): void {
  const { ctx, bbox } = u
  const scale = window.devicePixelRatio
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width + 8 * scale, bbox.height)
  ctx.clip()
  ctx.font = colours.font.replace(/^(\d+)px/, (_, size: string) => `${Number(size) * scale}px`)
  ctx.textBaseline = 'top'
  ctx.textAlign = 'left'
  draw({ ctx, scale })
  ctx.restore()
}

function drawMarkers(u: uPlot, markers: readonly Marker[], colours: Colours): void {
  const { left, width, top, height } = u.bbox
  withPen(u, colours, ({ ctx, scale }) => {
    ctx.setLineDash([2 * scale, 3 * scale])
    ctx.lineWidth = scale
    ctx.strokeStyle = colours.text
    ctx.fillStyle = colours.text
    let free = -Infinity
    for (const { x, label } of markers) {
      const at = Math.round(u.valToPos(x, 'x', true))
      if (at < left || at > left + width) continue
      ctx.beginPath()
      ctx.moveTo(at, top)
      ctx.lineTo(at, top + height)
      ctx.stroke()
      // A label that would cover the one before it is left out; the table and the log have them all.
      if (at + 4 * scale < free) continue
      const room = ctx.measureText(label).width + 4 * scale
      // At the right edge the label goes to the other side of its line.
      const start = at + room > left + width ? at - room : at + 4 * scale
      ctx.fillText(label, start, top + 2 * scale)
      free = at + room + 8 * scale
    }
  })
}

function drawReferences(u: uPlot, references: readonly Reference[], colours: Colours, show: Show): void {
  const { left, width } = u.bbox
  withPen(u, colours, ({ ctx, scale }) => {
    ctx.setLineDash([5 * scale, 4 * scale])
    ctx.lineWidth = 1.4 * scale
    for (const { name, value, colour } of references) {
      const at = Math.round(u.valToPos(value, 'y', true))
      const stroke = colours.series[colour % colours.series.length] ?? colours.text
      ctx.strokeStyle = stroke
      ctx.fillStyle = stroke
      ctx.beginPath()
      ctx.moveTo(left, at)
      ctx.lineTo(left + width, at)
      ctx.stroke()
      const above = at - u.bbox.top > 16 * scale
      ctx.textBaseline = above ? 'bottom' : 'top'
      ctx.fillText(`${name} ${show(value)}`, left + 6 * scale, at + (above ? -2 : 3) * scale)
    }
  })
}

/** A dot where each line ends now. */
function drawEnds(u: uPlot, lines: readonly ChartLine[], colours: Colours): void {
  withPen(u, colours, ({ ctx, scale }) => {
    for (const { x, raw, smooth, colour } of lines) {
      const y = (smooth ?? raw).at(raw.length - 1)
      if (!Number.isFinite(y)) continue
      ctx.fillStyle = colours.series[colour % colours.series.length] ?? colours.text
      ctx.beginPath()
      ctx.arc(u.valToPos(x.at(x.length - 1), 'x', true), u.valToPos(y, 'y', true), 3 * scale, 0, 2 * Math.PI)
      ctx.fill()
    }
  })
}

import { axisMarks, roomFor, type Box } from './frame.ts'
import { extentOf, scaleOf } from './scale.ts'
import { seriesToken, type Mark, type Scene, type Spot } from './scene.ts'
import { paddedRange } from './ticks.ts'

export interface TrendLine {
  readonly name: string
  readonly colour: number
  readonly points: readonly { readonly x: number; readonly y: number }[]
}

export interface TrendInput {
  readonly lines: readonly TrendLine[]
  readonly showX: (value: number) => string
  readonly showY: (value: number) => string
  readonly xName: string
  readonly yName: string
  readonly describe: (line: TrendLine, x: number, y: number) => string
}

/** Few values over few places, such as what was measured after each epoch: lines with a dot for every value. */
export function trendScene(input: TrendInput, width: number, height: number): Scene {
  const { lines, showX, showY, xName, yName } = input
  const all = lines.flatMap(({ points }) => points)
  const [low, high] = extentOf(all.map(({ y }) => y)) ?? [0, 1]
  const domain = paddedRange(low, high, false)
  const labels = scaleOf(domain, [0, 1]).ticks(5).map(showY)
  const box: Box = { left: roomFor(labels), top: 18, right: width - 12, bottom: height - 34 }
  const x = scaleOf(extentOf(all.map((point) => point.x)) ?? [0, 1], [box.left + 6, box.right - 6])
  const y = scaleOf(domain, [box.bottom, box.top])
  const marks: Mark[] = axisMarks({ box, x, y, showX, showY, xName, yName })
  const spots: Spot[] = []
  for (const line of lines) {
    const colour = seriesToken(line.colour)
    const d = line.points.map(
      (point, i) => `${i === 0 ? 'M' : 'L'}${x.at(point.x).toFixed(1)} ${y.at(point.y).toFixed(1)}`,
    )
    marks.push({ kind: 'path', d: d.join(''), colour, width: 2 })
    for (const point of line.points) {
      marks.push({ kind: 'circle', x: x.at(point.x), y: y.at(point.y), r: 3.5, fill: colour, stroke: 'surface' })
      spots.push({
        id: `${line.name}:${point.x}`,
        x: x.at(point.x),
        y: y.at(point.y),
        label: input.describe(line, point.x, point.y),
      })
    }
  }
  return { width, height, marks, spots: spots.toSorted((a, b) => a.x - b.x) }
}

import type { Pen, Stroke } from './paint.ts'

/** Draws on a canvas whose transform is set already. */
export function canvasPen(context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D, font: string): Pen {
  const stroke = ({ colour, width, dash }: Stroke) => {
    context.strokeStyle = colour
    context.lineWidth = width
    context.setLineDash(dash ? [...dash] : [])
    context.stroke()
  }
  return {
    rectangle({ left, top, right, bottom }, radius, fill, line) {
      context.beginPath()
      if (radius > 0) context.roundRect(left, top, right - left, bottom - top, radius)
      else context.rect(left, top, right - left, bottom - top)
      if (fill !== undefined) {
        context.fillStyle = fill
        context.fill()
      }
      if (line) stroke(line)
    },
    path(points, line, arrow) {
      context.beginPath()
      context.moveTo(points[0] ?? 0, points[1] ?? 0)
      for (let i = 2; i < points.length; i += 2) context.lineTo(points[i] ?? 0, points[i + 1] ?? 0)
      context.lineJoin = 'round'
      stroke(line)
      if (!arrow || points.length < 4) return
      const [x, y] = [points.at(-2) ?? 0, points.at(-1) ?? 0]
      if ((points.at(-3) ?? 0) >= y) return
      context.beginPath()
      context.moveTo(x - 3.5, y - 6)
      context.lineTo(x + 3.5, y - 6)
      context.lineTo(x, y)
      context.fillStyle = line.colour
      context.fill()
    },
    text(text, x, y, { colour, size, bold, align = 'left' }) {
      context.font = `${bold ? '600 ' : ''}${size}px ${font}`
      context.fillStyle = colour
      context.textAlign = align
      context.fillText(text, x, y)
    },
  }
}

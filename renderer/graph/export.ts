import { fileName, saveBlob, saveText } from '../charts/files.ts'
import { canvasPen } from './canvas-pen.ts'
import { paint, type Picture } from './paint.ts'
import { svgOf } from './svg.ts'

/** Larger than this no browser makes a picture. */
const MOST_PIXELS = 8192
const MARGIN = 20

export function saveSvg(picture: Picture, title: string): void {
  saveText(svgOf(picture, title), fileName(title, 'svg'), 'image/svg+xml')
}

/** The whole graph at twice its size, or as large as can be. */
export async function savePng(picture: Picture, title: string): Promise<void> {
  const { scene, theme } = picture
  const [width, height] = [scene.width + 2 * MARGIN, scene.height + 2 * MARGIN]
  const scale = Math.min(2, MOST_PIXELS / Math.max(width, height))
  const paper = new OffscreenCanvas(width * scale, height * scale)
  const context = paper.getContext('2d')
  if (!context) return
  context.fillStyle = theme.surface
  context.fillRect(0, 0, paper.width, paper.height)
  context.setTransform(scale, 0, 0, scale, MARGIN * scale, MARGIN * scale)
  const whole = { left: 0, top: 0, right: scene.width, bottom: scene.height }
  paint(canvasPen(context, theme.font), picture, whole, 1)
  saveBlob(await paper.convertToBlob({ type: 'image/png' }), fileName(title, 'png'))
}

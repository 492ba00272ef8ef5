import { paint, type Pen, type Picture, type Stroke } from './paint.ts'

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character] ?? '')

const places = (value: number): string => String(Math.round(value * 100) / 100)

const strokeOf = ({ colour, width, dash }: Stroke): string =>
  ` stroke="${escaped(colour)}" stroke-width="${places(width)}"${dash ? ` stroke-dasharray="${dash.join(' ')}"` : ''}`

/** The whole picture as an SVG 1.1 document that needs nothing beside it; `arrow` is unique where several are on a page. */
export function svgOf(picture: Picture, title: string, arrowId = 'arrow'): string {
  const parts: string[] = []
  const { scene, theme } = picture
  const pen: Pen = {
    rectangle({ left, top, right, bottom }, radius, fill, stroke) {
      parts.push(
        `<rect x="${places(left)}" y="${places(top)}" width="${places(right - left)}" height="${places(bottom - top)}" ` +
          `rx="${radius}" fill="${fill === undefined ? 'none' : escaped(fill)}"${stroke ? strokeOf(stroke) : ''}/>`,
      )
    },
    path(points, stroke, arrow) {
      const corners = Array.from({ length: points.length / 2 }, (_, i) =>
        [points[2 * i] ?? 0, points[2 * i + 1] ?? 0].map(places).join(' '),
      )
      const end = arrow ? ` marker-end="url(#${arrowId})"` : ''
      parts.push(`<path d="M${corners.join('L')}" fill="none"${strokeOf(stroke)}${end}/>`)
    },
    text(text, x, y, { colour, size, bold, align = 'left' }) {
      const anchor = { left: 'start', right: 'end', center: 'middle' }[align]
      const weight = bold ? ' font-weight="600"' : ''
      parts.push(
        `<text x="${places(x)}" y="${places(y)}" fill="${escaped(colour)}" font-size="${size}" text-anchor="${anchor}"${weight}>` +
          `${escaped(text)}</text>`,
      )
    },
  }
  const margin = 20
  paint(pen, picture, { left: 0, top: 0, right: scene.width, bottom: scene.height }, 1)
  const [width, height] = [scene.width + 2 * margin, scene.height + 2 * margin].map(places)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `viewBox="${-margin} ${-margin} ${width} ${height}" font-family="${escaped(theme.font)}">`,
    `<title>${escaped(title)}</title>`,
    `<defs><marker id="${arrowId}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">` +
      `<path d="M0 0L8 4L0 8z" fill="${escaped(theme.edge)}"/></marker></defs>`,
    `<rect x="${-margin}" y="${-margin}" width="${width}" height="${height}" fill="${escaped(theme.surface)}"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}

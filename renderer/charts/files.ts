import { csvText, svgText, type DataTable, type Scene, type Token } from './scene.ts'

/** Colours of the theme at hand, as plain text. */
export function resolvedColours(): (token: Token) => string {
  const known = new Map<Token, string>()
  return (token) => {
    const found = known.get(token)
    if (found !== undefined) return found
    const probe = document.createElement('span')
    probe.style.color = `var(--${token})`
    document.body.append(probe)
    const { color } = getComputedStyle(probe)
    probe.remove()
    known.set(token, color)
    return color
  }
}

/** Gives the person a file that was made here. */
export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** A title as the name of a file. */
export const fileName = (title: string, ending: string): string =>
  `${title.replaceAll(/[\p{Cc}\\/:*?"<>|\s]+/gu, '-').replaceAll(/^-+|-+$/g, '') || 'chart'}.${ending}`

export const saveText = (text: string, name: string, type: string): void =>
  saveBlob(new Blob([text], { type: `${type};charset=utf-8` }), name)

export const saveCsv = (title: string, table: DataTable): void =>
  // The mark tells spreadsheets that it is UTF-8.
  saveText(`\uFEFF${csvText(table)}`, fileName(title, 'csv'), 'text/csv')

export const saveSvg = (title: string, scene: Scene): void =>
  saveText(svgText(scene, title, resolvedColours()), fileName(title, 'svg'), 'image/svg+xml')

/** Sharp on any screen, and in print. */
const PNG_SCALE = 2

export async function savePng(title: string, scene: Scene): Promise<void> {
  saveBlob(await pngOf(svgText(scene, title, resolvedColours()), scene), fileName(title, 'png'))
}

/** An SVG document as a picture. It is drawn as an image, so nothing in it can run or load anything. */
export async function pngOf(svg: string, size: { readonly width: number; readonly height: number }): Promise<Blob> {
  const address = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }))
  try {
    const image = new Image()
    image.src = address
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = size.width * PNG_SCALE
    canvas.height = size.height * PNG_SCALE
    const context = canvas.getContext('2d')
    context?.drawImage(image, 0, 0, canvas.width, canvas.height)
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('this browser cannot write PNG')))),
    )
  } finally {
    URL.revokeObjectURL(address)
  }
}

import { inject, onScopeDispose, provide, type InjectionKey } from 'vue'
import { resolvedColours } from './files.ts'
import { escapeMarkup, textWidth, type DataTable, type Scene, type Token } from './scene.ts'

/** A part of a page as it goes into a file: words, a drawing, numbers, pictures. */
export interface Section {
  readonly title: string
  readonly note?: string | undefined
  readonly scene?: Scene | undefined
  readonly table?: DataTable | undefined
  /** Whole SVG documents that were made here, beside each other, each with its words. */
  readonly drawings?: readonly { readonly svg: string; readonly text: string }[] | undefined
  /** Pictures as `data:` addresses, with their words. */
  readonly pictures?: readonly { readonly source: string; readonly text: string }[]
}

type Give = () => Section | undefined | Promise<Section | undefined>

const key: InjectionKey<{ add: (give: Give, at: () => Element | null) => () => void }> = Symbol('report')

/** Collects what the parts of a page say of themselves; in the order of the page. */
export function provideReport(): () => Promise<readonly Section[]> {
  const parts = new Map<Give, () => Element | null>()
  provide(key, {
    add: (give, at) => {
      parts.set(give, at)
      return () => void parts.delete(give)
    },
  })
  return async () => {
    const ordered = [...parts]
      .map(([give, at]) => ({ give, element: at() }))
      .toSorted((a, b) => (a.element && b.element ? order(a.element, b.element) : 0))
    return (await Promise.all(ordered.map(async ({ give }) => give()))).flatMap((section) => section ?? [])
  }
}

const order = (a: Element, b: Element): number =>
  a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1

/** Makes a part of a page go into its report, where the page has one. */
export function useReport(give: Give, at: () => Element | null): void {
  const report = inject(key, undefined)
  if (report) onScopeDispose(report.add(give, at))
}

export interface ReportOptions {
  readonly title: string
  /** Said below the title: when it was made, and under which conditions. */
  readonly lines: readonly string[]
  readonly language: string
  readonly colour?: (token: Token) => string
}

/** A page of its own: opens without a network, runs no script, has every number that the screen has. */
export function reportHtml(
  sections: readonly Section[],
  options: ReportOptions,
  svg: (section: Section) => string,
): string {
  const colour = options.colour ?? resolvedColours()
  const body = sections.map((section) => {
    const drawing = section.scene ? `<figure>${svg(section)}</figure>` : ''
    const pictures = (section.pictures ?? []).map(
      ({ source, text }) =>
        `<figure class="picture"><img src="${escapeMarkup(source)}" alt=""><figcaption>${escapeMarkup(text)}</figcaption></figure>`,
    )
    const drawings = (section.drawings ?? []).map(
      ({ svg: document, text }) => `<figure><figcaption>${escapeMarkup(text)}</figcaption>${document}</figure>`,
    )
    const beside = drawings.length > 0 ? `<div class="drawings">${drawings.join('')}</div>` : ''
    const note = section.note ? `<p class="note">${escapeMarkup(section.note)}</p>` : ''
    const shown = pictures.length > 0 ? `<div class="pictures">${pictures.join('')}</div>` : ''
    return `<section><h2>${escapeMarkup(section.title)}</h2>${note}${drawing}${beside}${shown}${section.table ? tableHtml(section.table) : ''}</section>`
  })
  return `<!doctype html>
<html lang="${escapeMarkup(options.language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>${escapeMarkup(options.title)}</title>
<style>
body{margin:24px auto;max-width:1200px;padding:0 16px;background:${colour('surface')};color:${colour('text')};font:13px/1.45 Inter,'Noto Sans SC','Noto Sans CJK SC',system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{font-size:20px}h2{font-size:15px;margin:28px 0 8px}.note{color:${colour('muted')};margin:0 0 8px}
figure{margin:8px 0}svg{max-width:100%;height:auto}.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:12px}th,td{padding:4px 10px;border-bottom:1px solid ${colour('line')};text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:${colour('muted')}}
.pictures{display:flex;flex-wrap:wrap;gap:8px}.picture{width:96px;margin:0;border:1px solid ${colour('line')};border-radius:6px;overflow:hidden}
.picture img{display:block;width:100%;image-rendering:pixelated}.drawings{display:flex;flex-wrap:wrap;gap:16px;align-items:flex-start}.drawings figure{flex:1 1 420px;min-width:0;overflow:auto;max-height:900px;border:1px solid ${colour('line')};border-radius:6px}
figcaption{padding:4px 6px;font-size:11px}
</style>
</head>
<body>
<h1>${escapeMarkup(options.title)}</h1>
${options.lines.map((line) => `<p class="note">${escapeMarkup(line)}</p>`).join('\n')}
${body.join('\n')}
</body>
</html>
`
}

function tableHtml({ columns, rows }: DataTable): string {
  const cell = (value: string | number | undefined) => escapeMarkup(value === undefined ? '–' : String(value))
  const head = columns.map((name) => `<th scope="col">${escapeMarkup(name)}</th>`).join('')
  const body = rows.map(
    ([first, ...rest]) =>
      `<tr><th scope="row">${cell(first)}</th>${rest.map((value) => `<td>${cell(value)}</td>`).join('')}</tr>`,
  )
  return `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

const MARGIN = 24
const ROW = 18
/** A table of a picture has so many rows; the others are in the HTML and the CSV. */
const MOST_ROWS = 40

/** The whole report as one drawing, for a picture: titles, drawings and tables, one below the other. */
export function reportScene(sections: readonly Section[], options: Pick<ReportOptions, 'title' | 'lines'>): Scene {
  const marks: Scene['marks'][number][] = []
  let y = MARGIN + 8
  let width = 800
  const write = (text: string, x: number, colour: Token, bold = false) => {
    marks.push({ kind: 'text', x, y, text, colour, bold })
    width = Math.max(width, x + textWidth(text) + MARGIN)
  }
  write(options.title, MARGIN, 'text', true)
  for (const line of options.lines) {
    y += ROW
    write(line, MARGIN, 'muted')
  }
  for (const { title, note, scene, table } of sections) {
    y += 2 * ROW
    write(title, MARGIN, 'text', true)
    if (note) {
      y += ROW
      write(note, MARGIN, 'muted')
    }
    if (scene) {
      y += 8
      marks.push(...moved(scene.marks, MARGIN, y))
      width = Math.max(width, scene.width + 2 * MARGIN)
      y += scene.height
    } else if (table) {
      const texts = [table.columns, ...table.rows.slice(0, MOST_ROWS)].map((row) =>
        row.map((value) => String(value ?? '–')),
      )
      const widths = table.columns.map((_, c) => Math.max(...texts.map((row) => textWidth(row[c] ?? ''))) + 20)
      texts.forEach((row, r) => {
        y += ROW
        let x = MARGIN
        row.forEach((text, c) => {
          write(text, x, r === 0 || c > 0 ? (r === 0 ? 'muted' : 'text') : 'text')
          x += widths[c] ?? 60
        })
      })
    }
  }
  return { width: Math.ceil(width), height: y + MARGIN, marks, spots: [] }
}

function moved(marks: Scene['marks'], dx: number, dy: number): Scene['marks'] {
  return marks.map((mark) => {
    switch (mark.kind) {
      case 'line':
        return { ...mark, x1: mark.x1 + dx, x2: mark.x2 + dx, y1: mark.y1 + dy, y2: mark.y2 + dy }
      case 'path':
        // Paths are made of absolute `M x y` and `L x y` only.
        return {
          ...mark,
          d: mark.d.replaceAll(
            /([ML])(-?[\d.]+) (-?[\d.]+)/g,
            (_, step: string, x: string, y: string) => `${step}${Number(x) + dx} ${Number(y) + dy}`,
          ),
        }
      default:
        return { ...mark, x: mark.x + dx, y: mark.y + dy }
    }
  })
}

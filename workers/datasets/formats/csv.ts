import { basename, join } from 'node:path'
import { roleOf } from '../arrays.ts'
import { badData } from '../errors.ts'
import { readBytes, type FileSet } from '../files.ts'
import { makeDataset, makeSplit, type Dataset, type Split, type SplitName } from '../types.ts'

const TARGET = /^(?:label|labels|class|target|y)$/i

interface Table {
  readonly file: string
  readonly features: readonly string[][]
  /** The column called label, class, target or y; else the last one. */
  readonly targets: readonly string[]
}

/** The split that a table holds by its name (`train.csv`, `test.csv`); undefined for other files. */
export const csvSplit = (name: string): SplitName | undefined =>
  name.endsWith('.csv') ? roleOf(`x_${name.slice(0, -4)}`)?.split : undefined

/** Tables of numbers with a header or without: f32 `[features]` and a label (words or integers) or a target per line. */
export async function openCsv(folder: FileSet, only?: string): Promise<Dataset> {
  const tables = new Map<SplitName, Table>()
  for (const name of only === undefined ? folder.names : [only]) {
    const split = csvSplit(name) ?? (name === only ? 'train' : undefined)
    if (split) tables.set(split, tableOf(new TextDecoder().decode(await folder.read(name)), join(folder.where, name)))
  }
  const all = [...tables.values()].flatMap(({ targets }) => [...targets])
  const isWords = all.some((cell) => Number.isNaN(numberOf(cell)))
  const isClasses = isWords || all.every((cell) => /^\d{1,4}(?:\.0*)?$/.test(cell.trim()))
  const highest = isClasses && !isWords ? all.reduce((most, cell) => Math.max(most, Number(cell)), 0) : 0
  const words = isWords ? [...new Set(all)].sort() : Array.from({ length: highest + 1 }, (_, i) => String(i))
  const label = new Map(words.map((word, i) => [word, i]))
  const splits: { [Name in SplitName]?: Split } = {}
  for (const [name, table] of tables) {
    const answers = isClasses
      ? { labels: Int32Array.from(table.targets, (cell) => (isWords ? (label.get(cell) as number) : Number(cell))) }
      : { targets: { dims: [1], data: Float32Array.from(table.targets, Number) } }
    splits[name] = makeSplit(
      { sample: { dims: [width(table)], dtype: 'f32' }, data: numbers(table), ...answers },
      table.file,
    )
  }
  const id = only === undefined ? folder.where : join(folder.where, only)
  return makeDataset({ id, title: basename(id), splits, ...(isClasses ? { classes: words } : {}) })
}

/** One table by itself. */
export const openCsvFile = async (path: string): Promise<Dataset> =>
  openCsv({ where: '', names: [path], read: readBytes }, path)

const width = (table: Table): number => table.features[0]?.length ?? 0
const numberOf = (cell: string): number => (cell.trim() === '' ? NaN : Number(cell))

function tableOf(text: string, file: string): Table {
  const lines = text.split(/\r?\n/).map((line, i) => ({ cells: cellsOf(line), i, blank: line.trim() === '' }))
  const rows = lines.filter(({ blank }) => !blank)
  const header = rows[0]?.cells.slice(0, -1).some((cell) => Number.isNaN(numberOf(cell)))
    ? rows.shift()?.cells
    : undefined
  const columns = header?.length ?? rows[0]?.cells.length ?? 0
  const target = Math.max(header?.findIndex((name) => TARGET.test(name.trim())) ?? -1, -1)
  const at = target < 0 ? columns - 1 : target
  for (const { cells, i } of rows) {
    if (cells.length === columns && columns > 1) continue
    throw badData('ragged', `"${file}": line ${i + 1} has ${cells.length} columns`, {
      file,
      row: i,
      expected: columns > 1 ? `${columns} columns, like the first line` : 'features and a label: at least two columns',
      found: `${cells.length} columns`,
    })
  }
  if (rows.length === 0) throw badData('empty', `"${file}" has no samples`, { file, expected: 'lines of numbers' })
  return {
    file,
    features: rows.map(({ cells }) => cells.toSpliced(at, 1)),
    targets: rows.map(({ cells }) => cells[at] as string),
  }
}

/** The cells of a line (RFC 4180, but for line breaks inside quotes). */
function cellsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(',')
  return Array.from(line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g), ([, quoted, plain]) =>
    quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'),
  )
}

function numbers(table: Table): Float32Array {
  const out = new Float32Array(table.features.length * width(table))
  table.features.forEach((cells, row) => {
    cells.forEach((cell, column) => {
      const value = numberOf(cell)
      if (Number.isNaN(value)) {
        throw badData('number', `"${table.file}": sample ${row} has a feature that is no number`, {
          file: table.file,
          row,
          expected: `a number in column ${column + 1}`,
          found: cell === '' ? 'nothing' : `"${cell}"`,
        })
      }
      out[row * width(table) + column] = value
    })
  })
  return out
}

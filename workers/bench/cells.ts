import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { loadEngine } from '../executors/engines.ts'
import type { Executor } from '../executors/executor.ts'
import { DeviceId } from '../protocol/devices.ts'
import type { Report } from '../protocol/worker.ts'
import { head, machine, row } from './pairs.ts'
import { runIn, type BenchRun } from './recipes.ts'
import type { CellChoice, Topic } from './topic.ts'

/** One number set of a table: a method with a seed, made by itself. */
const Cell = z.object({
  table: z.string(),
  method: z.string(),
  seed: z.number(),
  /** How long and on how much. */
  sizes: z.record(z.string(), z.number()),
  machine: z.string(),
  device: z.string(),
  threads: z.number().nullable(),
  /** How long it took, without bases that were there. */
  seconds: z.number(),
  values: z.record(z.string(), z.number()),
})
export type Cell = z.infer<typeof Cell>

/** What a cell is made with. */
export interface CellMaker<Sizes> {
  readonly seed: number
  readonly sizes: Sizes
  /** Runs a recipe, or gives the report of the same one that was run before in the folder of runs. */
  readonly run: (request: Omit<BenchRun, 'seed'>) => Promise<Report>
}

export interface Column {
  readonly title: string
  /** Of the cell's values. */
  readonly of: string
  /** A share as per cent (the default), a number with so many digits, or such a number with × behind it. */
  readonly as?: 'percent' | number | `${number}×`
}

export interface CellTable<Sizes extends Readonly<Record<string, number>>> {
  readonly name: string
  readonly methods: readonly string[]
  readonly seeds: readonly number[]
  readonly columns: readonly Column[]
  readonly sizes: Sizes
  readonly make: (method: string, maker: CellMaker<Sizes>) => Promise<Readonly<Record<string, number>>>
}

const asks = (words: readonly string[], method: string): boolean =>
  words.some((word) => method === word || method.startsWith(`${word}/`) || method.endsWith(`/${word}`))

/** `epochs=40 limit=5000` among the words of the command line. */
function sizesOf<Sizes extends Readonly<Record<string, number>>>(defaults: Sizes, words: readonly string[]): Sizes {
  const given = words.flatMap((word) => {
    const [name = '', value] = word.split('=')
    return name in defaults && Number(value) > 0 ? [[name, Number(value)] as const] : []
  })
  return { ...defaults, ...Object.fromEntries(given) }
}

/**
 * A topic of cells: each method with each seed. `--only method --seed n --out file` makes one by itself, so that
 * several processes or machines share the work; `--runs folder` keeps runs (a base is trained once, and what was
 * interrupted goes on), and `--merge folder` prints the table of what was made before.
 */
export const cellTopic =
  <Sizes extends Readonly<Record<string, number>>>(table: CellTable<Sizes>): Topic =>
  async ({ wanted, cells: choice }) => {
    if (choice.merge.length > 0) return printCells(table, choice.merge.flatMap(readCells))
    const words = [...choice.only, ...wanted]
    const asked = table.methods.filter((method) => asks(words, method))
    const named = words.some((word) => !word.includes('='))
    if (named && asked.length === 0) throw new Error(`no method ${words.join(' ')} in: ${table.methods.join(', ')}`)
    const methods = named ? asked : table.methods
    const seeds = choice.seeds.length > 0 ? choice.seeds : table.seeds
    const executor = await loadEngine(DeviceId.parse(choice.device))
    const made: Cell[] = []
    for (const method of methods) {
      for (const seed of seeds) {
        made.push(await makeCell(table, { method, seed, sizes: sizesOf(table.sizes, wanted), choice, executor }))
        if (choice.out !== undefined) writeCells(choice.out, made)
      }
    }
    printCells(table, made)
  }

interface Order<Sizes> {
  readonly method: string
  readonly seed: number
  readonly sizes: Sizes
  readonly choice: CellChoice
  readonly executor: Executor
}

async function makeCell<Sizes extends Readonly<Record<string, number>>>(
  table: CellTable<Sizes>,
  { method, seed, sizes, choice, executor }: Order<Sizes>,
): Promise<Cell> {
  const { runs, device, threads } = choice
  const root = runs ?? mkdtempSync(join(tmpdir(), `alambic-bench-${table.name}-`))
  const started = performance.now()
  try {
    const own = threads === undefined ? {} : { threads }
    const values = await table.make(method, {
      seed,
      sizes,
      run: (request) => runIn(resolve(root), { ...request, seed }, { executor, ...own }),
    })
    const seconds = (performance.now() - started) / 1000
    const about = { machine: machine(executor.runtime), device, threads: threads ?? null }
    return { table: table.name, method, seed, sizes, ...about, seconds, values }
  } finally {
    if (runs === undefined) rmSync(root, { recursive: true, force: true })
  }
}

function writeCells(path: string, cells: readonly Cell[]): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify(cells, undefined, 2))
}

/** Cells of a file, or of every JSON file in a folder. */
export function readCells(path: string): readonly Cell[] {
  if (statSync(path).isDirectory()) {
    const files = readdirSync(path).filter((name) => name.endsWith('.json'))
    return files.toSorted().flatMap((name) => readCells(join(path, name)))
  }
  return z.array(Cell).parse(JSON.parse(readFileSync(path, 'utf8')))
}

/** Mean ± sample standard deviation, without it where there is one value. */
export function spreadOf(values: readonly number[], as: Column['as'] = 'percent'): string {
  const scale = as === 'percent' ? 100 : 1
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / Math.max(1, values.length - 1)
  const digits = as === 'percent' ? 2 : typeof as === 'number' ? as : Number.parseInt(as)
  const text = (value: number) => (value * scale).toFixed(digits)
  const unit = typeof as === 'string' && as.endsWith('×') ? '×' : ''
  return values.length < 2 ? `${text(mean)}${unit}` : `${text(mean)} ± ${text(Math.sqrt(variance))}${unit}`
}

/** The Markdown table: a line for each method, means over seeds; machines and sizes above it. */
export function printCells<Sizes extends Readonly<Record<string, number>>>(
  table: Pick<CellTable<Sizes>, 'name' | 'methods' | 'columns'>,
  cells: readonly Cell[],
): void {
  const own = cells.filter((cell) => cell.table === table.name)
  const distinct = (of: (cell: Cell) => string) => [...new Set(own.map(of))]
  for (const text of distinct((c) => `${c.machine}; ${c.device}, ${c.threads ?? 'all'} threads`)) console.log(text)
  for (const text of distinct(({ sizes }) => spelled(sizes))) console.log(text)
  console.log()
  head('method', 'seeds', ...table.columns.map(({ title }) => title), 'minutes each')
  for (const method of table.methods) {
    // A cell that was made again counts once.
    const bySeed = new Map(own.filter((cell) => cell.method === method).map((cell) => [cell.seed, cell]))
    if (bySeed.size === 0) continue
    const all = [...bySeed.values()]
    const cellOf = ({ of, as }: Column) => {
      const values = all.flatMap((cell) => cell.values[of] ?? [])
      return values.length === 0 ? '–' : spreadOf(values, as)
    }
    const minutes = all.map(({ seconds }) => seconds / 60)
    const seeds = [...bySeed.keys()].toSorted((a, b) => a - b).join(', ')
    row(method, seeds, ...table.columns.map(cellOf), spreadOf(minutes, 1))
  }
}

const spelled = (sizes: Cell['sizes']): string =>
  Object.entries(sizes)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')

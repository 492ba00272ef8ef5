import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

/** One side of a comparison: does the work once and says how many milliseconds it took. */
export type Timed = () => Promise<number>

export interface Pair {
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
}

/** Milliseconds that one side keeps its turn: what short work loses by waking up threads and caches stays small. */
const TURN = 100

/**
 * Runs both sides in turn, so that whatever else the machine does meets both. Work of a few milliseconds is done
 * several times a turn, and the first of these is not counted: the other side's idle threads still spin then.
 */
export async function inTurn(ours: Timed, theirs: Timed | undefined, runs: number): Promise<Pair> {
  const pair = { ours: [] as number[], theirs: [] as number[] }
  for (let i = 0; i < runs; i++) {
    pair.ours.push(...(await turn(ours)))
    if (theirs) pair.theirs.push(...(await turn(theirs)))
  }
  return pair
}

async function turn(work: Timed): Promise<readonly number[]> {
  const first = await work()
  if (first >= TURN / 2) return [first]
  const times: number[] = []
  for (let spent = 0; spent < TURN; spent += times.at(-1) ?? TURN) times.push(await work())
  return times
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
export const least = (values: readonly number[]): number => Math.min(...values)

/** Milliseconds as median / minimum. */
export const spell = (values: readonly number[]): string =>
  values.length === 0 ? '–' : `${median(values).toFixed(1)} / ${least(values).toFixed(1)}`

/** How many times faster we are, of medians / of minima. */
export const ratio = ({ ours, theirs }: Pair): string =>
  theirs.length === 0
    ? '–'
    : `${(median(theirs) / median(ours)).toFixed(2)} / ${(least(theirs) / least(ours)).toFixed(2)}`

/** The machine that the numbers below were measured on, with the processor features that matter to int8 and float. */
export function machine(...more: readonly (string | undefined)[]): string {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : ''
  const flags = ['avx2', 'avx512f', 'avx512_vnni', 'amx_tile'].filter((flag) => info.includes(flag)).join(' ')
  const name = `${cpus()[0]?.model ?? 'unknown'}, ${availableParallelism()} threads`
  return [name, flags, `Node ${process.version}`, ...more].filter(Boolean).join('; ')
}

/** Prints a Markdown table's head; `row` prints its lines as they come. */
export function head(...cells: readonly string[]): void {
  row(...cells)
  row(...cells.map(() => '---'))
}
export const row = (...cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`)

import { existsSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

/** One side of a comparison: does the work once and says how many milliseconds it took. */
export type Timed = () => Promise<number>

export interface Pair {
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
}

/** Runs both sides in turn, so that whatever else the machine does meets both. */
export async function inTurn(ours: Timed, theirs: Timed | undefined, runs: number): Promise<Pair> {
  const pair = { ours: [] as number[], theirs: [] as number[] }
  for (let i = 0; i < runs; i++) {
    pair.ours.push(await ours())
    if (theirs) pair.theirs.push(await theirs())
  }
  return pair
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

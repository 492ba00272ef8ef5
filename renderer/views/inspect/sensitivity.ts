import type { SensitivityScan } from '../../../workers/protocol/files/sensitivity.ts'
import type { ModelSheet, WeightNoise } from '../../../workers/protocol/studio.ts'
import { textAt } from './drawn.ts'

/** What `basis` is called that needs no data: noise of rounding the weights. */
export const PROXY = 'noise'

/** A number for each row of the sheet, NaN where nothing is known. */
export interface SensitivityColumn {
  /** Accuracy that was lost, 0 to 1; or signal over rounding noise in dB, where less is more sensitive. */
  readonly unit: 'drop' | 'decibels'
  readonly values: Float64Array
}

/** Names of the constants that a row reads, as the sheet has them; long ones end in an ellipsis. */
export const constantsOf = (sheet: ModelSheet, row: number): readonly string[] => {
  const text = textAt(sheet.weights, row)
  return text === '' ? [] : text.split('\n').map((line) => line.slice(0, line.lastIndexOf(' [')))
}

/** The full name of what the sheet calls `shown`. */
const matching = (names: ReadonlySet<string>, shown: string): string | undefined => {
  if (names.has(shown)) return shown
  if (!shown.endsWith('…')) return undefined
  const start = shown.slice(0, -1)
  return [...names].find((name) => name.startsWith(start))
}

/** The weight that each row multiplies with, out of those that are known; rows without one are missing. */
export function weightsByRow(sheet: ModelSheet, known: Iterable<string>): ReadonlyMap<number, string> {
  const names = new Set(known)
  const found = new Map<number, string>()
  for (let row = 0; row < sheet.count; row++) {
    for (const shown of constantsOf(sheet, row)) {
      const name = matching(names, shown)
      if (name !== undefined && !found.has(row)) found.set(row, name)
    }
  }
  return found
}

/** Techniques of a scan, in its order. */
export const techniquesOf = (scan: SensitivityScan | undefined): readonly string[] => [
  ...new Set(scan?.lines.map(({ technique }) => technique)),
]

/** What a technique of a scan is called: a phrase and its number. */
export function techniquePhrase(technique: string): {
  readonly key: (typeof phrases)[number]['key']
  readonly n: string
} {
  const key = phrases.find(({ is }) => is.test(technique))?.key ?? 'other'
  return { key, n: key === 'other' ? technique : (/\d+(\.\d+)?/.exec(technique)?.[0] ?? '') }
}
const phrases = [
  { is: /^\d+-bit weights$/, key: 'bits' },
  { is: /^channels, /, key: 'channels' },
  { is: /^single weights, /, key: 'sparse' },
  { is: /^low rank, /, key: 'rank' },
  { is: /^$/, key: 'other' },
] as const

/** What the scan measured with one technique, or the proxy while it is asked for. */
export function sensitivityColumn(
  sheet: ModelSheet,
  basis: string,
  scan: SensitivityScan | undefined,
  noise: WeightNoise | undefined,
): SensitivityColumn | undefined {
  if (basis === PROXY || !scan) {
    const values = noise?.decibels[noise.bits.indexOf(4)]
    return values && { unit: 'decibels', values }
  }
  const drops = new Map(
    scan.lines.filter(({ technique }) => technique === basis).map(({ layer, drop }) => [layer, drop]),
  )
  const values = new Float64Array(sheet.count).fill(Number.NaN)
  for (const [row, weight] of weightsByRow(sheet, drops.keys())) values[row] = drops.get(weight) ?? Number.NaN
  return { unit: 'drop', values }
}

/** How long a bar is, 0 to 1: the whole length for the most sensitive layer. */
export function barLength({ unit, values }: SensitivityColumn, row: number): number {
  const value = values[row] ?? Number.NaN
  if (Number.isNaN(value)) return 0
  // Signal over noise falls by about 6 dB for each bit: 30 dB and more is no noise to speak of.
  if (unit === 'decibels') return Math.min(1, Math.max(0, (30 - value) / 30))
  let most = 0
  for (const one of values) if (one > most) most = one
  return most === 0 ? 0 : Math.max(0, value) / most
}

import { SearchStart, SearchTrial } from '../../../../workers/protocol/files/search.ts'
import { Sensitivity } from '../../../../workers/protocol/files/sensitivity.ts'
import type { RunEvent } from '../../../../workers/protocol/worker.ts'

/** A search as far as its journal tells. */
export interface SearchSoFar {
  readonly start: SearchStart | undefined
  readonly trials: readonly SearchTrial[]
  readonly map: readonly Sensitivity[]
  /** Recipes that the model is not made for. */
  readonly refused: number
}

export const trialId = ({ candidate, epochs }: SearchTrial): string => `${candidate}, ${epochs}`

/** What a resumed search tells again takes the place of what it told before. */
export function searchSoFar(events: readonly RunEvent[]): SearchSoFar {
  const trials = new Map<string, SearchTrial>()
  const map = new Map<string, Sensitivity>()
  let start: SearchStart | undefined
  let refused = 0
  for (const { kind, data } of events) {
    if (kind === 'search') start = SearchStart.safeParse(data).data ?? start
    else if (kind === 'trial-refused') refused++
    else if (kind === 'trial') {
      const { data: trial } = SearchTrial.safeParse(data)
      if (trial) trials.set(trialId(trial), trial)
    } else if (kind === 'sensitivity') {
      const { data: line } = Sensitivity.safeParse(data)
      if (line) map.set(`${line.layer} ${line.technique}`, line)
    }
  }
  return { start, trials: [...trials.values()], map: [...map.values()], refused }
}

/** Rows by layer, columns by technique, in the order in which they were first looked at; NaN where nothing was. */
export function mapTable(
  map: readonly Sensitivity[],
  value: (line: Sensitivity) => number | undefined,
): {
  readonly layers: readonly string[]
  readonly techniques: readonly Sensitivity[]
  readonly values: readonly (readonly number[])[]
} {
  const layers = [...new Set(map.map(({ layer }) => layer))]
  const techniques = [...new Map(map.map((line) => [line.technique, line])).values()]
  const lines = new Map(map.map((line) => [`${line.layer} ${line.technique}`, line]))
  const values = layers.map((layer) =>
    techniques.map(({ technique }) => {
      const line = lines.get(`${layer} ${technique}`)
      return (line && value(line)) ?? NaN
    }),
  )
  return { layers, techniques, values }
}

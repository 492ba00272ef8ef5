import type { PairedComparison } from '../../protocol/studio/compare.ts'
import type { Evaluation } from '../accuracy.ts'
import { pairedComparison } from './paired.ts'

/** One set of layers that was tried in float. */
export interface Attempt extends PairedComparison {
  readonly float: readonly string[]
  readonly accuracy: number
  readonly met: boolean
}

export interface FallbackOptions {
  /** Layers from the one that hurts most to the one that hurts least. */
  readonly ranking: readonly string[]
  /** Largest accuracy that may be lost, 0 to 1. */
  readonly maxDrop: number
  readonly baseline: Evaluation
  readonly labels: Int32Array
  /** Accuracy with some layers in float. */
  readonly evaluate: (float: ReadonlySet<string>) => Promise<Evaluation>
  readonly onAttempt?: (attempt: Attempt) => void
  readonly stopping?: () => boolean
}

export interface FallbackResult {
  readonly float: ReadonlySet<string>
  readonly met: boolean
  readonly attempts: readonly Attempt[]
}

/** Layers that are given back to integers one at a time after the search, at most. */
const MOST_RETURNS = 8

/**
 * Returns layers to float, the worst first, until the drop is met with as few as possible: the count is doubled until
 * it is, then halved in on, and at the end every layer but the last that was needed is tried in integers again.
 * Source: the accuracy-aware control of NNCF (Kozlov et al. 2020, arXiv:2002.08679, section 4).
 */
export async function searchFallback(options: FallbackOptions): Promise<FallbackResult> {
  const { ranking } = options
  const search = new Search(options)
  if (await search.meets(0)) return search.result(new Set(), true)
  let [fails, meets] = [0, 1]
  while (meets < ranking.length && !(await search.meets(meets))) [fails, meets] = [meets, meets * 2]
  meets = Math.min(meets, ranking.length)
  if (meets === ranking.length && !(await search.meets(meets))) return search.result(new Set(ranking), false)
  while (meets - fails > 1) {
    const middle = (meets + fails) >> 1
    if (await search.meets(middle)) meets = middle
    else fails = middle
  }
  return search.result(await search.giveBack(meets), true)
}

class Search {
  readonly #options: FallbackOptions
  readonly #known = new Map<string, boolean>()
  readonly #attempts: Attempt[] = []

  constructor(options: FallbackOptions) {
    this.#options = options
  }

  meets(count: number): Promise<boolean> {
    return this.#try(new Set(this.#options.ranking.slice(0, count)))
  }

  async #try(float: ReadonlySet<string>): Promise<boolean> {
    const key = [...float].toSorted().join('\0')
    const known = this.#known.get(key)
    if (known !== undefined || this.#options.stopping?.()) return known ?? false
    const { baseline, labels, maxDrop, onAttempt } = this.#options
    const found = await this.#options.evaluate(float)
    const compared = pairedComparison(baseline, found, labels)
    const attempt = { ...compared, float: [...float], accuracy: found.accuracy, met: compared.drop <= maxDrop }
    this.#attempts.push(attempt)
    this.#known.set(key, attempt.met)
    onAttempt?.(attempt)
    return attempt.met
  }

  /** Layers were taken in the order of their rank: some may not have been to blame. */
  async giveBack(count: number): Promise<ReadonlySet<string>> {
    let float = new Set(this.#options.ranking.slice(0, count))
    for (const layer of [...float].slice(0, -1).reverse().slice(0, MOST_RETURNS)) {
      const fewer = new Set([...float].filter((name) => name !== layer))
      if (await this.#try(fewer)) float = fewer
    }
    return float
  }

  result(float: ReadonlySet<string>, met: boolean): FallbackResult {
    return { float, met, attempts: this.#attempts }
  }
}

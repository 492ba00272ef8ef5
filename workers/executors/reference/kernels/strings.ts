import type { Call, Kernels } from '../call.ts'
import { broadcastDims, broadcastTo } from '../iterate.ts'
import { array, int64s, strings, type NdArray } from '../value.ts'

function stringConcat(call: Call): NdArray {
  const [a, b] = [call.input(0), call.input(1)]
  const dims = broadcastDims(a.dims, b.dims)
  const [x, y] = [strings(broadcastTo(a, dims)), strings(broadcastTo(b, dims))]
  return array(
    'string',
    dims,
    x.map((text, i) => text + (y[i] as string)),
  )
}

/** Splits at a delimiter (or at runs of white space), at most `maxsplit` times from the left; rows are filled with ''. */
function stringSplit(call: Call): NdArray[] {
  const x = call.input(0)
  const delimiter = call.text('delimiter', '')
  const most = call.number('maxsplit', -1)
  const parts = strings(x).map((text) => splitText(text, delimiter, most < 0 ? Infinity : most))
  const width = Math.max(0, ...parts.map((p) => p.length))
  const filled = parts.flatMap((p) => [...p, ...new Array<string>(width - p.length).fill('')])
  return [
    array('string', [...x.dims, width], filled),
    int64s(
      parts.map((p) => p.length),
      x.dims,
    ),
  ]
}

function splitText(text: string, delimiter: string, most: number): string[] {
  const parts: string[] = []
  let rest = delimiter === '' ? text.trimStart() : text
  const boundary = delimiter === '' ? /\s+/ : undefined
  while (parts.length < most) {
    const match = boundary?.exec(rest)
    const at = boundary ? (match?.index ?? -1) : rest.indexOf(delimiter)
    if (at < 0) break
    parts.push(rest.slice(0, at))
    rest = rest.slice(at + (match?.[0].length ?? delimiter.length))
  }
  // White space at the end makes no part of its own.
  if (delimiter === '') {
    const last = parts.length < most ? rest.trimEnd() : rest
    return last === '' ? parts : [...parts, last]
  }
  return [...parts, rest]
}

/** Accents are stripped, stop words removed, and the case changed; empty texts drop out. */
function stringNormalizer(call: Call): NdArray {
  const x = call.input(0)
  const action = call.text('case_change_action', 'NONE')
  const change = (s: string) => (action === 'LOWER' ? s.toLowerCase() : action === 'UPPER' ? s.toUpperCase() : s)
  const sensitive = call.flag('is_case_sensitive')
  const stops = new Set((call.texts('stopwords') ?? []).map((w) => (sensitive ? w : change(w))))
  const without = (s: string) =>
    stops.size === 0
      ? s
      : s
          .split(' ')
          .filter((w) => !stops.has(w))
          .join(' ')
  const plain = (s: string) => s.normalize('NFKD').replaceAll(/\p{M}/gu, '')
  const normal = strings(x).map((s) => (sensitive ? change(without(plain(s))) : without(change(plain(s)))))
  const kept = normal.filter((s) => s !== '')
  const result = kept.length > 0 ? kept : ['']
  return array('string', x.dims.length === 2 ? [1, result.length] : [result.length], result)
}

/** Counts of n-grams of a pool, with skips between their items, weighted by inverse document frequency if told. */
function tfIdfVectorizer(call: Call): NdArray {
  const x = call.input(0)
  const counts = call.numbers('ngram_counts') ?? []
  const indexes = call.numbers('ngram_indexes') ?? []
  const pool: readonly (string | number)[] = call.texts('pool_strings') ?? call.numbers('pool_int64s') ?? []
  const [shortest, longest] = [call.number('min_gram_length', 1), call.number('max_gram_length', 1)]
  const key = (items: readonly unknown[]) => items.map(String).join('\u0000')
  /** Which column each n-gram of the pool counts in. */
  const columns = new Map<string, number>()
  let id = 0
  counts.forEach((start, n) => {
    for (let at = start; at < (counts[n + 1] ?? pool.length); at += n + 1) {
      columns.set(`${n + 1}\u0000${key(pool.slice(at, at + n + 1))}`, id++)
    }
  })
  const width = Math.max(...indexes) + 1
  const [rows, length] = x.dims.length === 2 ? (x.dims as [number, number]) : [1, x.data.length]
  const out = new Float64Array(rows * width)
  for (let r = 0; r < rows; r++) {
    const items = Array.from({ length }, (_, i) => x.data[r * length + i])
    for (let n = shortest; n <= longest; n++) {
      // A single item has nothing to skip between.
      for (let step = 1; step <= (n === 1 ? 1 : call.number('max_skip_count', 0) + 1); step++) {
        for (let at = 0; at + (n - 1) * step < length; at++) {
          const gram = Array.from({ length: n }, (_, i) => items[at + i * step])
          const found = columns.get(`${n}\u0000${key(gram)}`)
          if (found === undefined) continue
          const column = r * width + (indexes[found] as number)
          out[column] = (out[column] as number) + 1
        }
      }
    }
  }
  return array('f32', x.dims.length === 2 ? [rows, width] : [width], weighted(call, out, width, indexes))
}

function weighted(call: Call, counts: Float64Array, width: number, indexes: readonly number[]): Float64Array {
  const mode = call.text('mode', 'TF')
  const weights = call.numbers('weights')
  if (mode === 'TF') return counts
  const byColumn = new Float64Array(width).fill(1)
  if (weights) indexes.forEach((column, i) => (byColumn[column] = weights[i] as number))
  return counts.map((n, i) => (mode === 'IDF' ? Math.min(n, 1) : n) * (byColumn[i % width] as number))
}

export const texts: Kernels = {
  StringConcat: stringConcat,
  StringSplit: stringSplit,
  StringNormalizer: stringNormalizer,
  RegexFullMatch: (call) => {
    const x = call.input(0)
    const pattern = new RegExp(`^(?:${call.text('pattern', '')})$`, 'su')
    const matches = strings(x).map((s) => (pattern.test(s) ? 1 : 0))
    return array('bool', x.dims, Uint8Array.from(matches))
  },
  TfIdfVectorizer: tfIdfVectorizer,
}

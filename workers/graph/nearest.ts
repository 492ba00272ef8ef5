/** Insertions, deletions and exchanges that turn one text into the other (Levenshtein 1966). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const exchanged = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(exchanged, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}

/** The names most like a misspelt one, the likeliest first: for errors that say what was probably meant. */
export function nearestNames(name: string, names: Iterable<string>, count = 3): readonly string[] {
  const wanted = name.toLowerCase()
  const score = (candidate: string): number => {
    const other = candidate.toLowerCase()
    return other.includes(wanted) || wanted.includes(other)
      ? 0
      : editDistance(wanted, other) / Math.max(wanted.length, 1)
  }
  return [...new Set(names)]
    .map((candidate) => ({ candidate, score: score(candidate) }))
    .toSorted((a, b) => a.score - b.score)
    .slice(0, count)
    .map(({ candidate }) => candidate)
}

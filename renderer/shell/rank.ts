/**
 * Those of `items` whose text has the letters of `query` in their order, the best first: whole beginnings before words
 * that begin so, those before parts of words, those before scattered letters. Equals keep their order.
 */
export function rank<T>(items: readonly T[], query: string, text: (item: T) => string): readonly T[] {
  const wanted = query.trim().toLocaleLowerCase()
  if (wanted === '') return items
  return items
    .map((item) => ({ item, score: score(text(item).toLocaleLowerCase(), wanted) }))
    .filter(({ score: value }) => value < Infinity)
    .sort((a, b) => a.score - b.score)
    .map(({ item }) => item)
}

function score(text: string, wanted: string): number {
  const at = text.indexOf(wanted)
  if (at === 0) return 0
  if (at > 0) return /[\s·\-_/“]/.test(text[at - 1] ?? '') ? 1 : 2
  let from = 0
  for (const letter of wanted) {
    from = text.indexOf(letter, from) + 1
    if (from === 0) return Infinity
  }
  return 3
}

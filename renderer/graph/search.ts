import type { GraphData } from './model.ts'

/** Nodes whose name, operator or lines contain all words of a query; none for an empty one. */
export function findNodes({ nodes }: GraphData, query: string): readonly number[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return []
  const found: number[] = []
  nodes.forEach(({ name, label, attributes, weights }, i) => {
    const text = `${label} ${name} ${attributes?.join(' ') ?? ''} ${weights?.join(' ') ?? ''}`.toLowerCase()
    if (words.every((word) => text.includes(word))) found.push(i)
  })
  return found
}

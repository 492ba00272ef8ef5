import type { Attribute } from '../../graph/attributes.ts'
import { graphHash, tensorHash } from '../../graph/hash.ts'

/** An attribute in a line: what two are compared by, and what a person reads. */
export function plainValueText(attribute: Attribute | undefined): string {
  if (attribute === undefined) return '–'
  switch (attribute.kind) {
    case 'tensor':
      return `tensor ${tensorHash(attribute.value).slice(0, 12)}`
    case 'tensors':
      return attribute.value.map((tensor) => tensorHash(tensor).slice(0, 12)).join(', ')
    case 'graph':
      return `graph ${graphHash(attribute.value).slice(0, 12)}`
    case 'graphs':
      return attribute.value.map((graph) => graphHash(graph).slice(0, 12)).join(', ')
    case 'sparse':
      return `${attribute.value.length} bytes`
    case 'type':
    case 'types':
      return JSON.stringify(attribute.value)
    case 'floats':
    case 'ints':
    case 'strings':
      return `[${attribute.value.map(String).join(', ')}]`
    default:
      return String(attribute.value)
  }
}

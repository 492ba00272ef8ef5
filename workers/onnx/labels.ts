import { quoted, shown } from './wire/failure.ts'

/** A node as it appears in sentences: `node "conv3" (Conv)`; unnamed ones by what they output. */
export function labelOf(node: {
  readonly name: string
  readonly op: string
  readonly outputs: readonly string[]
}): string {
  const op = node.op === '' ? '?' : shown(node.op)
  if (node.name !== '') return `node ${quoted(node.name)} (${op})`
  const output = node.outputs.find((o) => o !== '')
  return output === undefined ? `a node without a name (${op})` : `the node of ${quoted(output)} (${op})`
}

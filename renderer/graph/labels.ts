import { HEADER, type Size } from './layout.ts'
import type { GraphNode } from './model.ts'
import { lastParts } from './scopes.ts'
import type { Group } from './tree.ts'

/** What of a node is written in its box, beside its operator. */
export interface Shown {
  readonly names: boolean
  readonly attributes: boolean
  readonly weights: boolean
}

/** Pixels of a text in the small font, near enough to size a box by: Chinese characters are twice as wide. */
export const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2e7f ? 12 : 6.6
  return width
}

export const LINE = 15
export const LONGEST = 34

/** A text of at most `LONGEST` characters: its end, which tells names apart, stays. */
export const shortened = (text: string, most = LONGEST): string =>
  text.length <= most ? text : `…${text.slice(text.length - most + 1)}`

/** The lines in a node's box under its operator. */
export function linesOf(node: GraphNode, shown: Shown): readonly string[] {
  const own = [...(shown.attributes ? (node.attributes ?? []) : []), ...(shown.weights ? (node.weights ?? []) : [])]
  const isEnd = node.kind === 'input' || node.kind === 'output'
  // The scopes around it say the rest.
  const names = isEnd ? [node.name] : shown.names ? [lastParts(node.name, 2)] : []
  return [...names, ...own].filter((line) => line !== '').map((line) => shortened(line))
}

/** `BADGE` is kept free for what an overlay says, so that switching it moves nothing. */
const BADGE = 64

export function nodeSize(node: GraphNode, shown: Shown): Size {
  const lines = linesOf(node, shown)
  const widest = Math.max(widthOf(node.label) + BADGE, ...lines.map(widthOf))
  return { width: Math.round(Math.max(104, widest + 22)), height: HEADER + 4 + lines.length * LINE }
}

/** What a group is called: its scope, and how often it comes. */
export function groupTitle(group: Group, words: { readonly nodes: (count: number) => string }): string {
  const name = shortened(group.title)
  const times = group.times === undefined ? '' : `×${group.times}`
  const title = [name, times].filter((part) => part !== '').join(' ')
  return title === '' ? words.nodes(group.nodes.length) : title
}

export function groupSize(title: string, count: string): Size {
  return { width: Math.round(Math.max(140, widthOf(title) + BADGE + 30, widthOf(count) + 30)), height: HEADER + 22 }
}

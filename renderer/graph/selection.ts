import type { GraphData } from './model.ts'
import type { GroupTree } from './tree.ts'

/*
 * What is selected is told by a text that any screen can keep: the id of a node, or `group:` and the key of a group.
 */

const PREFIX = 'group:'

export const idOfGroup = (key: string): string => `${PREFIX}${key}`

/** The node (by index) or group (by `~index`) that a text tells. */
export function childOf(id: string, indices: ReadonlyMap<string, number>, tree: GroupTree): number | undefined {
  if (!id.startsWith(PREFIX)) return indices.get(id)
  const group = tree.byKey.get(id.slice(PREFIX.length))
  return group === undefined ? undefined : ~group
}

export const idOf = (child: number, { nodes }: GraphData, { groups }: GroupTree): string =>
  child < 0 ? idOfGroup(groups[~child]?.key ?? '') : (nodes[child]?.id ?? '')

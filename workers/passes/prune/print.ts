import { nodeLabel } from '../../graph/graph.ts'
import type { GroupFacts } from '../../protocol/studio/sheet.ts'
import type { Role } from '../../ops/coupling/call.ts'
import type { Barrier, Group, Groups, Member } from './groups.ts'

/** What an axis is to its node, in the field's words. */
const roleWords: Readonly<Record<Role, string>> = {
  out: 'output channels',
  in: 'input channels',
  bias: 'bias',
  scale: 'scale',
  shift: 'shift',
  statistic: 'running statistic',
  recurrent: 'last state',
  operand: 'operand',
}

export const groupFacts = (group: Group): GroupFacts => ({
  id: group.id,
  name: group.name,
  units: group.size,
  members: group.members.map((member) => ({
    tensor: member.constant.name,
    axis: member.axis,
    indices: member.indices.length,
    use: useOf(member),
  })),
  because: group.because,
})

const useOf = ({ roles }: Member): string => {
  if (roles.length === 0) return 'goes along'
  return roles.map(({ role, node }) => `${roleWords[role]} of ${nodeLabel(node)}`).join(', ')
}

/** A group as text: its units, the slices that each takes along, and what joins them. */
export function printGroup(group: Group): string {
  const members = group.members.map((m) => `  ${m.constant.name} axis ${m.axis}: ${useOf(m)}${countOf(m, group.size)}`)
  const because = group.because.map((line) => `  because ${line}`)
  return [`group ${group.id} "${group.name}": ${group.size} units`, ...members, ...because].join('\n')
}

const countOf = ({ indices }: Member, units: number): string =>
  indices.length === units ? '' : ` (${indices.length / units} for each unit)`

export const printBarrier = ({ node, channels, reason }: Barrier): string =>
  `whole: ${channels} channels of ${node}: ${reason}`

/** All groups and what stays whole; deterministic, for people and for tests. */
export const printGroups = ({ groups, barriers }: Groups): string =>
  [...groups.map(printGroup), ...barriers.map(printBarrier)].join('\n')

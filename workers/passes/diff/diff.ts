import { nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { costOf, type NodeCost } from '../../ops/cost.ts'
import { inferTypes } from '../../ops/infer.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { GraphDiff, GroupDiff, LayerDiff, LayerSide, NodeDiff, NodeStatus } from '../../protocol/studio.ts'
import { analyse } from '../prune/analysis.ts'
import { groupsOf, type Group, type Member } from '../prune/groups.ts'
import { groupFacts } from '../prune/print.ts'
import { changesOf, constantOf, shapeText, statusOf } from './changes.ts'
import { matchNodes } from './match.ts'

/** How one graph became another: every node with its counterpart, layers side by side, and what was cut together. */
export function diffGraphs(given: { readonly before: Graph; readonly after: Graph }): GraphDiff {
  const [before, after] = [typed(given.before), typed(given.after)]
  const { pairs, removed, added } = matchNodes(before, after)
  const forth = new Map(pairs)
  const known = { forth, back: new Map(pairs.map(([a, b]) => [b, a] as const)) }
  const placeBefore = new Map(before.nodes.map((node, i) => [node, i]))
  const placeAfter = new Map(after.nodes.map((node, i) => [node, i]))
  const at = (places: ReadonlyMap<Node, number>, node: Node) => places.get(node) ?? -1
  const matched = pairs.map(([a, b]): NodeDiff => {
    const changes = changesOf(before, after, [a, b], known)
    const place = { before: at(placeBefore, a), after: at(placeAfter, b) }
    return { status: statusOf(changes), name: nodeName(a), op: a.op, ...place, changes }
  })
  const gone = removed.map((node): NodeDiff => ({ ...alone(node, 'removed'), before: at(placeBefore, node) }))
  const fresh = added.map((node): NodeDiff => ({ ...alone(node, 'added'), after: at(placeAfter, node) }))
  const nodes = [...matched, ...gone, ...fresh]
  const { groups, problem } = groupDiffs(before, after, forth)
  return {
    nodes,
    counts: count(nodes),
    layers: layerDiffs({ before, after }, nodes, groups),
    groups,
    ...(problem === undefined ? {} : { groupsProblem: problem }),
  }
}

/** Types where they can be told; a graph that breaks a rule is compared as far as its names go. */
function typed(graph: Graph): Graph {
  try {
    return inferTypes(graph)
  } catch (error) {
    if (error instanceof AlambicError) return graph
    throw error
  }
}

const nodeName = (node: Node): string => node.name || nodeLabel(node)

const alone = (node: Node, status: NodeStatus) => ({ status, name: nodeName(node), op: node.op, changes: [] })

function count(nodes: readonly NodeDiff[]): Record<NodeStatus, number> {
  const counts = { same: 0, reshaped: 0, weights: 0, changed: 0, added: 0, removed: 0 }
  for (const { status } of nodes) counts[status]++
  return counts
}

/** The largest constant of rank 2 or more that a node reads. */
function weightOf(graph: Graph, node: Node) {
  const found = node.inputs.flatMap((value) => {
    const tensor = constantOf(graph, value)
    return tensor && tensor.dims.length >= 2 ? [{ value, tensor }] : []
  })
  return found.toSorted((a, b) => b.tensor.bytes.length - a.tensor.bytes.length)[0]
}

/** Operators that only pass their constants on. */
const passing: ReadonlySet<string> = new Set([
  'DequantizeLinear',
  'QuantizeLinear',
  'Reshape',
  'Transpose',
  'Cast',
  'Identity',
])

function sideOf(graph: Graph, costs: readonly NodeCost[], place: number | undefined): LayerSide | undefined {
  const node = place === undefined ? undefined : graph.nodes[place]
  const weight = node && !passing.has(node.op) ? weightOf(graph, node) : undefined
  if (!node || !weight || place === undefined) return undefined
  const { tensor } = weight
  const elements = tensor.dims.reduce((n, d) => n * d, 1)
  const cost = costs[place]
  const shape = asTensor(graph.type(node.outputs[0] ?? ''))?.shape
  const channels = shape && (shape.length > 3 ? shape[1] : shape.at(-1))
  return {
    node: nodeName(node),
    place,
    op: node.op,
    weight: shapeText(tensor.dims),
    bits: elements === 0 ? 0 : Math.round((8 * tensor.bytes.length) / elements),
    ...(typeof channels === 'number' ? { channels } : {}),
    // Integer weights are no parameters to the counter of what can be trained; they are still elements.
    params: Math.max(cost?.params ?? 0, elements),
    ...(cost?.macs === undefined ? {} : { macs: cost.macs }),
    bytes: tensor.bytes.length,
  }
}

function layerDiffs(
  { before, after }: { before: Graph; after: Graph },
  nodes: readonly NodeDiff[],
  groups: readonly (GroupDiff & { readonly makers: readonly string[] })[],
): LayerDiff[] {
  const [costsBefore, costsAfter] = [costs(before), costs(after)]
  const rows = nodes.flatMap((node): (LayerDiff & { at: number })[] => {
    const left = sideOf(before, costsBefore, node.before)
    const right = sideOf(after, costsAfter, node.after)
    if (!left && !right) return []
    const group = groups.findIndex(({ makers }) => left !== undefined && makers.includes(left.node))
    // What was added stands where it is in its own graph.
    const at = node.before ?? (node.after ?? 0) * (before.nodes.length / Math.max(1, after.nodes.length))
    return [
      {
        name: node.name,
        status: node.status,
        ...(left ? { before: left } : {}),
        ...(right ? { after: right } : {}),
        ...(group >= 0 ? { group } : {}),
        at,
      },
    ]
  })
  return rows.toSorted((a, b) => a.at - b.at).map(({ at: _at, ...row }) => row)
}

function costs(graph: Graph): readonly NodeCost[] {
  try {
    return costOf(graph).nodes
  } catch (error) {
    if (error instanceof AlambicError) return []
    throw error
  }
}

type MadeGroup = GroupDiff & { readonly makers: readonly string[] }

/** Groups of the first graph of which the second has fewer channels. */
function groupDiffs(
  before: Graph,
  after: Graph,
  counterpart: ReadonlyMap<Node, Node>,
): { readonly groups: readonly MadeGroup[]; readonly problem?: string } {
  try {
    const found = groupsOf(analyse(before))
    const byName = new Map([...counterpart].map(([a, b]) => [a.name || a.outputs[0], b] as const))
    const groups = found.groups.flatMap((group) => groupDiff(group, after, byName) ?? [])
    return { groups: groups.toSorted((a, b) => b.units - b.left - (a.units - a.left)) }
  } catch (error) {
    if (error instanceof AlambicError) return { groups: [], problem: error.message }
    throw error
  }
}

function groupDiff(group: Group, after: Graph, byName: ReadonlyMap<string | undefined, Node>): MadeGroup | undefined {
  const facts = groupFacts(group)
  const members = group.members.flatMap((member, i) => {
    const size = sizeAfter(member, after, byName)
    const before = member.constant.tensor.dims[member.axis] ?? member.indices.length
    if (size === undefined || size === before) return []
    return [
      {
        tensor: member.constant.name,
        use: facts.members[i]?.use ?? '',
        before,
        after: size,
        own: member.indices.length,
      },
    ]
  })
  const [first] = members
  if (!first) return undefined
  // What one axis lost is of this group only when the axis is wholly in it; shared axes say less, not wrong things.
  const whole = members.find(({ own, before }) => own === before) ?? first
  const perUnit = whole.own / group.size
  const left = Math.max(0, Math.round(group.size - (whole.before - whole.after) / perUnit))
  return {
    name: group.name,
    units: group.size,
    left,
    members: members.map(({ own: _own, ...member }) => member),
    because: group.because,
    makers: group.members.flatMap(({ roles }) =>
      roles.filter(({ role }) => role === 'out').map(({ node }) => nodeName(node)),
    ),
  }
}

/** Length of a constant's axis in the other graph: by the constant's own name, else where the counterpart reads it. */
function sizeAfter(member: Member, after: Graph, byName: ReadonlyMap<string | undefined, Node>): number | undefined {
  const named = after.initializers.get(member.constant.name)
  if (named) return named.dims[member.axis]
  const [role] = member.roles
  const node = role && byName.get(role.node.name || role.node.outputs[0])
  return node ? constantOf(after, node.inputs[role.input] ?? '')?.dims[member.axis] : undefined
}

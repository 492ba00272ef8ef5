import type { Node } from '../../graph/graph.ts'
import { nodeLabel } from '../../graph/graph.ts'
import { isLive } from '../../ops/coupling/axis.ts'
import type { Role } from '../../ops/coupling/call.ts'
import type { CoupledConstant, Coupling } from './analysis.ts'

/** An axis of a constant that loses slices with its group. */
export interface Member {
  readonly constant: CoupledConstant
  readonly axis: number
  /** What the axis is to the nodes that read it. */
  readonly roles: readonly { readonly role: Role; readonly node: Node; readonly input: number }[]
  /** Indices of the axis that belong to the group, and the unit of each. */
  readonly indices: Int32Array
  readonly units: Int32Array
}

/** Channels (or heads, hidden units) that can go one by one, each with all that depends on it. */
export interface Group {
  readonly id: number
  /** The first node that makes these channels. */
  readonly name: string
  /** How many units it has. */
  readonly size: number
  readonly members: readonly Member[]
  /** Why they go together, one sentence per join. */
  readonly because: readonly string[]
  /** The atom class of every unit. */
  readonly atoms: Int32Array
}

/** Channels that stay whole, and why. */
export interface Barrier {
  readonly node: string
  readonly channels: number
  readonly reason: string
}

export interface Groups {
  readonly coupling: Coupling
  readonly groups: readonly Group[]
  readonly barriers: readonly Barrier[]
}

interface AxisRow {
  readonly constant: CoupledConstant
  readonly axis: number
  readonly atoms: Int32Array
  readonly roles: Member['roles']
}

/**
 * Units that touch the same axes equally often are interchangeable: a group. Two branches of a concatenation are two
 * groups, though one layer reads both; the two halves of a split are two, though one layer makes both.
 */
export function groupsOf(coupling: Coupling): Groups {
  const rows = rowsOf(coupling)
  const { signatures, makes } = signaturesOf(coupling, rows)
  const { atoms } = coupling
  const bySignature = new Map<number, number[]>()
  for (let root = 0; root < atoms.count; root++) {
    const signature = signatures[root] as number
    if (signature === 0 || makes[root] === 0 || atoms.reason(root) !== undefined) continue
    const list = bySignature.get(signature)
    if (list) list.push(root)
    else bySignature.set(signature, [root])
  }
  const place = new Int32Array(atoms.count).fill(-1)
  const unitOf = new Int32Array(atoms.count)
  const sets = [...bySignature.values()]
  sets.forEach((roots, g) =>
    roots.forEach((root, unit) => {
      place[root] = g
      unitOf[root] = unit
    }),
  )
  const members = membersOf(coupling, rows, sets.length, place, unitOf)
  const because = reasonsOf(coupling, sets.length, place)
  const made = sets.map((roots, g): Group => {
    const own = members[g] as readonly Member[]
    return {
      id: g,
      name: nameOf(own),
      size: roots.length,
      members: own,
      because: [...(because[g] as ReadonlySet<string>)],
      atoms: Int32Array.from(roots),
    }
  })
  const groups = made.filter((group) => group.size > 1).map((group, id) => ({ ...group, id }))
  return {
    coupling,
    groups,
    barriers: [...barriersOf(coupling, rows), ...made.filter((g) => g.size === 1).map(single)],
  }
}

const single = (group: Group): Barrier => ({
  node: group.name,
  channels: group.members[0]?.indices.length ?? 1,
  reason: 'all its channels hang together as one',
})

const nameOf = (members: readonly Member[]): string => {
  const made = members.find((m) => m.roles.some(({ role }) => role === 'out')) ?? members[0]
  const site = made?.roles.find(({ role }) => role === 'out') ?? made?.roles[0]
  return site?.node.name || (made?.constant.name ?? '')
}

/** Every axis of a constant that has atoms, with its roles, in the order of the nodes. */
function rowsOf({ constants, sites }: Coupling): AxisRow[] {
  const roles = new Map<Int32Array, AxisRow['roles'][number][]>()
  for (const { constant, axis, role, node, input } of sites) {
    const atoms = constant.axes[axis] as Int32Array
    const list = roles.get(atoms)
    if (list) list.push({ role, node, input })
    else roles.set(atoms, [{ role, node, input }])
  }
  return constants.flatMap((constant) =>
    constant.axes.flatMap((atoms, axis) =>
      isLive(atoms) ? [{ constant, axis, atoms, roles: roles.get(atoms) ?? [] }] : [],
    ),
  )
}

/** The axes that each class touches, in order, as one number; and which classes some layer makes. */
function signaturesOf({ atoms }: Coupling, rows: readonly AxisRow[]) {
  const signatures = new Int32Array(atoms.count)
  const makes = new Uint8Array(atoms.count)
  const steps = new Map<number, number>()
  let last = 0
  rows.forEach((row, id) => {
    const isMaker = row.roles.some(({ role }) => role === 'out')
    for (const atom of row.atoms) {
      const root = atoms.find(atom)
      const key = (signatures[root] as number) * rows.length + id
      let next = steps.get(key)
      if (next === undefined) steps.set(key, (next = ++last))
      signatures[root] = next
      if (isMaker) makes[root] = 1
    }
  })
  return { signatures, makes }
}

function membersOf(
  { atoms }: Coupling,
  rows: readonly AxisRow[],
  count: number,
  place: Int32Array,
  unitOf: Int32Array,
): (readonly Member[])[] {
  const members: Member[][] = Array.from({ length: count }, () => [])
  for (const { constant, axis, atoms: own, roles } of rows) {
    const found = new Map<number, { indices: number[]; units: number[] }>()
    own.forEach((atom, index) => {
      const root = atoms.find(atom)
      const group = place[root] as number
      if (group < 0) return
      const entry = found.get(group) ?? { indices: [], units: [] }
      found.set(group, entry)
      entry.indices.push(index)
      entry.units.push(unitOf[root] as number)
    })
    for (const [group, { indices, units }] of found) {
      members[group]?.push({ constant, axis, roles, indices: Int32Array.from(indices), units: Int32Array.from(units) })
    }
  }
  return members
}

function reasonsOf({ atoms, joins }: Coupling, count: number, place: Int32Array): ReadonlySet<string>[] {
  const because = Array.from({ length: count }, () => new Set<string>())
  for (const { by, why, atom } of joins) because[place[atoms.find(atom)] as number]?.add(`${by}: ${why}`)
  return because
}

/** Channels that layers make and that cannot be cut, counted by reason. */
function barriersOf({ atoms }: Coupling, rows: readonly AxisRow[]): Barrier[] {
  const counts = new Map<string, Barrier>()
  for (const { atoms: own, roles } of rows) {
    const site = roles.find(({ role }) => role === 'out')
    if (!site || own.length < 2) continue
    for (const atom of own) {
      const reason = atoms.reason(atom)
      if (reason === undefined) continue
      const node = nodeLabel(site.node)
      const key = `${node}\0${reason}`
      counts.set(key, { node, reason, channels: (counts.get(key)?.channels ?? 0) + 1 })
    }
  }
  return [...counts.values()]
}

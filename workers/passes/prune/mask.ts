import { dtypes } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import type { Role } from '../../ops/coupling/call.ts'
import { FreshNames } from '../names.ts'
import type { CoupledConstant, Coupling } from './analysis.ts'
import type { Removal } from './cut.ts'
import type { Groups } from './groups.ts'

const zeroed: ReadonlySet<Role> = new Set<Role>(['out', 'in', 'bias', 'scale', 'shift', 'recurrent'])

/**
 * The graph with the weights of these units set to zero instead of cut: the same function as the cut one, in the old
 * shapes, wherever no normalization counts the channels. Needs no surgery, so it is what surgery is held against.
 */
export function masked({ coupling, groups }: Groups, removal: Removal): Graph {
  const tensors = new Map<CoupledConstant, Tensor>()
  for (const group of groups) {
    const gone = new Set(removal.get(group.id) ?? [])
    if (gone.size === 0) continue
    for (const { constant, axis, roles, indices, units } of group.members) {
      if (!roles.some(({ role }) => zeroed.has(role))) continue
      const lost = [...indices].filter((_, i) => gone.has(units[i] as number))
      tensors.set(constant, zeroSlices(tensors.get(constant) ?? constant.tensor, axis, lost))
    }
  }
  return withConstants(coupling, tensors)
}

/** The graph with other values of constants; a use of a shared vector gets its own copy. */
function withConstants({ graph }: Coupling, tensors: ReadonlyMap<CoupledConstant, Tensor>): Graph {
  const initializers = new Map(graph.initializers)
  const names = new FreshNames(graph)
  const copies = new Map<Node, Map<number, string>>()
  for (const [{ name, use }, tensor] of tensors) {
    const own = use && graph.uses(name).length > 1 ? names.take(name) : name
    initializers.set(own, tensor)
    if (use) copies.set(use.node, (copies.get(use.node) ?? new Map<number, string>()).set(use.input, own))
  }
  const nodes = graph.nodes.map((node) => {
    const own = copies.get(node)
    return own ? { ...node, inputs: node.inputs.map((name, i) => own.get(i) ?? name) } : node
  })
  return graph.with({ initializers, nodes })
}

/** A copy whose slices at these indices of an axis are zero. */
export function zeroSlices(tensor: Tensor, axis: number, indices: readonly number[]): Tensor {
  const { dims, dtype } = tensor
  const bytes = tensor.bytes.slice()
  const inner = (sizeOf(dims.slice(axis + 1)) * dtypes[dtype].bits) / 8
  const stride = (dims[axis] as number) * inner
  for (let base = 0; base < bytes.length; base += stride) {
    for (const index of indices) bytes.fill(0, base + index * inner, base + (index + 1) * inner)
  }
  return { ...tensor, bytes }
}

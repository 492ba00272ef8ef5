import type { Node } from '../../graph/graph.ts'
import { i64, tensorOf } from '../../graph/tensor.ts'
import type { Shape } from '../../graph/types.ts'
import type { Axis } from './axis.ts'
import type { Coupled, Cut } from './call.ts'

/**
 * A vector of sizes that the graph computes, with those that a cut changes written over: Where(changed, new, computed).
 * The sizes that stay open are still computed.
 */
export const patchedSizes =
  (input: number, to: Shape, out: readonly Axis[]): NonNullable<Coupled['cut']> =>
  (cut: Cut, node: Node): readonly Node[] => {
    const sizes = to.map((dim, k) =>
      typeof dim === 'number' && cut.kept(out[k]) ? cut.size(out[k] as Axis, dim) : undefined,
    )
    if (sizes.every((size) => size === undefined)) return [node]
    if (to.every((dim) => typeof dim === 'number')) {
      const all = i64(to.map((dim, k) => cut.size(out[k] as Axis, dim)))
      const name = cut.constant(`${node.name}.sizes`, all)
      return [{ ...node, inputs: node.inputs.map((old, i) => (i === input ? name : old)) }]
    }
    const mask = tensorOf(
      'bool',
      [to.length],
      Uint8Array.from(sizes, (size) => (size === undefined ? 0 : 1)),
    )
    const changed = cut.constant(`${node.name}.changed`, mask)
    const given = cut.constant(`${node.name}.sizes`, i64(sizes.map((size) => size ?? 0)))
    const patched = cut.fresh(`${node.name}.patched`)
    const where: Node = {
      name: patched,
      op: 'Where',
      domain: '',
      inputs: [changed, given, node.inputs[input] ?? ''],
      outputs: [patched],
      attributes: {},
    }
    return [where, { ...node, inputs: node.inputs.map((name, i) => (i === input ? patched : name)) }]
  }

import type { Graph, Node } from '../../graph/graph.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import { FreshNames } from '../names.ts'
import type { Tensor } from '../../graph/tensor.ts'

/** A weight that is used under a mask while training changes all of it. */
export interface Shadowed {
  readonly name: string
  /** Name of the full weight. */
  readonly full: string
}

/**
 * The graph that uses `masked` in place of weights, while gradients reach the full weights: W − sg(W − W′). Filters
 * that a mask hides keep learning and can come back (Lin et al. 2018, Accelerating CNNs via Global & Dynamic Filter
 * Pruning, section 3.2).
 */
export function shadow(
  graph: Graph,
  masked: ReadonlyMap<string, Tensor>,
): { readonly graph: Graph; readonly shadowed: readonly Shadowed[] } {
  const names = new FreshNames(graph)
  const initializers = new Map(graph.initializers)
  const nodes: Node[] = []
  const shadowed = [...masked].map(([name, tensor]): Shadowed => {
    const full = names.take(`${name}.full`)
    const keep = names.take(`${name}.keep`)
    const gone = names.take(`${name}.gone`)
    const still = names.take(`${name}.still`)
    initializers.set(full, graph.initializers.get(name) as Tensor)
    initializers.set(keep, tensor)
    initializers.delete(name)
    const add = (op: string, domain: string, inputs: string[], output: string) =>
      nodes.push({ name: output, op, domain, inputs, outputs: [output], attributes: {} })
    // keep is 1 where the mask hides: a u8 constant, so that training does not take it for a parameter.
    const cast = names.take(`${name}.cast`)
    nodes.push({
      name: cast,
      op: 'Cast',
      domain: '',
      inputs: [keep],
      outputs: [cast],
      attributes: { to: { kind: 'int', value: 1 } },
    })
    add('Mul', '', [full, cast], gone)
    add('StopGradient', COMPOSITES, [gone], still)
    add('Sub', '', [full, still], name)
    return { name, full }
  })
  const opsets = new Map([...graph.opsets, [COMPOSITES, 1] as const])
  const inputs = graph.inputs.filter((v) => !masked.has(v.name))
  return { graph: graph.with({ nodes: [...nodes, ...graph.nodes], initializers, opsets, inputs }), shadowed }
}

/** The full weights back in the graph that `shadow` started from. */
export function unshadow(original: Graph, trained: Graph, shadowed: readonly Shadowed[]): Graph {
  const full = new Map(shadowed.map(({ name, full: from }) => [name, trained.initializers.get(from) as Tensor]))
  return original.with({
    initializers: new Map(
      [...original.initializers].map(([name, t]) => [name, full.get(name) ?? trained.initializers.get(name) ?? t]),
    ),
  })
}

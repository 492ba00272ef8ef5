import { withoutStrayTypes } from './dead.ts'
import { identity, definedNames, type Graph, type Value } from './graph.ts'
import { renameAll, renamingOf, type Renaming } from './rename.ts'
import { contradicts } from './types.ts'

/** What is to become of an output that another value now stands for. */
interface Plan {
  readonly output: Value
  /** The value that the output shows now, under its present name. */
  readonly source: string
  readonly how: 'rename' | 'copy' | 'other name'
}

/**
 * Lets each output of a graph show the value that replaced it, and keeps its name, which callers feed and fetch by:
 * the new value takes the name over, and what had it before takes a fresh one. Where the new value cannot be renamed
 * (an input, a constant, an output itself) an Identity copies it. Only an output that is also an input or a constant,
 * and so cannot give its name away, changes its name.
 *
 * `graph` has only the outputs whose names need no care; `outputs` come before them.
 */
export function keepOutputNames(
  graph: Graph,
  outputs: readonly Value[],
  replacementOf: Renaming,
  fresh: (hint: string) => string,
): Graph {
  const plans = planOutputs(graph, outputs, replacementOf)
  const names = new Map<string, string>()
  const defined = definedNames(graph)
  for (const { output, source, how } of plans) {
    if (source === output.name || how === 'other name') continue
    if (how === 'rename') names.set(source, output.name)
    if (defined.has(output.name)) names.set(output.name, fresh(output.name))
  }
  const rename = renamingOf(names)
  const renamed = names.size === 0 ? graph : renameAll(withoutStrayTypes(graph), rename)
  const copies = plans
    .filter(({ how }) => how === 'copy')
    .map(({ output, source }) => identity(rename(source), output.name))
  const shown = plans.map(({ output, source, how }) => {
    const known = graph.type(source)
    const type = known && contradicts(known, output.type) ? known : output.type
    return { ...output, name: how === 'other name' ? source : output.name, type }
  })
  return renamed.with({ nodes: [...renamed.nodes, ...copies], outputs: [...shown, ...renamed.outputs] })
}

function planOutputs(graph: Graph, outputs: readonly Value[], replacementOf: Renaming): readonly Plan[] {
  const renameable = new Set(graph.nodes.flatMap((node) => node.outputs))
  for (const { name } of [...outputs, ...graph.outputs]) renameable.delete(name)
  const fixed = new Set([...graph.inputs.map((v) => v.name), ...graph.initializers.keys()])
  return outputs.map((output): Plan => {
    const source = replacementOf(output.name)
    if (source === output.name) return { output, source, how: 'rename' }
    if (fixed.has(output.name)) return { output, source, how: 'other name' }
    // A value that has become one output is copied for the next.
    return { output, source, how: renameable.delete(source) ? 'rename' : 'copy' }
  })
}

import { AlambicError } from '../protocol/errors.ts'
import { withoutStrayTypes } from './dead.ts'
import { definedNames, type Graph, type Node, type Value } from './graph.ts'
import { readsOf } from './order.ts'
import { verify } from './verify.ts'

/**
 * The part of a graph that computes `outputs` from `inputs`: to cut a teacher before its Softmax, to look at a value
 * in the middle, to split a model in two. Any value can be either; a constant among the inputs becomes an input.
 * Other constants come along. Throws `graph.unknown-value` for names that the graph does not have and
 * `graph.extract-input` when the outputs also need an input that is not listed. Verified.
 */
export function extract(graph: Graph, inputs: readonly string[], outputs: readonly string[]): Graph {
  const known = definedNames(graph)
  for (const name of [...inputs, ...outputs]) if (!known.has(name)) throw unknownValue(graph, name)
  const { nodes, constants } = needsOf(graph, new Set(inputs), outputs)
  const value = (name: string): Value => ({ name, type: graph.type(name) ?? { kind: 'unknown' } })
  const part = graph.with({
    inputs: inputs.map(value),
    outputs: outputs.map(value),
    nodes: graph.nodes.filter((node) => nodes.has(node)),
    initializers: new Map([...graph.initializers].filter(([name]) => constants.has(name))),
  })
  const extracted = withoutStrayTypes(part)
  verify(extracted)
  return extracted
}

interface Needs {
  readonly nodes: ReadonlySet<Node>
  readonly constants: ReadonlySet<string>
}

/** Walks back from the outputs and stops at the inputs. */
function needsOf(graph: Graph, inputs: ReadonlySet<string>, outputs: readonly string[]): Needs {
  const nodes = new Set<Node>()
  const constants = new Set<string>()
  const pending = [...outputs]
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (value === '' || inputs.has(value) || constants.has(value)) continue
    const producer = graph.producer(value)
    if (!producer) {
      if (!graph.initializers.has(value)) throw missingInput(value, inputs, outputs)
      constants.add(value)
    } else if (!nodes.has(producer)) {
      nodes.add(producer)
      pending.push(...readsOf(producer))
    }
  }
  return { nodes, constants }
}

const unknownValue = (graph: Graph, name: string) =>
  new AlambicError('graph.unknown-value', `graph "${graph.name}" has no value "${name}"`, { subject: name })

const quoted = (names: Iterable<string>) => [...names].map((name) => `"${name}"`).join(', ')

const missingInput = (value: string, inputs: Iterable<string>, outputs: Iterable<string>) =>
  new AlambicError('graph.extract-input', `computing ${quoted(outputs)} also takes the input "${value}"`, {
    subject: value,
    expected: `"${value}" among the inputs`,
    found: quoted(inputs) || 'none',
    fix: `List "${value}" as an input, or cut after what reads it.`,
  })

import { AlambicError } from '../protocol/errors.ts'
import { Builder, type InferOutputs } from './builder.ts'
import { withoutDead, withoutStrayTypes } from './dead.ts'
import { definedNames, type Graph, type Node } from './graph.ts'
import { orderNodes } from './order.ts'
import { keepOutputNames } from './output-names.ts'
import { renameReads, renamingOf, type Renaming } from './rename.ts'
import type { Tensor } from './tensor.ts'
import { tensorType } from './types.ts'
import { verify, type VerifyOptions } from './verify.ts'

export { removeDead } from './dead.ts'
export { extract } from './extract.ts'
export { merge, type MergeOptions } from './merge.ts'
export { sortNodes } from './order.ts'
export { renameValues } from './rename.ts'

export interface ApplyOptions extends VerifyOptions {
  /** Keeps nodes and constants that no output depends on any more. */
  readonly keepDead?: boolean
}

/**
 * Collects edits of a graph and applies them all at once: `apply` gives a new, sorted and verified graph. New nodes
 * come from `builder`, in any order; they land just before the first node that reads from them.
 *
 *     const r = new Rewriter(graph)
 *     const y = r.builder.op('Clip', [node.inputs[0]], {})
 *     r.replace(node, y)
 *     return r.apply()
 *
 * Nodes that were in the graph follow every `replaceUses`. New nodes, which are often the reason for it, keep what
 * they read as long as it is still computed. Outputs keep their names whatever computes them in the end. Edits speak
 * of the graph as it was. Everything is linear in the size of the graph.
 */
export class Rewriter {
  /** The graph as it was. */
  readonly graph: Graph
  /** Makes new nodes, constants, inputs and outputs, with names that are new to the graph and its subgraphs. */
  readonly builder: Builder
  readonly #removed = new Set<Node>()
  readonly #updated = new Map<Node, Node>()
  readonly #edges = new Map<Node, Map<number, string>>()
  readonly #redirects = new Map<string, string>()
  readonly #droppedInputs = new Set<string>()
  readonly #droppedOutputs = new Set<string>()

  constructor(graph: Graph, infer?: InferOutputs) {
    this.graph = graph
    this.builder = new Builder(graph, infer)
  }

  /** Lets everything that reads `value`, subgraphs and outputs included, read `by` instead. */
  replaceUses(value: string, by: string): void {
    const known = this.#redirects.get(value)
    if (known !== undefined && known !== by) {
      throw new AlambicError('graph.rewrite-conflict', `"${value}" is to be replaced by "${known}" and by "${by}"`, {
        subject: value,
      })
    }
    if (value !== by) this.#redirects.set(value, by)
  }

  /** Lets one input of one node read `by`. */
  replaceInput(node: Node, index: number, by: string): void {
    const edges = this.#edges.get(node) ?? new Map<number, string>()
    this.#edges.set(node, edges.set(index, by))
  }

  /** Deletes a node; who still reads from it must be given something else, or `apply` fails. */
  remove(node: Node): void {
    this.#removed.add(node)
  }

  /** Deletes a node and puts `values` in the place of its outputs, in order. */
  replace(node: Node, ...values: readonly string[]): void {
    this.remove(node)
    node.outputs.forEach((output, i) => {
      const by = values[i]
      if (output !== '' && by !== undefined) this.replaceUses(output, by)
    })
  }

  /** Deletes a node and lets who read its first output read one of its inputs, the first unless told. */
  bypass(node: Node, input = 0): void {
    this.replace(node, node.inputs[input] ?? '')
  }

  /** Changes parts of a node where it stands. */
  update(node: Node, parts: Partial<Node>): void {
    this.#updated.set(node, { ...(this.#updated.get(node) ?? node), ...parts })
  }

  /** Puts something behind a value: `make` gets its name and returns the name that everybody else reads from now on. */
  insertAfter(value: string, make: (value: string) => string): string {
    const made = make(value)
    this.replaceUses(value, made)
    return made
  }

  /** Puts something on one edge: `make` gets what the node reads and returns what it reads from now on. */
  insertBefore(node: Node, index: number, make: (value: string) => string): string {
    const made = make(node.inputs[index] ?? '')
    this.replaceInput(node, index, made)
    return made
  }

  /** Replaces a constant under its name; its type may change. */
  setConstant(name: string, tensor: Tensor): void {
    const { initializers, types, inputs } = this.builder
    if (!initializers.has(name)) {
      throw new AlambicError('graph.unknown-value', `graph "${this.graph.name}" has no constant "${name}"`, {
        subject: name,
      })
    }
    initializers.set(name, tensor)
    types.delete(name)
    const index = inputs.findIndex((v) => v.name === name)
    if (index >= 0) inputs[index] = { name, type: tensorType(tensor.dtype, tensor.dims) }
  }

  /** Takes an input out of the graph; one with a default value stays as a constant. */
  removeInput(name: string): void {
    this.#droppedInputs.add(name)
  }

  removeOutput(name: string): void {
    this.#droppedOutputs.add(name)
  }

  /** The graph with all edits made. Throws what `verify` throws, and `graph.rewrite-loop`. */
  apply(options: ApplyOptions = {}): Graph {
    const edited = this.#settled()
    const { nodes, cycle } = orderNodes(edited.nodes)
    const sorted = cycle ? edited : edited.with({ nodes })
    const result = options.keepDead === true || cycle ? withoutStrayTypes(sorted) : withoutDead(sorted)
    verify(result, options)
    return result
  }

  /** All nodes, old and new, with their reads settled, and the outputs under their old names. */
  #settled(): Graph {
    const { graph, builder } = this
    const built = builder.build()
    const inputs = built.inputs.filter((v) => !this.#droppedInputs.has(v.name))
    const kept = graph.nodes.filter((node) => !this.#removed.has(node))
    const old = kept.map((node) => this.#updated.get(node) ?? node)
    const added = built.nodes.slice(graph.nodes.length)
    const defined = definedNames(built.with({ inputs, nodes: [...old, ...added] }))
    const redirect = renamingOf(settleRedirects(this.#redirects))
    const ifGone = (value: string) => (defined.has(value) ? value : redirect(value))
    const nodes = [
      ...old.map((node, i) => withEdges(renameReads(node, redirect), this.#edges.get(kept[i] as Node), ifGone)),
      ...added.map((node) => renameReads(node, ifGone)),
    ]
    const [oldOutputs, newOutputs] = [
      built.outputs.slice(0, graph.outputs.length),
      built.outputs.slice(graph.outputs.length),
    ]
    const outputs = newOutputs.map((v) => ({ ...v, name: ifGone(v.name) }))
    const shown = oldOutputs.filter((v) => !this.#droppedOutputs.has(v.name))
    return keepOutputNames(built.with({ inputs, nodes, outputs }), shown, redirect, (hint) => builder.fresh(hint))
  }
}

/** The node with single inputs exchanged. */
function withEdges(node: Node, edges: ReadonlyMap<number, string> | undefined, ifGone: Renaming): Node {
  if (!edges) return node
  const length = Math.max(node.inputs.length, ...[...edges.keys()].map((i) => i + 1))
  const inputs = Array.from({ length }, (_, i) => {
    const by = edges.get(i)
    return by === undefined ? (node.inputs[i] ?? '') : ifGone(by)
  })
  return { ...node, inputs }
}

/** Where each chain of replacements ends; every link is walked once. */
function settleRedirects(redirects: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const ends = new Map<string, string>()
  for (const start of redirects.keys()) {
    const chain: string[] = []
    const seen = new Set<string>()
    let end = start
    for (let by: string | undefined = start; by !== undefined && !ends.has(end); by = redirects.get(end)) {
      if (seen.has(by)) {
        throw new AlambicError('graph.rewrite-loop', `"${start}" is to be replaced by itself`, { subject: start })
      }
      seen.add(by)
      chain.push(by)
      end = by
    }
    end = ends.get(end) ?? end
    for (const value of chain) ends.set(value, end)
  }
  return ends
}

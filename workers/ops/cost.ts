import { Graph, nodeLabel, subgraphsOf, type LocalFunction, type Node } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { asTensor, type Dim, type Shape } from '../graph/types.ts'
import { isDefaultDomain } from '../graph/schema.ts'
import { AlambicError } from '../protocol/errors.ts'
import { bindDims } from './bind.ts'
import { bytesMoved } from './cost/bytes.ts'
import { macRuleOf } from './cost/macs.ts'
import { weightsOf } from './cost/weights.ts'
import { add, isNumber, multiply, namesOf, substitute } from './dims.ts'
import { inferTypes, whyUnknown } from './infer.ts'
import { functionKey, opsetOf, withArguments } from './infer/session.ts'
import { typeRuleOf } from './shape.ts'
import { Call, type Scope } from './shape/call.ts'

/** What one node costs. A number is undefined where the sizes that it depends on are unknown. */
export interface NodeCost {
  readonly node: string
  readonly op: string
  /** Trainable elements that no earlier node uses. */
  readonly params: number
  /** Multiply-accumulates. */
  readonly macs: number | undefined
  /** Bytes read and written when every tensor is moved once. */
  readonly bytes: number | undefined
}

export interface GraphCost {
  /** Elements of the weights that training would change; a shared one counts once, running statistics never. */
  readonly params: number
  /** Multiply-accumulates of convolutions, matrix products, recurrent layers and attention; elementwise work counts 0. */
  readonly macs: number | undefined
  readonly bytes: number | undefined
  /** The same as formulas of the sizes that are open: `300774272*N`. `'?'` where that is unknown or too long. */
  readonly formulas: { readonly macs: Dim; readonly bytes: Dim }
  readonly nodes: readonly NodeCost[]
  /** Why `macs` is undefined: the nodes that could not be counted, in sentences. */
  readonly unknown: readonly string[]
}

export interface CostOptions {
  readonly functions?: readonly LocalFunction[]
}

/**
 * What a graph costs to run once. `sizes` binds symbolic sizes (`{ N: 8, sequence: 128 }`); a symbolic axis 0 of the
 * inputs that is not bound counts as 1, so that the numbers are those of one sample. An `If` counts its dearer
 * branch, a `Scan` its body once per step, a `Loop` is unknown. Sources for the convention: the counts that papers
 * publish for image classifiers (convolutions and fully connected layers).
 */
export function costOf(graph: Graph, sizes: Readonly<Record<string, Dim>> = {}, options: CostOptions = {}): GraphCost {
  const functions = options.functions ?? []
  const bound = Object.keys(sizes).length > 0 ? bindDims(graph, sizes, { functions }) : inferTypes(graph, { functions })
  const counter = new Counter(functions, oneSample(bound))
  return counter.total(bound)
}

/** Symbolic batch sizes as 1. */
function oneSample(graph: Graph): ReadonlyMap<string, Dim> {
  const batches = graph.requiredInputs.map((v) => asTensor(v.type)?.shape?.[0])
  return new Map(batches.flatMap((d) => (typeof d === 'string' && d !== '?' ? [[d, 1] as const] : [])))
}

interface Amounts {
  readonly macs: Dim
  readonly bytes: Dim
  /** Why `macs` is `'?'`. */
  readonly reasons: readonly string[]
}
interface Row extends Amounts {
  readonly node: Node
  readonly params: number
}

/** Local functions that call each other deeper than this are not followed. */
const MAX_DEPTH = 32

class Counter {
  readonly #functions: ReadonlyMap<string, LocalFunction>
  readonly #defaults: ReadonlyMap<string, Dim>
  /** Weights that were counted. */
  readonly #seen = new Set<Tensor>()
  #depth = 0

  constructor(functions: readonly LocalFunction[], defaults: ReadonlyMap<string, Dim>) {
    this.#functions = new Map(functions.map((f) => [functionKey(f.domain, f.name, f.overload), f]))
    this.#defaults = defaults
  }

  total(graph: Graph): GraphCost {
    const rows = this.#rows(graph, undefined)
    const nodes = rows.map((row) => ({
      node: row.node.name,
      op: row.node.op,
      params: row.params,
      macs: this.#value(row.macs),
      bytes: this.#value(row.bytes),
    }))
    const macs = sum(nodes.map((n) => n.macs))
    return {
      params: rows.reduce((n, row) => n + row.params, 0),
      macs,
      bytes: sum(nodes.map((n) => n.bytes)),
      formulas: {
        macs: rows.reduce<Dim>((n, row) => add(n, row.macs), 0),
        bytes: rows.reduce<Dim>((n, row) => add(n, row.bytes), 0),
      },
      nodes,
      unknown: macs === undefined ? rows.flatMap((row) => this.#complaints(row)) : [],
    }
  }

  /** A formula as a number, one sample at a time. */
  #value(amount: Dim): number | undefined {
    const value = isNumber(amount) ? amount : substitute(amount, this.#defaults)
    return isNumber(value) ? value : undefined
  }

  #complaints({ node, macs, reasons }: Row): readonly string[] {
    if (macs === '?') return reasons.map((reason) => `${nodeLabel(node)}: ${reason}`)
    const open = namesOf(macs).filter((name) => !this.#defaults.has(name))
    return open.map((name) => `${nodeLabel(node)}: the size "${name}" is open; give it a number`)
  }

  #rows(graph: Graph, outer: Scope | undefined): readonly Row[] {
    const scope: Scope = { type: (v) => graph.type(v) ?? outer?.type(v), content: () => undefined }
    return graph.nodes.map((node) => this.#row(node, graph, scope))
  }

  #row(node: Node, graph: Graph, scope: Scope): Row {
    const local = this.#functions.get(functionKey(node.domain, node.op, node.overload))
    const inside = local ? this.#call(local, node, graph, scope) : this.#control(node, graph, scope)
    if (inside) return { node, ...inside }
    const params = this.#paramsOf(graph, node)
    return { node, params, ...this.#amounts(node, graph, scope) }
  }

  #paramsOf(graph: Graph, node: Node): number {
    let params = 0
    for (const { tensor, count } of weightsOf(graph, node)) {
      if (this.#seen.has(tensor)) continue
      this.#seen.add(tensor)
      params += count
    }
    return params
  }

  #amounts(node: Node, graph: Graph, scope: Scope): Amounts {
    const types = (names: readonly string[]) => names.filter((v) => v !== '').map((v) => scope.type(v))
    const bytes = bytesMoved(node.op, types(node.inputs), types(node.outputs))
    const rule = macRuleOf(node.op, node.domain)
    if (!rule) {
      const reason = isDefaultDomain(node.domain) ? undefined : whyUnknown(node)
      return { macs: reason ? '?' : 0, bytes, reasons: reason ? [reason] : [] }
    }
    const c = new Call(node, opsetOf(graph.opsets, node.domain), scope)
    try {
      const macs = rule({ c, out: (i) => shapeOfOutput(c, i, scope) })
      return { macs, bytes, reasons: macs === '?' ? ['the shapes of its inputs or outputs are not known'] : [] }
    } catch (error) {
      if (!(error instanceof AlambicError)) throw error
      return { macs: '?', bytes, reasons: [error.message] }
    }
  }

  // --- graphs inside nodes ------------------------------------------------------------------------------------

  #control(node: Node, graph: Graph, scope: Scope): (Amounts & { params: number }) | undefined {
    const bodies = subgraphsOf(node)
    if (bodies.length === 0) return undefined
    const parts = bodies.map((body) => this.#sum(this.#rows(body.with({ opsets: graph.opsets }), scope)))
    const params = parts.reduce((n, p) => n + p.params, 0)
    if (node.op === 'If') return { ...dearest(parts), params }
    const [body] = parts
    const steps = node.op === 'Scan' ? scanLength(node, scope) : '?'
    const macs = body ? multiply(steps, body.macs) : 0
    const reasons = macs === '?' ? ['how often its body runs is not known'] : []
    return { macs, bytes: body ? multiply(steps, body.bytes) : 0, params, reasons }
  }

  #call(local: LocalFunction, node: Node, graph: Graph, scope: Scope): (Amounts & { params: number }) | undefined {
    if (this.#depth >= MAX_DEPTH)
      return { macs: '?', bytes: '?', params: 0, reasons: ['its function calls go too deep'] }
    this.#depth++
    const given = local.inputs.map((name, i) => [name, node.inputs[i] ?? ''] as const)
    const constants = given.flatMap(([name, value]) => {
      const tensor = graph.initializers.get(value)
      return tensor ? [[name, tensor] as const] : []
    })
    const attributes = { ...local.attributeDefaults, ...node.attributes }
    const body = new Graph({
      inputs: given.flatMap(([name, value]) => {
        const type = scope.type(value)
        return type ? [{ name, type }] : []
      }),
      outputs: local.outputs.map((name) => ({ name, type: { kind: 'unknown' } })),
      nodes: local.nodes.map((inner) => withArguments(inner, attributes)),
      initializers: new Map(constants),
      opsets: local.opsets,
    })
    const total = this.#sum(this.#rows(inferTypes(body, { functions: [...this.#functions.values()] }), undefined))
    this.#depth--
    return total
  }

  #sum(rows: readonly Row[]): Amounts & { params: number } {
    return {
      params: rows.reduce((n, row) => n + row.params, 0),
      macs: rows.reduce<Dim>((n, row) => add(n, row.macs), 0),
      bytes: rows.reduce<Dim>((n, row) => add(n, row.bytes), 0),
      reasons: rows.flatMap((row) => row.reasons),
    }
  }
}

const sum = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce<number | undefined>((n, v) => (n === undefined || v === undefined ? undefined : n + v), 0)

/** The shape of an output, also of one that the node leaves out (present keys of an attention without a cache). */
function shapeOfOutput(c: Call, i: number, scope: Scope): Shape | undefined {
  const known = asTensor(scope.type(c.node.outputs[i] ?? ''))?.shape
  return known ?? asTensor(typeRuleOf(c.node.op, c.node.domain)?.(c)[i])?.shape
}

/** The branch with the most multiply-accumulates, as far as that can be told. */
function dearest(parts: readonly Amounts[]): Amounts {
  const unknown = parts.find((p) => !isNumber(p.macs))
  if (unknown) return unknown
  return parts.reduce((a, b) => (Number(b.macs) > Number(a.macs) ? b : a))
}

function scanLength(node: Node, scope: Scope): Dim {
  const count = node.attributes['num_scan_inputs']
  const first = node.inputs.length - (count?.kind === 'int' ? Number(count.value) : 1)
  const axes = node.attributes['scan_input_axes']
  const axis = axes?.kind === 'ints' ? Number(axes.value[0] ?? 0) : 0
  return asTensor(scope.type(node.inputs[first] ?? ''))?.shape?.at(axis) ?? '?'
}

import { dtypes } from '../../graph/dtype.ts'
import { capturedBy, nodeLabel, type Graph, type Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { asTensor, type Shape } from '../../graph/types.ts'
import { couplingRuleOf } from '../../ops/coupling.ts'
import { Atoms, fixed, isLive, isPeriodic, spread, type Axis, type Product } from '../../ops/coupling/axis.ts'
import { CouplingCall, type Coupled, type CouplingScope, type Role } from '../../ops/coupling/call.ts'
import { inferTypes } from '../../ops/infer.ts'
import { opsetOf } from '../../ops/infer/session.ts'
import { contentOf } from '../../ops/shape/content.ts'
import { constantsToInitializers } from '../simplify/constants.ts'
import { foldShapes } from '../simplify/shapes.ts'

export interface AnalysisOptions {
  /** What goes of multi-head attention: whole heads, or the same elements of every head. */
  readonly attention?: 'heads' | 'dims'
}

/** A constant and the atoms of its axes. Vectors that several nodes share are one constant for each of their uses. */
export interface CoupledConstant {
  readonly name: string
  readonly tensor: Tensor
  readonly axes: readonly Axis[]
  /** The only use that it stands for; all of them when absent. */
  readonly use?: { readonly node: Node; readonly input: number }
}

/** What one axis of a constant is to one node. */
export interface Site {
  readonly node: Node
  readonly input: number
  readonly role: Role
  readonly constant: CoupledConstant
  /** Axis of the constant, which may stand behind a Transpose or a Cast. */
  readonly axis: number
}

/** Two axes that became one, and why. */
export interface Join {
  readonly by: string
  readonly why: string
  readonly atom: number
}

/** Which indices of which axes go together, for a whole graph. */
export interface Coupling {
  /** The graph with its Constant nodes and shape arithmetic as initializers: what is cut. */
  readonly graph: Graph
  readonly atoms: Atoms
  /** Axes of every value by name; constants are apart. */
  readonly values: ReadonlyMap<string, readonly Axis[]>
  readonly constants: readonly CoupledConstant[]
  readonly sites: readonly Site[]
  readonly joins: readonly Join[]
  /** What the rule said of each node. */
  readonly nodes: ReadonlyMap<Node, Coupled>
  constantOf(node: Node, input: number): CoupledConstant | undefined
}

/** The dependency graph of a model (Fang et al. 2023, arXiv:2301.12900, alg. 1): linear in its nodes and channels. */
export function analyse(model: Graph, options: AnalysisOptions = {}): Coupling {
  const plain = inferTypes(constantsToInitializers(model).graph)
  const folded = foldShapes(plain)
  return new Analysis(folded.report.modified ? inferTypes(folded.graph) : plain, options).run()
}

class Analysis implements CouplingScope {
  readonly graph: Graph
  readonly atoms = new Atoms()
  readonly values = new Map<string, readonly Axis[]>()
  readonly #options: AnalysisOptions
  readonly #constants = new Map<string | Node, Map<number, CoupledConstant>>()
  readonly #all: CoupledConstant[] = []
  readonly #rawSites: { node: Node; input: number; roles: readonly (Role | undefined)[] }[] = []
  readonly #products: Product[] = []
  readonly #joins: Join[] = []
  readonly #nodes = new Map<Node, Coupled>()
  readonly #captured = new Set<string>()
  /** Values that depend on constants only: weights on their way to an operator. */
  readonly #derived = new Set<string>()
  #statistics: ReadonlySet<Node> | undefined

  constructor(graph: Graph, options: AnalysisOptions) {
    this.graph = graph
    this.#options = options
    for (const node of graph.nodes) for (const name of capturedBy(node)) this.#captured.add(name)
    for (const { name } of graph.outputs) if (graph.initializers.has(name)) this.#captured.add(name)
  }

  run(): Coupling {
    const { graph, atoms, values } = this
    for (const { name, type } of graph.requiredInputs) {
      const reason = fixed(`it is the input "${name}"`)
      const shape = asTensor(type)?.shape
      if (shape)
        values.set(
          name,
          shape.map(() => reason),
        )
    }
    for (const node of graph.nodes) this.#visit(node)
    for (const { name } of graph.outputs) this.#pinValue(name, `it is the output "${name}"`)
    resolveProducts(this.#products, atoms, this.#options.attention ?? 'heads', this.#joins)
    return {
      graph,
      atoms,
      values,
      constants: this.#all,
      sites: this.#sites(),
      joins: this.#joins,
      nodes: this.#nodes,
      constantOf: (node, input) =>
        this.#constants.get(node)?.get(input) ?? this.#constants.get(node.inputs[input] ?? '')?.get(0),
    }
  }

  #visit(node: Node): void {
    const { graph } = this
    const call = new CouplingCall(node, opsetOf(graph.opsets, node.domain), this)
    const rule = couplingRuleOf(node.op, node.domain)
    const coupled = rule(call)
    this.#nodes.set(node, coupled)
    const isDerived = node.inputs.some((name) => name !== '') && node.inputs.every((name) => this.#isConstant(name))
    if (isDerived) for (const output of node.outputs) this.#derived.add(output)
    node.outputs.forEach((output, k) => {
      if (output === '') return
      const shape = this.outputShape(output)
      const axes = coupled.outputs[k]
      if (!shape) return axes?.forEach((axis) => call.pin(axis, 'the rank of its output is not known'))
      this.values.set(output, this.#checked(call, shape, axes))
      if (this.#captured.has(output)) this.#pinValue(output, 'a branch or loop body reads it')
    })
  }

  /** The axes that a rule gave, as far as they fit the shape. */
  #checked(call: CouplingCall, shape: Shape, axes: readonly Axis[] | undefined): readonly Axis[] {
    return shape.map((dim, k) => {
      const axis = axes?.length === shape.length ? (axes[k] as Axis) : fixed(`${call.label}: its rank is not known`)
      if (!isLive(axis) || axis.length === dim || (typeof dim === 'string' && isPeriodic(axis))) return axis
      call.pin(axis, 'its size is not known')
      return fixed(`${call.label}: its size is not known`)
    })
  }

  #pinValue(name: string, reason: string): void {
    for (const axis of this.values.get(name) ?? []) {
      if (isLive(axis)) for (const atom of axis) this.atoms.pin(atom, reason)
    }
  }

  /** Sites by constant: an axis is found by identity, so also behind operators that only move it. */
  #sites(): Site[] {
    const owners = new Map<Int32Array, { constant: CoupledConstant; axis: number }>()
    for (const constant of this.#all) {
      constant.axes.forEach((axis, k) => isLive(axis) && owners.set(axis, { constant, axis: k }))
    }
    return this.#rawSites.flatMap(({ node, input, roles }) => {
      const axes = this.axesOf(node, input) ?? []
      return roles.flatMap((role, k): Site[] => {
        const axis = axes[k]
        const owner = role && isLive(axis) ? owners.get(axis) : undefined
        return owner && role ? [{ node, input, role, ...owner }] : []
      })
    })
  }

  // --- what rules ask for -------------------------------------------------------------------------------------------

  type(value: string) {
    return this.graph.type(value)
  }

  content(value: string) {
    const tensor = this.graph.initializers.get(value)
    return tensor && contentOf(tensor)
  }

  constant(value: string): Tensor | undefined {
    return this.graph.initializers.get(value)
  }

  outputShape(value: string): Shape | undefined {
    return asTensor(this.graph.type(value))?.shape
  }

  axesOf(node: Node, input: number): readonly Axis[] | undefined {
    const name = node.inputs[input] ?? ''
    const tensor = this.graph.initializers.get(name)
    return tensor ? this.#constant(node, input, name, tensor).axes : this.values.get(name)
  }

  #constant(node: Node, input: number, name: string, tensor: Tensor): CoupledConstant {
    const isMatrix = tensor.dims.filter((d) => d > 1).length > 1
    const [key, at] = isMatrix ? [name, 0] : [node, input]
    const known = this.#constants.get(key) ?? new Map<number, CoupledConstant>()
    this.#constants.set(key, known)
    const existing = known.get(at)
    if (existing) return existing
    const constant = {
      name,
      tensor,
      axes: this.#axesOfConstant(name, tensor),
      ...(isMatrix ? {} : { use: { node, input } }),
    }
    known.set(at, constant)
    this.#all.push(constant)
    return constant
  }

  #axesOfConstant(name: string, tensor: Tensor): readonly Axis[] {
    const isPacked = dtypes[tensor.dtype].bits % 8 !== 0 || tensor.dtype === 'string'
    if (isPacked) return tensor.dims.map(() => fixed(`"${name}" is ${tensor.dtype}, which has no single elements`))
    if (this.#captured.has(name))
      return tensor.dims.map(() => fixed(`a branch, a loop body or an output reads "${name}"`))
    return tensor.dims.map((size) => this.atoms.fresh(size))
  }

  #isConstant(name: string): boolean {
    return name === '' || this.graph.initializers.has(name) || this.#derived.has(name)
  }

  site(node: Node, input: number, roles: readonly (Role | undefined)[]): void {
    if (this.#isConstant(node.inputs[input] ?? '')) this.#rawSites.push({ node, input, roles })
  }

  product(product: Product): void {
    this.#products.push(product)
  }

  isStatistic(node: Node): boolean {
    this.#statistics ??= layerNormMeans(this.graph)
    return this.#statistics.has(node)
  }

  joined(node: Node, why: string, atom: number): void {
    this.#joins.push({ by: nodeLabel(node), why, atom })
  }
}

/**
 * The means of layer normalizations that an exporter wrote out: x − E[x], and the mean of its square. Cutting changes
 * them a little, as it does inside a LayerNormalization.
 */
function layerNormMeans(graph: Graph): ReadonlySet<Node> {
  const means = new Set<Node>()
  const isMean = (node: Node | undefined): node is Node => node?.op === 'ReduceMean'
  for (const node of graph.nodes) {
    const [x = '', m = ''] = node.inputs
    const mean = node.op === 'Sub' ? graph.producer(m) : undefined
    if (!isMean(mean) || mean.inputs[0] !== x) continue
    means.add(mean)
    for (const use of graph.uses(node.outputs[0] ?? '')) {
      if (use.kind !== 'node' || !['Mul', 'Pow'].includes(use.node.op)) continue
      for (const next of graph.uses(use.node.outputs[0] ?? '')) {
        if (next.kind === 'node' && isMean(next.node)) means.add(next.node)
      }
    }
  }
  return means
}

const ONE_FACTOR = 'only one factor of an axis that a reshape splits can be cut'

/** Decides which factor of each product is cut; the others stay whole. */
function resolveProducts(products: readonly Product[], atoms: Atoms, attention: 'heads' | 'dims', joins: Join[]): void {
  for (const { whole, factors } of products.toReversed()) {
    const first = factors.find(isLive)
    // Key-value heads that are repeated for their query heads: the heads come first.
    if (first && whole.some((atom) => atoms.isHead(atom))) for (const atom of first) atoms.markHead(atom)
  }
  const isOpen = (axis: Axis): boolean => isLive(axis) && axis.some((atom) => atoms.reason(atom) === undefined)
  for (const { whole, factors, sizes, by } of products) {
    const open = factors.flatMap((factor, i) => (isOpen(factor) ? [i] : []))
    const chosen = isOpen(whole) ? choose(factors, open, atoms, attention) : undefined
    factors.forEach((factor, i) => {
      if (i !== chosen && isLive(factor)) for (const atom of factor) atoms.pin(atom, `${by}: ${ONE_FACTOR}`)
    })
    const factor = chosen === undefined ? undefined : factors[chosen]
    if (chosen === undefined || !isLive(factor)) {
      for (const atom of whole) atoms.pin(atom, `${by}: ${reasonOf(factors, atoms)}`)
      continue
    }
    spread(factor, sizes, chosen).forEach((atom, i) => atoms.union(atom, whole[i] as number))
    joins.push({ by, why: `its rows are ${sizes.join('·')} elements`, atom: factor[0] ?? 0 })
  }
}

const reasonOf = (factors: readonly Axis[], atoms: Atoms): string => {
  const [first] = factors
  if (first === undefined) return ONE_FACTOR
  return isLive(first) ? (atoms.reason(first[0] ?? 0) ?? ONE_FACTOR) : first.fixed
}

/** Of several factors: heads (or what is in a head), else the innermost, which balances a channel shuffle. */
function choose(
  factors: readonly Axis[],
  open: readonly number[],
  atoms: Atoms,
  attention: 'heads' | 'dims',
): number | undefined {
  const isHead = (i: number) => (factors[i] as Int32Array).some((atom) => atoms.isHead(atom))
  const heads = open.filter(isHead)
  const others = open.filter((i) => !isHead(i))
  if (attention === 'heads' && heads.length > 0) return heads[0]
  return others.at(-1) ?? heads[0]
}

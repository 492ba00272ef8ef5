import { nodeLabel, type Graph, type Node, type Use } from '../../graph/graph.ts'
import { numbersOf } from '../../graph/tensor.ts'
import { isFloat32, quantRuleOf, weightUseOf, type WeightUse } from '../../ops/quant.ts'

export interface PlanOptions {
  /** Activations have their zero in the middle of the range, so a Relu is not absorbed by the clamp. */
  readonly symmetric?: boolean
  /** Nodes that stay in float, by name. */
  readonly exclude?: ReadonlySet<string>
  /** Operators that stay in float. */
  readonly excludeOps?: ReadonlySet<string>
  /** Leave an output of the graph that a Gemm or MatMul computes in float: the integer kernel gives it at no cost. */
  readonly floatOutputs?: boolean
}

/** A constant float32 weight of a quantized layer. */
export interface WeightSite extends WeightUse {
  readonly node: Node
}

/** A constant bias, whose scale follows from the scales of the layer's input and weight. */
export interface BiasSite {
  readonly node: Node
  readonly index: number
  readonly name: string
}

/** Which tensors of a graph are quantized, and which of them have the same scale. */
export interface QuantPlan {
  /** The graph that the plan was made of; ranges are those of its values. */
  readonly source: Graph
  /** The same without the activations that the clamp absorbs: what gets its quantizers. */
  readonly graph: Graph
  /** Every quantized activation with the value whose scale it has: itself, or the one that it is moved from. */
  readonly activations: ReadonlyMap<string, string>
  /** Constants that are operands of quantized additions and the like; they get the activations' type. */
  readonly constants: ReadonlySet<string>
  readonly weights: readonly WeightSite[]
  readonly biases: readonly BiasSite[]
  /** Nodes that compute in integers, in order; what the person calls layers. */
  readonly layers: readonly Node[]
  /** Relu and Clip nodes that the clamp made superfluous. */
  readonly absorbed: readonly string[]
  /** Nodes that multiply by weights and stay in float, with the reason. */
  readonly left: readonly { readonly node: string; readonly reason: string }[]
}

/** The name that a person can exclude a node by. */
export const layerName = (node: Node): string => node.name || node.outputs[0] || node.op

/**
 * Decides what is quantized. Layers that multiply by constant weights come first; then, in order, what works on their
 * results: integer kernels whose every input is quantized, and nodes that only move values, which share the scale.
 * The graph must be simplified, with types inferred and batch normalization folded.
 */
export function planQuantization(graph: Graph, options: PlanOptions = {}): QuantPlan {
  const planner = new Planner(graph, options)
  planner.takeWeighted()
  planner.takeRest()
  return planner.plan()
}

class Planner {
  readonly #graph: Graph
  readonly #options: PlanOptions
  readonly #activations = new Map<string, string>()
  readonly #constants = new Set<string>()
  readonly #weights: WeightSite[] = []
  readonly #biases: BiasSite[] = []
  readonly #layers = new Set<Node>()
  readonly #left: { node: string; reason: string }[] = []
  /** Absorbed node → the value that its producer computes from now on. */
  readonly #absorbed = new Map<Node, string>()

  constructor(graph: Graph, options: PlanOptions) {
    this.#graph = graph
    this.#options = options
  }

  #isExcluded(node: Node): boolean {
    const { exclude, excludeOps } = this.#options
    return exclude?.has(layerName(node)) === true || excludeOps?.has(node.op) === true
  }

  takeWeighted(): void {
    for (const node of this.#graph.nodes) {
      const rule = quantRuleOf(node)
      if (rule.kind !== 'weighted') continue
      const reason = this.#obstacle(node)
      if (reason !== undefined) {
        this.#left.push({ node: nodeLabel(node), reason })
        continue
      }
      this.#layers.add(node)
      const [x = '', w = ''] = node.inputs
      const use = weightUseOf(node, this.#graph)
      if (use) this.#weights.push({ ...use, node })
      else this.#activations.set(w, w)
      const bias = rule.bias === undefined ? '' : (node.inputs[rule.bias] ?? '')
      if (!this.#isQuantized(x)) {
        this.#activations.set(x, x)
        // The scale of a bias follows from that of its input.
        if (use && this.#isVector(bias)) this.#biases.push({ node, index: rule.bias ?? 0, name: bias })
      }
      const [output = ''] = node.outputs
      if (!this.#staysFloat(node, output)) this.#activations.set(output, output)
    }
  }

  /** Whether a value has gone through codes before this pass: in a model of which a part was quantized. */
  #isQuantized(value: string): boolean {
    return this.#graph.producer(value)?.op === 'DequantizeLinear'
  }

  /** Why a node that multiplies can't be quantized; undefined when it can. */
  #obstacle(node: Node): string | undefined {
    if (this.#isExcluded(node)) return 'it was told to stay in float'
    const [x = '', w = ''] = node.inputs
    if (this.#graph.initializers.has(x)) return 'its first operand is a constant'
    if (!isFloat32(this.#graph, x)) return 'its input is not known to be float32'
    if (this.#isQuantized(w)) return 'it is quantized already'
    if (weightUseOf(node, this.#graph)) return undefined
    const isProduct = node.op === 'MatMul' && !this.#graph.initializers.has(w)
    if (!isProduct) return 'its weight is not a float32 constant'
    return isFloat32(this.#graph, w) ? undefined : 'its second operand is not known to be float32'
  }

  #isVector(name: string): boolean {
    const tensor = this.#graph.initializers.get(name)
    return tensor?.dtype === 'f32' && tensor.dims.length === 1
  }

  #staysFloat(node: Node, output: string): boolean {
    const isRead = (use: Use) => use.kind === 'node' && use.node.op === 'QuantizeLinear'
    if (this.#graph.uses(output).length > 0 && this.#graph.uses(output).every(isRead)) return true
    if (!(this.#options.floatOutputs ?? true) || node.op === 'Conv' || node.op === 'ConvTranspose') return false
    const uses = this.#graph.uses(output)
    return uses.length > 0 && uses.every((use) => use.kind === 'output')
  }

  takeRest(): void {
    for (const node of this.#graph.nodes) {
      if (this.#layers.has(node) || this.#isExcluded(node)) continue
      const rule = quantRuleOf(node)
      if (rule.kind === 'compute') this.#compute(node)
      if (rule.kind === 'shares' && (rule.when?.(node, this.#graph) ?? true)) this.#share(node)
      if (rule.kind === 'absorbed') this.#activation(node)
    }
  }

  #compute(node: Node): void {
    const constants = node.inputs.filter((x) => this.#graph.initializers.get(x)?.dtype === 'f32')
    const values = node.inputs.filter((x) => x !== '' && !this.#graph.initializers.has(x))
    if (values.length === 0 || constants.length + values.length < node.inputs.length) return
    if (!values.every((x) => this.#activations.has(x))) return
    this.#layers.add(node)
    constants.forEach((c) => this.#constants.add(c))
    const [output = ''] = node.outputs
    this.#activations.set(output, output)
  }

  #share(node: Node): void {
    const owner = this.#activations.get(node.inputs[0] ?? '')
    if (owner === undefined) return
    for (const output of node.outputs) {
      if (output !== '' && this.#graph.uses(output).length > 0) this.#activations.set(output, owner)
    }
  }

  /** A Relu or Clip: absorbed where the clamp does its work, else quantized on both sides. */
  #activation(node: Node): void {
    const [x = ''] = node.inputs
    const [y = ''] = node.outputs
    if (!this.#activations.has(x)) return
    const producer = this.#graph.producer(x)
    const isLayer = producer !== undefined && this.#layers.has(producer) && this.#activations.get(x) === x
    const isOnlyReader = isLayer && this.#graph.uses(x).length === 1
    this.#activations.set(y, y)
    if (isOnlyReader && !this.#options.symmetric && this.#clampsAtZero(node)) {
      this.#activations.delete(x)
      this.#absorbed.set(node, x)
      return
    }
    this.#layers.add(node)
    // What it cuts off needs no codes.
    if (isOnlyReader) this.#activations.set(x, y)
  }

  /** Quantized ranges always contain 0, so a Clip between two positive numbers can't be told by one. */
  #clampsAtZero(node: Node): boolean {
    if (node.op === 'Relu') return true
    const bound = (index: number, attribute: string): number | undefined => {
      const name = node.inputs[index] ?? ''
      const given = node.attributes[attribute]
      if (name === '') return given?.kind === 'float' ? given.value : 0
      const tensor = this.#graph.initializers.get(name)
      return tensor && numbersOf(tensor)[0]
    }
    const [low, high] = [bound(1, 'min'), bound(2, 'max')]
    return low !== undefined && high !== undefined && low <= 0 && high >= 0
  }

  plan(): QuantPlan {
    const renamed = new Map([...this.#absorbed].map(([node, x]) => [x, node.outputs[0] ?? '']))
    const updated = new Map<Node, Node>()
    const nodes = this.#graph.nodes.flatMap((node) => {
      if (this.#absorbed.has(node)) return []
      if (!node.outputs.some((o) => renamed.has(o))) return [node]
      const changed = { ...node, outputs: node.outputs.map((o) => renamed.get(o) ?? o) }
      updated.set(node, changed)
      return [changed]
    })
    const now = (node: Node): Node => updated.get(node) ?? node
    const types = new Map([...this.#graph.types].filter(([name]) => !renamed.has(name)))
    const layers = new Set([...this.#layers].map(now))
    return {
      source: this.#graph,
      graph: this.#absorbed.size === 0 ? this.#graph : this.#graph.with({ nodes, types }),
      activations: this.#activations,
      constants: this.#constants,
      weights: this.#weights.map((site) => ({ ...site, node: now(site.node) })),
      biases: this.#biases.map((site) => ({ ...site, node: now(site.node) })),
      layers: nodes.filter((node) => layers.has(node)),
      absorbed: [...this.#absorbed.keys()].map(layerName),
      left: this.#left,
    }
  }
}

/** The values whose ranges must be known, in the order in which they are computed. */
export const rangesNeeded = (plan: QuantPlan): readonly string[] => [...new Set(plan.activations.values())]

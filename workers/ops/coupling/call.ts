import type { LooseAttributes, PlainAttributes } from '../../graph/attributes.ts'
import { nodeLabel, type Node } from '../../graph/graph.ts'
import type { OpType } from '../../graph/schema.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { Dim, Shape } from '../../graph/types.ts'
import { Call, type Scope } from '../shape/call.ts'
import { fixed, isLive, type Atoms, type Axis, type Product } from './axis.ts'

/** What an axis of a weight is to the operator that reads it. */
export type Role =
  /** Makes channels: rows of a convolution's or linear layer's weight. */
  | 'out'
  /** Reads channels. */
  | 'in'
  | 'bias'
  /** γ of a normalization. */
  | 'scale'
  /** β of a normalization. */
  | 'shift'
  /** Running mean or variance. */
  | 'statistic'
  /** Recurrent weights: read a hidden unit's last state. */
  | 'recurrent'
  /** Anything else that has an element per channel: slopes, scales of quantization, operands of arithmetic. */
  | 'operand'

/** What a rule needs of the analysis it runs in. */
export interface CouplingScope extends Scope {
  readonly atoms: Atoms
  axesOf(node: Node, input: number): readonly Axis[] | undefined
  constant(value: string): Tensor | undefined
  outputShape(value: string): Shape | undefined
  site(node: Node, input: number, roles: readonly (Role | undefined)[]): void
  product(product: Product): void
  joined(node: Node, why: string, atom: number): void
  /** Whether a mean over channels is part of a normalization that is written out. */
  isStatistic(node: Node): boolean
}

/** What surgery offers a rule that must change its node: which indices stay, and new constants. */
export interface Cut {
  /** Old indices that stay, ascending; undefined when all do. */
  kept(axis: Axis | undefined): readonly number[] | undefined
  /** How many indices stay. */
  size(axis: Axis, old: number): number
  /** Adds an int64 or other constant and returns its name. */
  constant(hint: string, tensor: Tensor): string
  /** A name for a new value. */
  fresh(hint: string): string
}

/** What a rule says of a node. */
export interface Coupled {
  /** Axes of every output. */
  readonly outputs: readonly (readonly Axis[] | undefined)[]
  /** Changes what of the node depends on sizes (`group`, a split's sizes). Its weights are sliced by the caller. */
  readonly cut?: (cut: Cut, node: Node) => readonly Node[]
}

export type CouplingRule<A = LooseAttributes> = (c: CouplingCall<A>) => Coupled
export type CouplingRules = { readonly [Op in OpType]?: CouplingRule<PlainAttributes<Op>> }

/** One operator call as a coupling rule sees it. */
export class CouplingCall<A = LooseAttributes> extends Call<A> {
  readonly #scope: CouplingScope

  constructor(node: Node, opset: number, scope: CouplingScope) {
    super(node, opset, scope)
    this.#scope = scope
  }

  get label(): string {
    return nodeLabel(this.node)
  }

  /** The axes of input `i`; undefined when its rank is unknown or it is absent. */
  axes(i: number): readonly Axis[] | undefined {
    return this.has(i) ? this.#scope.axesOf(this.node, i) : undefined
  }

  axis(i: number, k: number): Axis {
    return this.axes(i)?.at(k) ?? fixed(`${this.label}: the rank of its input is not known`)
  }

  /** The axes of input `i`, or nothing for a barrier when they are unknown. */
  constant(i: number): Tensor | undefined {
    return this.#scope.constant(this.node.inputs[i] ?? '')
  }

  outShape(k = 0): Shape | undefined {
    return this.#scope.outputShape(this.node.outputs[k] ?? '')
  }

  /** New atoms for an axis of a known size; an open one is fixed. */
  fresh(size: Dim | undefined): Axis {
    if (typeof size === 'number') return this.#scope.atoms.fresh(size)
    return fixed(`${this.label}: its size is open`)
  }

  /** As atoms, whatever it is: a fixed axis gets one pinned atom for all its indices. */
  atomsOf(axis: Axis, size: number): Int32Array {
    if (isLive(axis)) return axis
    const [atom = 0] = this.#scope.atoms.fresh(1)
    this.#scope.atoms.pin(atom, axis.fixed)
    return new Int32Array(size).fill(atom)
  }

  pin(axis: Axis | undefined, reason: string): void {
    if (isLive(axis)) for (const atom of axis) this.#scope.atoms.pin(atom, `${this.label}: ${reason}`)
  }

  pinInput(i: number, reason: string): void {
    for (const axis of this.axes(i) ?? []) this.pin(axis, reason)
  }

  markHeads(axis: Axis | undefined): void {
    if (isLive(axis)) for (const atom of axis) this.#scope.atoms.markHead(atom)
  }

  /** Lets two axes be cut only together; returns one of them. `why` names what joins them, for a person. */
  join(a: Axis, b: Axis, why: string): Axis {
    const { atoms } = this.#scope
    if (!isLive(a) || !isLive(b)) {
      const reason = isLive(a) ? (b as { fixed: string }).fixed : (a as { fixed: string }).fixed
      for (const axis of [a, b]) if (isLive(axis)) for (const atom of axis) atoms.pin(atom, reason)
      return fixed(reason)
    }
    if (a.length !== b.length) {
      this.pin(a, 'sizes differ')
      this.pin(b, 'sizes differ')
      return a
    }
    if (a === b) return a
    for (let i = 0; i < a.length; i++) atoms.union(a[i] as number, b[i] as number)
    this.#scope.joined(this.node, why, a[0] ?? 0)
    return a
  }

  get isStatistic(): boolean {
    return this.#scope.isStatistic(this.node)
  }

  joinAll(axes: readonly Axis[], why: string): Axis {
    const [first, ...rest] = axes
    return rest.reduce<Axis>((sum, axis) => this.join(sum, axis, why), first ?? fixed(`${this.label}: nothing to join`))
  }

  /** Says what the axes of a weight are to this node, for scores and explanations. */
  weight(i: number, ...roles: readonly (Role | undefined)[]): void {
    if (this.has(i)) this.#scope.site(this.node, i, roles)
  }

  /** A vector of one element per channel: joined with the channels. */
  perChannel(i: number, channels: Axis, role: Role, why: string): void {
    if (!this.has(i)) return
    const [axis, ...more] = this.axes(i) ?? []
    if (axis && more.length === 0) this.join(axis, channels, why)
    else if (axis) this.pinInput(i, 'not a vector')
    else this.pin(channels, 'a parameter of unknown shape')
    this.weight(i, role)
  }

  product(whole: Int32Array, factors: readonly Axis[], sizes: readonly number[]): void {
    this.#scope.product({ whole, factors, sizes, by: this.label })
  }

  /** Nothing passes: inputs stay whole, outputs too. */
  barrier(reason: string): Coupled {
    this.node.inputs.forEach((_, i) => this.pinInput(i, reason))
    const why = fixed(`${this.label}: ${reason}`)
    return { outputs: this.node.outputs.map((_, k) => this.outShape(k)?.map(() => why)) }
  }
}

import { AlambicError } from '../../protocol/errors.ts'
import type { LooseAttributes, PlainAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import type { OpType } from '../../graph/schema.ts'
import { numbersOf } from '../../graph/tensor.ts'
import type { Emitter } from '../emit.ts'

/** Value names by position. Rules know their operator's arity; `''` is an optional input or output that is absent. */
export type Names = readonly [string, string, string, string, string, string, string, string, ...string[]]

/** What a gradient rule sees of its node. It writes nodes with `g` and returns one gradient per input. */
export interface GradientContext<Op extends string = string> {
  readonly g: Emitter
  readonly node: Node
  readonly attr: Op extends OpType ? PlainAttributes<Op> : LooseAttributes
  readonly inputs: Names
  readonly outputs: Names
  /** First input. */
  readonly x: string
  /** First output. */
  readonly y: string
  /** Gradient of the first output, in its shape; zeros when only other outputs have one. */
  readonly dy: string
  /** Gradients of all outputs; undefined where the loss does not depend on one. */
  readonly grads: readonly (string | undefined)[]
}

/**
 * The vector-Jacobian product of one operator. A gradient may still have the broadcast shape of the output: the
 * caller sums it back to the input's. `undefined` stands for an input that has no gradient (indices, axes).
 */
export type GradientRule<Op extends string = string> = (c: GradientContext<Op>) => readonly (string | undefined)[]

/** No gradient goes through; `blocks` says whether that is an error (it would be wrong) or right (it is zero). */
export interface NoGradient {
  readonly reason: string
  readonly blocks: boolean
  /** Its integers stand for real values, so what depends on them depends on its input. */
  readonly rounds?: true
}

/** Its derivative is zero or does not exist as a number: the gradient stops here, as in every framework. */
export const stops = (reason: string): NoGradient => ({ reason, blocks: false })
/** It has a derivative that Alambic has no rule for: a model can't be trained through it. */
export const unsupported = (reason: string): NoGradient => ({ reason, blocks: true })
/** It rounds activations to integers: stopping there silently would train nothing of what comes before. */
export const rounds = (reason: string): NoGradient => ({ reason, blocks: true, rounds: true })

/** A table of rules for some operators of the default domain; `workers/ops/gradient.ts` joins them into the whole. */
export type GradientTable = { readonly [K in OpType]?: GradientRule<K> | NoGradient }

/** Numbers of a constant input (axes, sizes, pads); an error when it is only known at run time. */
export function constantNumbers(c: GradientContext<string>, index: number): readonly number[] | undefined {
  const name = c.inputs[index]
  if (name === undefined || name === '') return undefined
  const tensor = c.g.initializers.get(name)
  if (tensor) return numbersOf(tensor)
  throw new AlambicError(
    'gradient.not-constant',
    `node "${c.node.name}" (${c.node.op}): input ${index} ("${name}") must be a constant to differentiate through it`,
    { subject: c.node.name, expected: 'a constant', found: 'a value computed at run time' },
  )
}

/** A possibly negative axis as a position. */
export const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

/** [0, n) */
export const range = (n: number): number[] => [...Array(n).keys()]

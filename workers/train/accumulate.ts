import { tensorOf, type Tensor } from '../graph/tensor.ts'
import type { Emitter } from '../ops/emit.ts'
import { ParameterVectors, type Layout } from './layout.ts'
import type { StateSlot } from './step.ts'

/**
 * Gradient accumulation: the batch of a step is taken in `parts` equal parts, one run each, whose gradients are added
 * up before the optimizer moves. Only one part's activations are in memory. The mean of the parts' means is the mean of
 * the batch, so losses that are means over samples have the very gradient of the whole batch; batch normalization is
 * the exception, for its statistics are those of a part.
 */
export interface Accumulation {
  readonly parts: number
  /** True in the last part of a step: then the state moves. */
  readonly last: string
}

const SUM = 'grads'

/** The scalar input that is 1 in the last part of a step, else 0. */
const LAST = 'hyper.last'

/** Declares what the parts of a step need; undefined where a step is one run. */
export const accumulation = (g: Emitter, parts: number): Accumulation | undefined =>
  parts === 1 ? undefined : { parts, last: g.greater(g.input(LAST, 'f32', []), 0) }

/** The value of that input in a part, counted from 0. */
export const lastOf = (parts: number, part: number): Record<string, Tensor> =>
  parts === 1 ? {} : { [LAST]: tensorOf('f32', [], Float32Array.of(part === parts - 1 ? 1 : 0)) }

/** The mean gradient of the parts so far, and the state that carries their sum on, which starts anew after the last. */
export function accumulated(
  g: Emitter,
  { parts, last }: Accumulation,
  { vector, i, own }: { readonly vector: Layout; readonly i: number; readonly own: string },
): { readonly grads: string; readonly state: StateSlot } {
  const input = g.input(ParameterVectors.nameOf(SUM, i), 'f32', vector.dims)
  const grads = g.add(input, g.mul(own, 1 / parts))
  const initial = tensorOf('f32', vector.dims, new Float32Array(vector.size))
  return { grads, state: { input, output: g.where(last, 0, grads), initial } }
}

/** State that moves in the last part of a step, and stays what it was in the others. */
export const movedLast = (g: Emitter, { last }: Accumulation, slots: readonly StateSlot[]): readonly StateSlot[] =>
  slots.map((slot) => ({ ...slot, output: g.where(last, slot.output, slot.input) }))

/** A part of a batch: rows of axis 0. Values without a batch axis are the same in all parts. */
export function partOf(tensor: Tensor, parts: number, part: number): Tensor {
  const [rows, ...rest] = tensor.dims
  if (parts === 1 || rows === undefined) return tensor
  const size = tensor.bytes.byteLength / parts
  return {
    dtype: tensor.dtype,
    dims: [rows / parts, ...rest],
    bytes: tensor.bytes.subarray(part * size, (part + 1) * size),
  }
}

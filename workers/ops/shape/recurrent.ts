import { tensorType, type Dim } from '../../graph/types.ts'
import { floorDivide, isNumber, unify } from '../dims.ts'
import type { Call, OutputTypes, TypeRules } from './call.ts'

export interface RecurrentAttributes {
  readonly direction?: string | undefined
  readonly hidden_size?: number | undefined
  readonly layout?: number | undefined
}

/** Directions, time, batch and hidden size of a recurrent layer. */
export interface RecurrentSizes {
  readonly directions: number
  readonly time: Dim
  readonly batch: Dim
  readonly hidden: Dim
}

/**
 * X is [time, batch, input] (layout 0) or [batch, time, input] (layout 1); W is [directions, gates·hidden, input] and
 * R [directions, gates·hidden, hidden].
 */
export function recurrentSizes<A extends RecurrentAttributes>(c: Call<A>, gates: number): RecurrentSizes {
  const swapped = (c.attr.layout ?? 0) !== 0
  const hidden = c.attr.hidden_size ?? unify(c.dim(2, 2), floorDivide(c.dim(1, 1), gates)) ?? '?'
  const input = unify(c.dim(0, 2), c.dim(1, 2))
  if (input === undefined) {
    throw c.contradiction(
      `its weight is made for ${c.dim(1, 2)} inputs, its data has ${c.dim(0, 2)}`,
      `${c.dim(1, 2)}`,
      `${c.dim(0, 2)}`,
    )
  }
  if (isNumber(hidden) && isNumber(c.dim(2, 2)) && hidden !== c.dim(2, 2)) {
    throw c.contradiction(`hidden_size=${hidden} differs from its recurrence weight`, `${c.dim(2, 2)}`, `${hidden}`)
  }
  return {
    directions: c.attr.direction === 'bidirectional' ? 2 : 1,
    time: c.dim(0, swapped ? 1 : 0),
    batch: c.dim(0, swapped ? 0 : 1),
    hidden,
  }
}

/** Y (all steps) and the last state, one or two of it. */
const recurrent =
  (gates: number) =>
  <A extends RecurrentAttributes>(c: Call<A>): OutputTypes => {
    const { directions, time, batch, hidden } = recurrentSizes(c, gates)
    const swapped = (c.attr.layout ?? 0) !== 0
    const state = tensorType(c.dtype(0), swapped ? [batch, directions, hidden] : [directions, batch, hidden])
    const all = swapped ? [batch, time, directions, hidden] : [time, directions, batch, hidden]
    return [tensorType(c.dtype(0), all), state, state]
  }

export const recurrentLayers = {
  LSTM: recurrent(4),
  GRU: recurrent(3),
  RNN: recurrent(1),
} satisfies TypeRules

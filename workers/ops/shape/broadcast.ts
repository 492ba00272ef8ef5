import type { Dim, Shape } from '../../graph/types.ts'
import { equal, isNumber } from '../dims.ts'
import type { Call } from './call.ts'
import { spellShape } from './call.ts'

/** Two sizes broadcast together; undefined when they cannot be. */
export function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === 1) return b
  if (b === 1 || (a === b && a !== '?')) return a
  if (isNumber(a)) return isNumber(b) ? undefined : a
  if (isNumber(b)) return b
  return equal(a, b) === true ? a : '?'
}

/** Shapes broadcast together as numpy does; undefined when they cannot be. */
export function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a]
  const offset = long.length - short.length
  const dims: Dim[] = []
  for (const [i, d] of long.entries()) {
    const dim = i < offset ? d : broadcastDim(d, short[i - offset] ?? 1)
    if (dim === undefined) return undefined
    dims.push(dim)
  }
  return dims
}

/** The broadcast shape of several inputs, undefined when one is unknown; throws when two cannot be broadcast. */
export function broadcastInputs<A>(c: Call<A>, inputs: readonly number[]): Shape | undefined {
  let result: Shape | undefined = []
  for (const i of inputs) {
    const shape = c.shape(i)
    if (!shape || !result) return undefined
    const next = broadcastShapes(result, shape)
    if (!next) {
      throw c.contradiction(
        `its inputs cannot be broadcast together`,
        `sizes that are equal or 1, counted from the last`,
        inputs.map((j) => spellShape(c.shape(j))).join(' and '),
      )
    }
    result = next
  }
  return result
}

/** The first known dtype among inputs that must all have one. */
export const sharedDtype = <A>(c: Call<A>, inputs: readonly number[]) => {
  for (const i of inputs) {
    const dtype = c.dtype(i)
    if (dtype) return dtype
  }
  return undefined
}

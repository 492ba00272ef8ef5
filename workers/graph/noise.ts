import type { Value } from './graph.ts'
import { gaussian, type Random } from './random.ts'
import { sizeOf, tensorOf, type Tensor } from './tensor.ts'
import { asTensor, staticShape } from './types.ts'

export interface NoiseOptions {
  /** The generator of a value, by its name: one for all of them, or one for each. */
  readonly random: (name: string) => Random
  /** The element `i` of a value of whole numbers, a label. */
  readonly label: (i: number) => number
}

/** What inputs of fixed shapes may be fed: normal values for those of f32, labels for those of i64. */
export function noiseFor(values: readonly Value[], { random, label }: NoiseOptions): Record<string, Tensor> {
  return Object.fromEntries(
    values.map(({ name, type }): [string, Tensor] => {
      const dims = staticShape(type) ?? []
      const length = sizeOf(dims)
      if (asTensor(type)?.dtype === 'i64') {
        const labels = BigInt64Array.from({ length }, (_, i) => BigInt(label(i)))
        return [name, tensorOf('i64', dims, labels)]
      }
      const own = random(name)
      const normal = Float32Array.from({ length }, () => gaussian(own))
      return [name, tensorOf('f32', dims, normal)]
    }),
  )
}

import { gaussian, hashSeed, mulberry32 } from '../graph/random.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, staticShape } from '../graph/types.ts'
import type { StepGraph } from '../train/step.ts'

/** Noise for every batch input of a step graph, each from its own name; labels count through the classes. */
export function stepFeeds(step: StepGraph, classes: number): Record<string, Tensor> {
  const batch = step.batch.map(({ name, type }): [string, Tensor] => {
    const random = mulberry32(hashSeed(name))
    const dims = staticShape(type) ?? []
    const length = sizeOf(dims)
    return asTensor(type)?.dtype === 'i64'
      ? [
          name,
          tensorOf(
            'i64',
            dims,
            BigInt64Array.from({ length }, (_, i) => BigInt(i % classes)),
          ),
        ]
      : [
          name,
          tensorOf(
            'f32',
            dims,
            Float32Array.from({ length }, () => gaussian(random)),
          ),
        ]
  })
  const masks = step.masks.map(({ input, dims }): [string, Tensor] => [
    input,
    tensorOf('u8', dims, new Uint8Array(sizeOf(dims)).fill(1)),
  ])
  return Object.fromEntries([...batch, ...masks])
}

/** ‖a − b‖ / ‖b‖ of two f32 tensors. */
export function distance(a: Tensor, b: Tensor): number {
  const [x, y] = [arrayOf(a) as Float32Array, arrayOf(b) as Float32Array]
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0))
  return norm(x.map((v, i) => v - (y[i] as number))) / Math.max(1e-8, norm(y))
}

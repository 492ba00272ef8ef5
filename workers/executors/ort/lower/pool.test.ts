import { describe, expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../../graph/random.ts'
import { parse } from '../../../graph/parse.ts'
import { arrayOf, f32, sizeOf, type Tensor } from '../../../graph/tensor.ts'
import { inferTypes } from '../../../ops/infer.ts'
import { largestDifference } from '../../../testing/onnxruntime.ts'
import { referenceExecutor } from '../../reference/index.ts'
import type { Executor, Tensors } from '../../executor.ts'
import { ortCpu } from '../executor.ts'
import { lowerForOrtCpu } from '../lower.ts'

const DIMS = [2, 32, 6, 8]

/** A max-pool of [2, 32, 6, 8] and its gradient. */
const pooling = (attributes: string, pooled: readonly number[]) =>
  inferTypes(
    parse(
      `graph (x: f32[${DIMS.join(', ')}], dy: f32[${pooled.join(', ')}]) -> (y: f32, dx: f32) opset 18, ai.alambic 1 {
      y = MaxPool(x) {${attributes}}
      dx = ai.alambic.MaxPoolGrad(dy, x, y) {${attributes}}
    }`,
    ),
  )

const noise = (dims: readonly number[], seed: number): Tensor => {
  const random = mulberry32(seed)
  return f32(
    Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
    dims,
  )
}

async function runOn(executor: Executor, graph: ReturnType<typeof pooling>, feeds: Tensors) {
  const program = await executor.compile(graph)
  try {
    const { y, dx } = await program.run(feeds)
    return { y: arrayOf(y as Tensor) as Float32Array, dx: arrayOf(dx as Tensor) as Float32Array }
  } finally {
    await program.dispose()
  }
}

describe('max-pooling in training', () => {
  test.each([
    ['windows that tile the image', 'kernel_shape=[2, 2], strides=[2, 2]', [2, 32, 3, 4]],
    ['windows that are not square', 'kernel_shape=[3, 2], strides=[3, 2]', [2, 32, 2, 4]],
    ['windows that overlap', 'kernel_shape=[3, 3], strides=[2, 2]', [2, 32, 2, 3]],
    ['windows that leave a row out', 'kernel_shape=[4, 2], strides=[4, 2]', [2, 32, 1, 4]],
    ['windows over padding', 'kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1]', [2, 32, 4, 5]],
  ])('equals the reference where %s', async (_what, attributes, pooled) => {
    const graph = pooling(attributes, pooled)
    const feeds = { x: noise(DIMS, 1), dy: noise(pooled, 2) }
    const [found, expected] = [await runOn(ortCpu, graph, feeds), await runOn(referenceExecutor, graph, feeds)]
    expect(found.y).toEqual(expected.y)
    expect(largestDifference([...expected.dx], [...found.dx])).toBeLessThan(1e-6)
  })

  test('gives equal maxima of a window its gradient once, whoever gets how much', async () => {
    const pooled = [2, 32, 3, 4]
    const graph = pooling('kernel_shape=[2, 2], strides=[2, 2]', pooled)
    const x = f32(
      Array.from({ length: sizeOf(DIMS) }, (_, i) => (i * 7) % 3),
      DIMS,
    )
    const dy = noise(pooled, 3)
    const { y, dx } = await runOn(ortCpu, graph, { x, dy })
    const [values, grads] = [arrayOf(x) as Float32Array, arrayOf(dy) as Float32Array]
    grads.forEach((grad, i) => {
      const [column, row] = [2 * (i % 4), 2 * Math.floor(i / 4)]
      const window = [0, 1, 8, 9].map((offset) => row * 8 + column + offset)
      expect(window.reduce((sum, at) => sum + (dx[at] as number), 0)).toBeCloseTo(grad, 6)
      for (const at of window) if (values[at] !== y[i]) expect(Math.abs(dx[at] as number)).toBe(0)
    })
  })

  test('stays in the blocked layout from a pool to its gradient', () => {
    const graph = lowerForOrtCpu(pooling('kernel_shape=[2, 2], strides=[2, 2]', [2, 32, 3, 4]), 16)
    const count = (op: string) => graph.nodes.filter((node) => node.op === op).length
    // x and dy come in plain, y and dx leave so: x is blocked once for both, y not at all.
    expect([count('ReorderInput'), count('ReorderOutput'), count('MaxUnpool')]).toEqual([2, 2, 0])
  })
})

import { describe, expect, test } from 'vitest'
import { makeSplit, Preprocessing } from '../../datasets/index.ts'
import { ortCpu } from '../../executors/ort/executor.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { f32, numbersOf, type Tensor } from '../../graph/tensor.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { cut } from '../../passes/prune/cut.ts'
import { groupsOf } from '../../passes/prune/groups.ts'
import { LeastSquares } from '../../passes/prune/least-squares.ts'
import { largestDifference, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { randomGraph } from '../../testing/pruning.ts'
import { reconstruct } from './reconstruct.ts'

test('least squares finds the weights that made the data', () => {
  const random = mulberry32(1)
  const truth = [
    [1, -2],
    [0.5, 3],
    [4, 0],
  ]
  const system = new LeastSquares(3, 2)
  for (let k = 0; k < 20; k++) {
    const x = Float64Array.from({ length: 3 }, () => gaussian(random))
    system.add(
      x,
      Float64Array.from([0, 1], (c) => truth.reduce((s, row, i) => s + (row[c] as number) * (x[i] as number), 0)),
    )
  }
  expect(system.rows).toBe(20)
  ;[...system.solve(0)].forEach((v, i) => expect(v).toBeCloseTo(truth.flat()[i] as number, 9))
})

/** A copy of a tensor whose row `to` is row `from`, negated and doubled. */
function doubled(tensor: Tensor, from: number, to: number): Tensor {
  const values = Float32Array.from(numbersOf(tensor))
  const size = values.length / (tensor.dims[0] as number)
  for (let i = 0; i < size; i++) values[to * size + i] = 2 * (values[from * size + i] as number)
  return f32(values, tensor.dims)
}

describe('a channel that another one can stand in for', () => {
  const split = makeSplit(
    {
      sample: { dims: [3, 6, 6], dtype: 'f32' },
      data: Float32Array.from(
        { length: 32 * 108 },
        (
          (random) => () =>
            gaussian(random)
        )(mulberry32(5)),
      ),
    },
    'samples',
  )
  const base = randomGraph(`graph (x: f32[N,3,6,6]) -> (y: f32) opset 17 {
    const w: f32[4,3,3,3] = 1 const b: f32[4] = 1 c = Conv(x, w, b) r = Relu(c)
    const u: f32[5,4,3,3] = 1 const v: f32[5] = 1 d = Conv(r, u, v) {strides=[2,2], pads=[1,1,1,1]} s = Relu(d)
    f = Flatten(s) const z: f32[20,3] = 1 g = MatMul(f, z) const o: f32[3,2] = 1 const p: f32[2] = 1 y = Gemm(g, o, p) }`)
  const initializers = new Map(base.initializers)
  for (const name of ['w', 'b']) initializers.set(name, doubled(initializers.get(name) as Tensor, 1, 2))
  const graph = base.with({ initializers })
  const x = {
    dtype: 'f32',
    dims: [32, 3, 6, 6],
    bytes: new Uint8Array((split.data as Float32Array).slice().buffer),
  } as const

  test('is made up for: the outputs are what they were', async () => {
    const groups = groupsOf(analyse(graph))
    const removal = new Map([[0, [2]]])
    const after = cut(groups, removal)
    const fitted = await reconstruct(
      { groups, removal },
      after,
      split,
      Preprocessing.parse({ scale: 1 }),
      { executor: ortCpu, threads: 1 },
      { samples: 32, batch: 16, seed: 3 },
    )
    const of = async (g: typeof graph) => (await runInOnnxruntime(g, { x }))['y']?.values ?? []
    const [expected, without, found] = [await of(graph), await of(after), await of(fitted.graph)]
    expect(largestDifference(expected, without)).toBeGreaterThan(0.5)
    expect(largestDifference(expected, found)).toBeLessThan(0.02)
    const [layer] = fitted.layers
    expect(layer?.layer).toBe('d')
    expect(layer?.before).toBeGreaterThan(0.05)
    expect(layer?.after).toBeLessThan(1e-5)
    expect(fitted.skipped).toEqual([])
  })
})

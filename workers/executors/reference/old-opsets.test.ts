import { sizeOf } from '../../graph/tensor.ts'
import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { evaluate } from './evaluate.ts'
import { floatArray, type NdArray } from './value.ts'

const count = (...dims: number[]): NdArray => {
  const size = sizeOf(dims)
  return floatArray(
    'f32',
    dims,
    Float64Array.from({ length: size }, (_, i) => i),
  )
}

/** What a node puts out at an opset for x = 0, 1, 2 … of a shape. */
function at(opset: number, dims: number[], node: string): { dims: readonly number[]; values: number[] } {
  const graph = parse(`graph (x) -> (y) { ${node} }`).with({ opsets: new Map([['', opset]]) })
  const y = evaluate(graph, { x: count(...dims) })['y'] as NdArray
  return { dims: y.dims, values: Array.from(y.data as Float64Array) }
}

describe('forms of operators before opset 13', () => {
  test('Softmax flattens from its axis on', () => {
    const { values } = at(9, [2, 2, 2], 'y = Softmax(x)')
    expect(values.slice(0, 4).reduce((a, b) => a + b)).toBeCloseTo(1, 6)
    expect(values[3]).toBeCloseTo(Math.E ** 3 / (1 + Math.E + Math.E ** 2 + Math.E ** 3), 6)
    expect(at(13, [2, 2, 2], 'y = Softmax(x)').values[3]).toBeCloseTo(Math.E / (1 + Math.E), 6)
  })

  test('Slice, Pad, Clip, Squeeze, Unsqueeze and reductions by attribute', () => {
    expect(at(9, [2, 4], 'y = Slice(x) {starts=[1], ends=[-1], axes=[1]}')).toEqual({
      dims: [2, 2],
      values: [1, 2, 5, 6],
    })
    expect(at(10, [1, 2], 'y = Pad(x) {pads=[0,1,0,0], value=9.0}')).toEqual({ dims: [1, 3], values: [9, 0, 1] })
    expect(at(10, [4], 'y = Clip(x) {min=1.0, max=2.0}').values).toEqual([1, 1, 2, 2])
    expect(at(11, [1, 2, 1], 'y = Squeeze(x) {axes=[0]}').dims).toEqual([2, 1])
    expect(at(11, [2], 'y = Unsqueeze(x) {axes=[0,2]}').dims).toEqual([1, 2, 1])
    expect(at(11, [2, 3], 'y = ReduceSum(x) {axes=[1], keepdims=0}').values).toEqual([3, 12])
  })

  test('TopK and Split by attribute', () => {
    expect(at(9, [1, 4], 'y, i = TopK(x) {k=2}').values).toEqual([3, 2])
    expect(at(11, [4], 'a, y = Split(x) {split=[1,3]}').values).toEqual([1, 2, 3])
  })

  test('Upsample, and Resize with scales second', () => {
    expect(at(7, [1, 1, 1, 2], 'y = Upsample(x) {scales=[1.0,1.0,2.0,2.0], mode="nearest"}')).toEqual({
      dims: [1, 1, 2, 4],
      values: [0, 0, 1, 1, 0, 0, 1, 1],
    })
    expect(at(10, [4], 'y = Resize(x, s) const s: f32[1] = 0.5').values).toEqual([0, 2])
  })

  test('BatchNormalization with one output uses the running statistics', () => {
    const node = 'y = BatchNormalization(x, one, one, one, one) {epsilon=0.0} const one: f32[1] = 1'
    expect(at(9, [1, 1, 3], node).values).toEqual([0, 1, 2])
  })

  test('Dropout is the identity, and its mask had the type of the data', () => {
    expect(at(7, [3], 'y, m = Dropout(x) {ratio=0.9}').values).toEqual([0, 1, 2])
    expect(at(7, [2], 'd, y = Dropout(x)').values).toEqual([1, 1])
  })

  test('GroupNormalization had a scale for each group until opset 21', () => {
    const node = (n: number) =>
      `y = GroupNormalization(x, s, b) {num_groups=2} const s: f32[${n}] = 2 const b: f32[${n}] = 1`
    expect(at(18, [1, 4, 2], node(2))).toEqual(at(21, [1, 4, 2], node(4)))
  })
})

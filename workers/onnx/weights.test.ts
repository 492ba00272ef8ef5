import { expect, test } from 'vitest'
import { f32, tensorOf } from '../graph/tensor.ts'
import * as p from './corpus/proto.ts'
import { decodeModel, nonFiniteIn } from './index.ts'
import { findWeights } from './weights.ts'

test('NaN and infinity are counted in every format that has them', () => {
  expect(nonFiniteIn(f32([1, NaN, Infinity, -Infinity, -NaN, 3e38]))).toEqual({ nan: 2, infinite: 2 })
  expect(nonFiniteIn(tensorOf('f64', [3], Float64Array.of(NaN, 1, -Infinity)))).toEqual({ nan: 1, infinite: 1 })
  expect(nonFiniteIn(tensorOf('f16', [4], Uint16Array.of(0x7c00, 0xfc01, 0x7bff, 0xfc00)))).toEqual({
    nan: 1,
    infinite: 2,
  })
  expect(nonFiniteIn(tensorOf('bf16', [3], Uint16Array.of(0x7f80, 0xffc0, 0x7f7f)))).toEqual({ nan: 1, infinite: 1 })
  expect(nonFiniteIn(tensorOf('f8e5m2', [3], Uint8Array.of(0x7c, 0xfd, 0x7b)))).toEqual({ nan: 1, infinite: 1 })
  expect(nonFiniteIn(tensorOf('i32', [1], Int32Array.of(0x7fc00000)))).toEqual({ nan: 0, infinite: 0 })
})

test('the last element of a big tensor at an odd address is looked at', () => {
  const buffer = new Uint8Array(4 * 50_000 + 1)
  const bytes = buffer.subarray(1)
  new DataView(bytes.buffer, 1).setFloat32(4 * 49_999, NaN, true)
  expect(nonFiniteIn({ dtype: 'f32', dims: [50_000], bytes })).toEqual({ nan: 1, infinite: 0 })
})

test('warnings name the initializer or the node, in subgraphs too', () => {
  const bad = p.floats(4, [NaN, Infinity])
  const constant = (name: string) =>
    p.node('Constant', [], [name], p.text(3, name), p.attribute('value', 4, p.message(5, p.tensor(1, [2], '', bad))))
  const body = p.message(6, p.message(1, constant('inner')))
  const loop = p.node('Loop', ['x'], ['z'], p.attribute('body', 5, body))
  const model = decodeModel(
    p.relu(p.message(5, p.tensor(1, [2], 'w', bad)), p.message(1, constant('c')), p.message(1, loop)),
  )
  expect(findWeights(model).map(({ code, message }) => `${code}: ${message}`)).toMatchInlineSnapshot(`
    [
      "onnx.nan-weights: initializer "w" has 1 NaN among 2 values",
      "onnx.infinite-weights: initializer "w" has 1 infinite among 2 values",
      "onnx.nan-weights: the tensor of node "c" (Constant) has 1 NaN among 2 values",
      "onnx.infinite-weights: the tensor of node "c" (Constant) has 1 infinite among 2 values",
      "onnx.nan-weights: the tensor of node "inner" (Constant) has 1 NaN among 2 values",
      "onnx.infinite-weights: the tensor of node "inner" (Constant) has 1 infinite among 2 values",
    ]
  `)
})

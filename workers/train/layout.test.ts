import { expect, test } from 'vitest'
import { arrayOf, f32, tensorOf } from '../graph/tensor.ts'
import { Layout, ParameterVectors } from './layout.ts'

const LARGE = 2 ** 16

test('small parameters share a vector, large ones have their own', () => {
  const large = tensorOf('f32', [256, 256], new Float32Array(LARGE).fill(7))
  const parameters = new ParameterVectors(
    new Map([
      ['a', f32([1, 2])],
      ['w', large],
      ['b', f32([3], [1, 1])],
    ]),
  )
  expect(parameters.vectors.map((vector) => vector.slots.map(({ name, offset }) => [name, offset]))).toEqual([
    [
      ['a', 0],
      ['b', 2],
    ],
    [['w', 0]],
  ])
  expect(parameters.size).toBe(LARGE + 3)
  const state = { 'state.params': f32([4, 5, 6]), 'state.params.1': tensorOf('f32', [LARGE], new Float32Array(LARGE)) }
  const tensors = parameters.unpack(state, 'params')
  expect([...tensors].map(([name, { dims }]) => [name, dims])).toEqual([
    ['a', [2]],
    ['b', [1, 1]],
    ['w', [256, 256]],
  ])
  expect(arrayOf(tensors.get('a') ?? large)).toEqual(Float32Array.of(4, 5))
})

test('a model of large parameters only begins with one of them', () => {
  const parameters = new ParameterVectors(new Map([['w', tensorOf('f32', [LARGE], new Float32Array(LARGE))]]))
  expect(parameters.vectors.length).toBe(1)
  expect(parameters.unpack({ 'state.ema': tensorOf('f32', [LARGE], new Float32Array(LARGE)) }, 'ema').has('w')).toBe(
    true,
  )
})

test('a tensor that is alone keeps its shape in the vector', () => {
  const alone = new Map([['w', tensorOf('f32', [2, 3], Float32Array.from([1, 2, 3, 4, 5, 6]))]])
  const packed = new Layout(alone).pack(alone)
  expect(packed.dims).toEqual([2, 3])
  expect(new Layout(alone).unpack(packed)).toEqual(alone)
})

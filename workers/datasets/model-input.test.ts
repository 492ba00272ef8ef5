import { describe, expect, test } from 'vitest'
import { preprocessorFor } from './model-input.ts'
import { Preprocessing } from './preprocessing.ts'
import type { Dim } from '../graph/types.ts'
import type { Sample } from './types.ts'

const mnist = { id: 'mnist', sample: { height: 28, width: 28, channels: 1 } }
const cifar = { id: 'cifar-10', sample: { height: 32, width: 32, channels: 3 } }
const input = (...dims: Dim[]) => ({ name: 'x', dims, dtype: 'f32' as const })

describe('preprocessing for a model', () => {
  test.each([
    [['N', 784], { layout: 'flat' }],
    [['N', 1, 28, 28], { layout: 'NCHW' }],
    [[1, 28, 28, 1], { layout: 'NHWC' }],
    [['N', 28, 28], { layout: 'NHW' }],
    [['N', 'c', 'h', 'w'], { layout: 'NCHW' }],
    [['N', 1, 32, 32], { layout: 'NCHW', resize: { height: 32, width: 32, fit: 'fill', filter: 'bilinear' } }],
    [['N', 1, 14, 28], { layout: 'NCHW', resize: { height: 14, width: 28, fit: 'cover', filter: 'bilinear' } }],
  ] as const)('of MNIST with an input %j', (dims, expected) => {
    const preprocessing = preprocessorFor(mnist, input(...dims))
    expect(preprocessing).toMatchObject({ ...expected, mean: [0], std: [1], dtype: 'f32' })
    expect('resize' in preprocessing).toBe('resize' in expected)
  })
  test('takes the preset of the data set and the element type of the input', () => {
    expect(preprocessorFor(cifar, input('N', 3, 32, 32))).toMatchObject({ mean: [0.485, 0.456, 0.406] })
    expect(preprocessorFor(mnist, { ...input('N', 1, 28, 28), dtype: 'f16' })).toMatchObject({ dtype: 'f16' })
    expect(preprocessorFor(cifar, { ...input('N', 3, 32, 32), dtype: 'u8' })).toMatchObject({
      dtype: 'u8',
      scale: 1,
      mean: [0],
    })
    expect(preprocessorFor(cifar, { name: 'x' })).toMatchObject({ layout: 'NCHW' })
  })
  test('names both sides where channels or sizes do not fit', () => {
    const channels = () => preprocessorFor(mnist, input('N', 3, 32, 32))
    expect(channels).toThrow(expect.objectContaining({ code: 'data.shape', subject: 'x' }))
    expect(channels).toThrow(`the images of "mnist" have 1 channels, and the model's input "x" takes 3`)
    expect(channels).toThrow(expect.objectContaining({ fix: expect.stringContaining('rgb') as string }))
    expect(() => preprocessorFor(cifar, input('N', 784))).toThrow(
      expect.objectContaining({ code: 'data.shape', expected: '[N, 784]', found: '[N, 3072] from "cifar-10"' }),
    )
    expect(() => preprocessorFor(cifar, input('N', 32, 32))).toThrow(expect.objectContaining({ code: 'data.shape' }))
    expect(() => preprocessorFor(mnist, input('N', 1, 1, 28, 28))).toThrow(
      expect.objectContaining({ code: 'data.shape' }),
    )
    expect(() => preprocessorFor(mnist, input('N'))).toThrow(expect.objectContaining({ code: 'data.shape' }))
  })
  test('that is given is checked', () => {
    const colour = Preprocessing.parse({ colour: 'rgb', resize: { height: 32, width: 32 } })
    expect(preprocessorFor(mnist, input('N', 3, 32, 32), colour)).toBe(colour)
    expect(() => preprocessorFor(mnist, input('N', 3, 28, 28), colour)).toThrow(
      expect.objectContaining({ expected: '[N, 3, 28, 28]', found: '[N, 3, 32, 32] from "mnist"' }),
    )
  })
  test('of tensors passes them on, flat if the model wants that', () => {
    const tensors = (sample: Sample) => ({ id: 't', sample })
    const floats = tensors({ dims: [2, 3], dtype: 'f32' })
    expect(preprocessorFor(floats, input('N', 2, 3))).toMatchObject({ scale: 1, dtype: 'f32' })
    expect(preprocessorFor(floats, input('N', 6))).toMatchObject({ layout: 'flat' })
    expect(() => preprocessorFor(floats, input('N', 3, 2))).toThrow(expect.objectContaining({ code: 'data.shape' }))
    expect(() => preprocessorFor(floats, { ...input('N', 2, 3), dtype: 'i64' })).toThrow(
      expect.objectContaining({ code: 'data.shape' }),
    )
    const words = tensors({ dims: [8], dtype: 'i32' })
    expect(preprocessorFor(words, { ...input('N', 'length'), dtype: 'i64' })).toMatchObject({ dtype: 'i64' })
  })
})

import { describe, expect, test } from 'vitest'
import { numberToHalf } from '../graph/tensor.ts'
import { mulberry32 } from '../graph/random.ts'
import { compilePipeline } from './pipeline.ts'
import { Augmentation, Preprocessing, presets, settingsHash } from './preprocessing.ts'
import { resizer } from './resize.ts'
import type { Sample } from './types.ts'

/** What one sample becomes. */
function feed(sample: Sample, data: number[], settings: object, augmentation: object = {}, seed = 1) {
  const array = 'height' in sample || sample.dtype === 'u8' ? Uint8Array.from(data) : Float32Array.from(data)
  const pipeline = compilePipeline(sample, Preprocessing.parse(settings), Augmentation.parse(augmentation))
  const out = pipeline.allocate(1)
  pipeline.write(array, 0, out, 0, mulberry32(seed))
  return { dims: pipeline.dims, values: Array.from(out, Number), out }
}

const rgb = { height: 1, width: 2, channels: 3 }
const raw = { scale: 1 }

describe('preprocessing', () => {
  test('has layouts and colours', () => {
    const pixels = [1, 2, 3, 4, 5, 6]
    expect(feed(rgb, pixels, raw)).toMatchObject({ dims: [3, 1, 2], values: [1, 4, 2, 5, 3, 6] })
    expect(feed(rgb, pixels, { ...raw, layout: 'NHWC' })).toMatchObject({ dims: [1, 2, 3], values: pixels })
    expect(feed(rgb, pixels, { ...raw, layout: 'flat' })).toMatchObject({ dims: [6], values: [1, 4, 2, 5, 3, 6] })
    expect(feed(rgb, pixels, { ...raw, colour: 'bgr' }).values).toEqual([3, 6, 2, 5, 1, 4])
    expect(feed(rgb, pixels, { ...raw, colour: 'bgr', layout: 'NHWC' }).values).toEqual([3, 2, 1, 6, 5, 4])
    const gray = { height: 1, width: 2, channels: 1 }
    expect(feed(gray, [7, 8], { ...raw, colour: 'rgb' })).toMatchObject({ dims: [3, 1, 2], values: [7, 8, 7, 8, 7, 8] })
    expect(feed(gray, [7, 8], { ...raw, layout: 'NHW' })).toMatchObject({ dims: [1, 2], values: [7, 8] })
  })
  test('makes gray of colours as Pillow does', () => {
    const four = { height: 1, width: 4, channels: 3 }
    const pixels = [255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 77]
    expect(feed(four, pixels, { ...raw, colour: 'gray' })).toMatchObject({
      dims: [1, 1, 4],
      values: [76, 150, 29, 130],
    })
  })
  test('scales and normalizes each channel of the model', () => {
    const { values } = feed({ height: 1, width: 1, channels: 3 }, [255, 0, 128], presets['cifar-10'])
    const expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225]
    values.forEach((v, i) => expect(v).toBeCloseTo(expected[i] ?? NaN, 6))
  })
  test('puts out float16 and whole numbers', () => {
    const gray = { height: 1, width: 2, channels: 1 }
    expect(feed(gray, [0, 255], { dtype: 'f16' }).values).toEqual([0, numberToHalf(1)])
    expect(feed(gray, [3, 255], { ...raw, dtype: 'u8' }).out).toEqual(Uint8Array.of(3, 255))
    expect(feed(gray, [3, 255], { ...raw, dtype: 'i64' }).out).toEqual(BigInt64Array.of(3n, 255n))
    expect(Preprocessing.safeParse({ dtype: 'u8' }).error?.issues[0]?.path).toEqual(['dtype'])
  })
  test('of tensors scales, and knows channels if they come first', () => {
    const sample = { dims: [2, 2], dtype: 'f32' } as const
    expect(feed(sample, [1, 2, 3, 4], { scale: 2, mean: [1], std: [2] })).toMatchObject({
      dims: [2, 2],
      values: [0.5, 1.5, 2.5, 3.5],
    })
    expect(feed(sample, [1, 2, 3, 4], { ...raw, mean: [0, 3], layout: 'flat' })).toMatchObject({
      dims: [4],
      values: [1, 2, 0, 1],
    })
    expect(() => feed(sample, [1, 2, 3, 4], { ...raw, colour: 'bgr' })).toThrow(
      expect.objectContaining({ code: 'data.not-images' }),
    )
    expect(() => feed(sample, [1, 2, 3, 4], raw, { flip: 0.5 })).toThrow(
      expect.objectContaining({ code: 'data.not-images' }),
    )
  })
  test('that does not fit the images is refused', () => {
    expect(() => feed(rgb, [], { mean: [1, 2] })).toThrow(
      expect.objectContaining({ code: 'data.channels', found: '[1, 2]' }),
    )
    expect(() => feed(rgb, [], { layout: 'NHW' })).toThrow(expect.objectContaining({ code: 'data.layout' }))
    expect(() => feed(rgb, [], { crop: { height: 2, width: 2 } })).toThrow(
      expect.objectContaining({ code: 'data.crop' }),
    )
    expect(Preprocessing.safeParse({ colours: 'rgb' }).success).toBe(false)
  })
  test('is data with a hash that does not depend on the order of its keys', () => {
    const a = Preprocessing.parse({ mean: [0.5], crop: { height: 2, width: 3 } })
    const b = Preprocessing.parse(JSON.parse('{"crop":{"width":3,"height":2},"mean":[0.5]}'))
    expect(settingsHash(b)).toBe(settingsHash(a))
    expect(settingsHash(Preprocessing.parse({}))).not.toBe(settingsHash(a))
    expect(settingsHash(Preprocessing.parse(JSON.parse(JSON.stringify(a))))).toBe(settingsHash(a))
  })
})

describe('resizing', () => {
  /** 6×5 bytes, and what Pillow 12 made of them with `resize((width, height), BILINEAR)`. */
  const image = [
    [207, 21, 45, 60, 46], [205, 222, 149, 10, 24], [85, 110, 159, 122, 67],
    [40, 177, 188, 8, 29], [115, 100, 227, 132, 107], [110, 170, 150, 44, 188],
  ].flat() // prettier-ignore
  const from = { height: 6, width: 5, channels: 1 }
  const resize = (height: number, width: number, filter: 'bilinear' | 'nearest' = 'bilinear') => {
    const out = new Uint8Array(height * width)
    resizer(from, { height, width, filter, fit: 'fill' })(Uint8Array.from(image), 0, out)
    return [...out]
  }

  test.each([
    [4, 3, [159, 77, 39, 135, 139, 59, 102, 156, 61, 126, 149, 123]],
    [2, 2, [138, 69, 132, 114]],
  ])('to %d×%d is within one of Pillow, which rounds twice', (height, width, expected) => {
    resize(height, width).forEach((v, i) => expect(Math.abs(v - (expected[i] ?? NaN))).toBeLessThanOrEqual(1))
  })
  test('enlarges between half-pixel centres, as Pillow', () => {
    const top = resize(9, 8).slice(0, 16)
    const expected = [207, 126, 23, 38, 50, 59, 52, 46, 206, 169, 120, 105, 78, 39, 35, 35]
    top.forEach((v, i) => expect(Math.abs(v - (expected[i] ?? NaN))).toBeLessThanOrEqual(1))
  })
  test('to the nearest pixel is as Pillow', () => {
    expect(resize(4, 3, 'nearest')).toEqual([207, 45, 46, 85, 159, 67, 40, 188, 29, 110, 150, 188])
  })
  test('to the same size changes nothing', () => expect(resize(6, 5)).toEqual(image))
  test('covers, contains or fills', () => {
    const wide = { height: 2, width: 4, channels: 1 }
    const pixels = [1, 2, 3, 4, 5, 6, 7, 8]
    const square = (fit: string) => feed(wide, pixels, { ...raw, resize: { height: 2, width: 2, fit } }).values
    expect(square('cover')).toEqual([2, 3, 6, 7])
    expect(
      feed(wide, pixels, { ...raw, resize: { height: 4, width: 4, fit: 'contain', filter: 'nearest' } }).values,
    ).toEqual([0, 0, 0, 0, ...pixels, 0, 0, 0, 0])
    expect(square('fill').every((v) => v > 0)).toBe(true)
  })
})

describe('augmentation', () => {
  const size = { height: 3, width: 3, channels: 1 }
  const image = [1, 2, 3, 4, 5, 6, 7, 8, 9]
  const variants = (augmentation: object, settings: object = raw): Set<string> =>
    new Set(Array.from({ length: 400 }, (_, seed) => feed(size, image, settings, augmentation, seed).values.join(' ')))

  test('mirrors with its chance', () => {
    expect(variants({ flip: 1 })).toEqual(new Set(['3 2 1 6 5 4 9 8 7']))
    expect(variants({ flip: 0 })).toEqual(new Set([image.join(' ')]))
    expect(variants({ flip: 0.5 })).toEqual(new Set([image.join(' '), '3 2 1 6 5 4 9 8 7']))
  })
  test('pads and crops to all places, with zeros or reflected pixels', () => {
    const zero = variants({ padCrop: { pad: 1 } })
    expect(zero.size).toBe(9)
    expect(zero).toContain('0 0 0 0 1 2 0 4 5')
    expect(zero).toContain('5 6 0 8 9 0 0 0 0')
    const reflected = variants({ padCrop: { pad: 1, mode: 'reflect' } })
    expect(reflected.size).toBe(9)
    expect(reflected).toContain('5 4 5 2 1 2 5 4 5')
    expect(() => variants({ padCrop: { pad: 3, mode: 'reflect' } })).toThrow(
      expect.objectContaining({ code: 'data.pad' }),
    )
  })
  test('blanks a square around any pixel, with what becomes the mean', () => {
    expect(variants({ cutout: { size: 1 } }).size).toBe(9)
    const corner = '0 0 3 0 0 6 7 8 9'
    expect(variants({ cutout: { size: 3 } })).toContain(corner)
    const blank = feed(size, image, { mean: [0.5], std: [0.1] }, { cutout: { size: 6 } })
    expect(Math.min(...blank.values.map(Math.abs))).toBeLessThan(0.02)
  })
  test('crops at random places in training, in the centre else', () => {
    const crop = { height: 1, width: 1, at: 'random' }
    expect(variants({}, { ...raw, crop }).size).toBe(9)
    const still = compilePipeline(size, Preprocessing.parse({ ...raw, crop }), {}, false)
    const out = still.allocate(1)
    still.write(Uint8Array.from(image), 0, out, 0, mulberry32(1))
    expect([...out]).toEqual([5])
    expect(still.repeats).toBe(true)
  })
  test('never changes the stored samples', () => {
    const data = Uint8Array.from(image)
    const all = Augmentation.parse({ flip: 0.5, padCrop: { pad: 1 }, cutout: { size: 2 } })
    const pipeline = compilePipeline(size, Preprocessing.parse({}), all)
    for (let seed = 0; seed < 50; seed++) pipeline.write(data, 0, pipeline.allocate(1), 0, mulberry32(seed))
    expect([...data]).toEqual(image)
    expect(pipeline.repeats).toBe(false)
  })
})

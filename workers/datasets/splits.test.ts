import { describe, expect, test } from 'vitest'
import { subset, take, withSplits } from './splits.ts'
import { makeDataset, makeSplit, type Split } from './types.ts'

/** One pixel per image, its own position; a third of the samples of class 1, the rest of class 0. */
function counted(count: number): Split {
  const sample = { height: 1, width: 1, channels: 1 }
  const labels = Int32Array.from({ length: count }, (_, i) => (i % 3 === 2 ? 1 : 0))
  return makeSplit({ sample, data: Uint8Array.from({ length: count }, (_, i) => i), labels }, 'counted')
}

const dataset = (splits: { train: Split; test?: Split; validation?: Split }) =>
  makeDataset({ id: 'd', title: 'D', classes: ['0', '1'], splits })

const of = (split: Split | undefined): number[] => [...(split?.data ?? [])]
const share = (split: Split | undefined): number => (split?.labels ?? new Int32Array()).filter((l) => l === 1).length

describe('validation', () => {
  test('is kept out of training, with the classes in their shares, the same for the same seed', () => {
    const whole = dataset({ train: counted(90), test: counted(9) })
    const { train, validation, test } = withSplits(whole, { validation: 0.1, seed: 7 }).splits
    expect([train?.count, validation?.count, test?.count]).toEqual([81, 9, 9])
    expect(share(validation)).toBe(3)
    expect([...of(train), ...of(validation)].toSorted((a, b) => a - b)).toEqual(of(whole.splits.train))
    expect(of(withSplits(whole, { validation: 9, seed: 7 }).splits.validation)).toEqual(of(validation))
    expect(of(withSplits(whole, { validation: 9, seed: 8 }).splits.validation)).not.toEqual(of(validation))
  })
  test('that the data has is not taken again', () => {
    const own = dataset({ train: counted(9), validation: counted(3) })
    expect(withSplits(own, { validation: 2 }).splits).toMatchObject({ train: { count: 9 }, validation: { count: 3 } })
  })
  test.each([9, 10, 1.5, 0.01])('of %d from 9 samples is refused', (validation) => {
    expect(() => withSplits(dataset({ train: counted(9) }), { validation })).toThrow(
      expect.objectContaining({ code: 'data.validation', found: String(validation) }),
    )
  })
})

describe('limits', () => {
  test('cut down training, or any split, before validation is taken', () => {
    const whole = dataset({ train: counted(90), test: counted(30) })
    expect(withSplits(whole, { limit: 30 }).splits).toMatchObject({ train: { count: 30 }, test: { count: 30 } })
    const cut = withSplits(whole, { limit: { train: 30, test: 6 }, validation: 0.2 }).splits
    expect([cut.train?.count, cut.validation?.count, cut.test?.count]).toEqual([24, 6, 6])
    expect([share(cut.train), share(cut.validation), share(cut.test)]).toEqual([8, 2, 2])
    expect(withSplits(whole, { limit: 1000 }).splits.train?.count).toBe(90)
  })
  test('keep the order in storage', () => {
    const positions = of(subset(counted(90), 20, 1))
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
    expect(new Set(positions).size).toBe(20)
  })
  test.each([0, -1, 2.5])('of %d are refused', (limit) => {
    expect(() => withSplits(dataset({ train: counted(9) }), { limit })).toThrow(
      expect.objectContaining({ code: 'data.limit' }),
    )
  })
})

describe('a split', () => {
  test('of targets and tensors can be taken from', () => {
    const split = makeSplit(
      {
        sample: { dims: [2], dtype: 'f32' },
        data: Float32Array.of(1, 2, 3, 4, 5, 6),
        targets: { dims: [1], data: Float32Array.of(10, 20, 30) },
      },
      'x',
    )
    const taken = take(split, Int32Array.of(2, 0))
    expect(taken.data).toEqual(Float32Array.of(5, 6, 1, 2))
    expect(taken.targets).toEqual({ dims: [1], data: Float32Array.of(30, 10) })
  })
  test('has a hash that changes with samples, labels and shape', () => {
    const sample = { height: 1, width: 2, channels: 1 }
    const content = { sample, data: Uint8Array.of(1, 2, 3, 4), labels: Int32Array.of(0, 1) }
    const hashes = [
      content,
      { ...content, data: Uint8Array.of(1, 2, 3, 5) },
      { ...content, labels: Int32Array.of(1, 1) },
      { ...content, sample: { height: 2, width: 1, channels: 1 } },
      { sample, data: content.data },
    ].map((c) => makeSplit(c, 'x').hash)
    expect(new Set(hashes).size).toBe(5)
    expect(makeSplit(content, 'y').hash).toBe(hashes[0])
    expect(hashes[0]).toMatch(/^[0-9a-f]{64}$/)
  })
  test('of no samples, or of parts of samples, is refused', () => {
    const sample = { height: 1, width: 2, channels: 1 }
    expect(() => makeSplit({ sample, data: Uint8Array.of(1, 2, 3) }, 'x')).toThrow(
      expect.objectContaining({ code: 'data.size' }),
    )
    const none = makeSplit({ sample, data: new Uint8Array(), labels: new Int32Array() }, 'x')
    expect(() => dataset({ train: none })).toThrow(expect.objectContaining({ code: 'data.empty' }))
    expect(() => makeDataset({ id: 'd', title: 'D', splits: {} })).toThrow(
      expect.objectContaining({ code: 'data.empty' }),
    )
  })
})

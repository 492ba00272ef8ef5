import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { arrayOf, numbersOf } from '../graph/tensor.ts'
import { evaluationLoader, Loader, type Batch } from './loader.ts'
import { openDataset } from './open.ts'
import { permutation } from './order.ts'
import { Augmentation, Preprocessing, presets } from './preprocessing.ts'
import { makeSplit, type Split } from './types.ts'

const run = promisify(execFile)
const everything = Augmentation.parse({ flip: 0.5, padCrop: { pad: 4 }, cutout: { size: 8 } })

let mnist: Split
beforeAll(async () => {
  mnist = (await openDataset('mnist')).splits.test as Split
})

const hash = (batch: Batch): string => createHash('sha256').update(batch.x.bytes).update(batch.indices).digest('hex')

describe('the order', () => {
  test('is a permutation that depends on seed and epoch', () => {
    const order = permutation(1000, 3, 5)
    expect([...order].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(permutation(1000, 3, 5)).toEqual(order)
    expect(permutation(1000, 3, 6)).not.toEqual(order)
    expect(permutation(1000, 4, 5)).not.toEqual(order)
    expect(permutation(1, 1, 1)).toEqual(Int32Array.of(0))
    expect(permutation(0, 1, 1)).toEqual(new Int32Array())
  })
  test('puts every element everywhere equally often', () => {
    const counts = Array.from({ length: 16 }, () => 0)
    for (let epoch = 0; epoch < 8000; epoch++) {
      const at = permutation(4, 1, epoch).indexOf(0)
      const cell = 4 * at + (epoch % 4)
      counts[cell] = (counts[cell] ?? 0) + 1
    }
    // Expected 500 with a standard deviation of 19.4; five of them.
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(97)
  })
  test('and all pixels are the same in another process, and after a resume', async () => {
    const options = { batch: 64, seed: 11, augmentation: everything, dropLast: true }
    const loader = new Loader(mnist, options)
    const hashes = []
    for (let step = 150; step < 160; step++) hashes.push(hash(await loader.batchAt(step)))
    const resumed = new Loader(mnist, options)
    expect(hash(await resumed.batchAt(157))).toBe(hashes[7])
    const script = `
      import { createHash } from 'node:crypto'
      import { Loader, openDataset } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
      const split = (await openDataset('mnist')).splits.test
      const loader = new Loader(split, ${JSON.stringify(options)})
      for (let step = 150; step < 160; step++) {
        const { x, indices } = await loader.batchAt(step)
        console.log(createHash('sha256').update(x.bytes).update(indices).digest('hex'))
      }`
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
    expect(stdout.trim().split('\n')).toEqual(hashes)
  })
})

describe('batches', () => {
  test('of an epoch hold every sample once, and the next epoch has another order', async () => {
    const loader = new Loader(mnist, { batch: 128, seed: 1, dropLast: false })
    expect(loader.stepsPerEpoch).toBe(79)
    const seen: number[][] = [[], []]
    for (const epoch of [0, 1]) for await (const { indices } of loader.epoch(epoch)) seen[epoch]?.push(...indices)
    expect(new Set(seen[0]).size).toBe(10_000)
    expect(new Set(seen[1]).size).toBe(10_000)
    expect(seen[0]).not.toEqual(seen[1])
    expect((await loader.batchAt(78)).indices).toHaveLength(16)
    expect(new Loader(mnist, { batch: 128, dropLast: true }).stepsPerEpoch).toBe(78)
  })
  test('hold images, labels and positions that belong together', async () => {
    const loader = new Loader(mnist, { batch: 3, seed: 1, preprocessing: presets['mnist-standard'], labels: 'i32' })
    const { x, labels, indices } = await loader.batchAt(5)
    expect([x.dtype, x.dims, labels?.dtype, labels?.dims]).toEqual(['f32', [3, 1, 28, 28], 'i32', [3]])
    expect(labels && numbersOf(labels)).toEqual(Array.from(indices, (i) => mnist.labels?.[i]))
    const first = mnist.data.subarray((indices[1] ?? 0) * 784, ((indices[1] ?? 0) + 1) * 784)
    const expected = Float32Array.from(first, (byte) => (byte / 255 - 0.1307) / 0.3081)
    ;(arrayOf(x) as Float32Array).subarray(784, 1568).forEach((v, i) => expect(v).toBeCloseTo(expected[i] ?? NaN, 6))
  })
  test('for measuring are in order, without anything random', async () => {
    const preprocessing = Preprocessing.parse({ crop: { height: 20, width: 20, at: 'random' } })
    const loader = evaluationLoader(mnist, { batch: 4096, preprocessing })
    const { x, labels, indices } = await loader.batchAt(2)
    expect([x.dims, labels?.dtype]).toEqual([[1808, 1, 20, 20], 'i64'])
    expect([indices[0], indices.at(-1)]).toEqual([8192, 9999])
    expect(loader.inputsRepeat).toBe(true)
    expect(new Loader(mnist, { batch: 4, preprocessing }).inputsRepeat).toBe(false)
  })
  test('may use the memory of another, and be made ahead', async () => {
    const options = { batch: 100, seed: 2, augmentation: everything }
    const loader = new Loader(mnist, options)
    const fresh = hash(await loader.batchAt(7))
    const used = await loader.batchAt(3)
    const again = await loader.batchAt(7, used)
    expect(again.x.bytes.buffer).toBe(used.x.bytes.buffer)
    expect(hash(again)).toBe(fresh)
    loader.prefetch(7)
    loader.prefetch(7)
    expect(hash(await loader.batchAt(3))).not.toBe(fresh)
    expect(hash(await loader.batchAt(7))).toBe(fresh)
  })
  test('of unlabelled samples have no labels, of targets their targets', async () => {
    const sample = { dims: [2], dtype: 'i32' } as const
    const data = Int32Array.of(1, 2, 3, 4)
    const plain = await new Loader(makeSplit({ sample, data }, 'x'), { batch: 2, shuffle: false }).batchAt(0)
    expect(Object.keys(plain)).toEqual(['x', 'indices'])
    expect([plain.x.dtype, numbersOf(plain.x)]).toEqual(['i32', [1, 2, 3, 4]])
    const targets = { dims: [1], data: Float32Array.of(0.5, 0.25) }
    const { targets: t } = await new Loader(makeSplit({ sample, data, targets }, 'x'), {
      batch: 2,
      shuffle: false,
    }).batchAt(0)
    expect(t && [t.dims, numbersOf(t)]).toEqual([
      [2, 1],
      [0.5, 0.25],
    ])
  })
  test('that can not be are refused', async () => {
    expect(() => new Loader(mnist, { batch: 0 })).toThrow(expect.objectContaining({ code: 'data.batch' }))
    const loader = new Loader(mnist, { batch: 20_000, dropLast: true })
    await expect(loader.batchAt(0)).rejects.toMatchObject({
      code: 'data.step',
      expected: 'a batch of at most 10000 samples',
    })
    await expect(new Loader(mnist, { batch: 2 }).batchAt(-1)).rejects.toMatchObject({ code: 'data.step', found: '-1' })
  })
})

test('what happens to a sample depends on seed, epoch and sample, not on its batch', async () => {
  const pixels = async (batch: number, epoch: number, seed = 5): Promise<string> => {
    const loader = new Loader(mnist, { batch, seed, augmentation: everything, dropLast: false })
    for await (const { x, indices } of loader.epoch(epoch)) {
      const at = indices.indexOf(42)
      if (at >= 0)
        return createHash('sha256')
          .update(x.bytes.subarray(at * 3136, (at + 1) * 3136))
          .digest('hex')
    }
    throw new Error('sample 42 is in no batch')
  }
  expect(await pixels(1000, 0)).toBe(await pixels(3333, 0))
  expect(await pixels(1000, 0)).not.toBe(await pixels(1000, 1))
  expect(await pixels(1000, 0)).not.toBe(await pixels(1000, 0, 6))
})

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openDataset } from '../open.ts'
import { datasets, isDatasetPresent } from '../registry.ts'
import { readIdx } from './idx.ts'

function idx(dims: number[], data: readonly number[], type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length)
  header.set([0, 0, type, dims.length])
  dims.forEach((d, i) => header.writeUInt32BE(d, 4 + 4 * i))
  return Buffer.concat([header, Buffer.from(data)])
}

function folder(files: Record<string, Uint8Array>): string {
  const path = mkdtempSync(join(tmpdir(), 'alambic-idx-'))
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes)
  return path
}

const images = idx([2, 1, 2], [1, 2, 3, 4])
const labels = idx([2], [1, 0])

describe('IDX files', () => {
  test('are read with their type, plain and gzipped', async () => {
    expect(await readIdx(images, 'a')).toEqual({ file: 'a', dims: [2, 1, 2], data: Uint8Array.of(1, 2, 3, 4) })
    expect((await readIdx(gzipSync(images), 'a')).data).toEqual(Uint8Array.of(1, 2, 3, 4))
    expect((await readIdx(idx([2], [255, 2], 9), 'a')).data).toEqual(Int32Array.of(-1, 2))
    expect((await readIdx(idx([1], [255, 2], 0xb), 'a')).data).toEqual(Int32Array.of(-254))
    expect((await readIdx(idx([1], [0, 0, 1, 2], 0xc), 'a')).data).toEqual(Int32Array.of(258))
    expect((await readIdx(idx([1], [0x3f, 0x80, 0, 0], 0xd), 'a')).data).toEqual(Float32Array.of(1))
    expect((await readIdx(idx([1], [0x40, 0, 0, 0, 0, 0, 0, 0], 0xe), 'a')).data).toEqual(Float32Array.of(2))
  })
  test('that are damaged say where and how', async () => {
    const faults: [Uint8Array, object][] = [
      [
        images.subarray(0, -1),
        { code: 'data.idx-size', subject: 'a, row 1', expected: '20 bytes for 2×1×2', found: '19 bytes' },
      ],
      [Buffer.concat([images, Buffer.from([0])]), { code: 'data.idx-size', found: '21 bytes' }],
      [images.subarray(0, 7), { code: 'data.idx-size', expected: 'a header of 16 bytes', found: '7 bytes' }],
      [Buffer.alloc(0), { code: 'data.idx-magic', found: '0 bytes' }],
      [Buffer.from([1, 0, 8, 1, 0, 0, 0, 0]), { code: 'data.idx-magic', found: '0x01000801' }],
      [Buffer.from([0, 0, 7, 1, 0, 0, 0, 0]), { code: 'data.idx-magic' }],
      [idx([2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1], []), { code: 'data.idx-size' }],
      [gzipSync(images).subarray(0, 20), { code: 'data.gzip' }],
    ]
    for (const [bytes, fault] of faults) await expect(readIdx(bytes, 'a')).rejects.toMatchObject(fault)
  })
})

describe('folders of IDX files', () => {
  test('have the splits that their names say', async () => {
    const data = await openDataset(
      folder({
        'train-images-idx3-ubyte': images,
        'train-labels-idx1-ubyte': labels,
        't10k-images.idx3-ubyte.gz': gzipSync(idx([1, 1, 2], [9, 9])),
        't10k-labels.idx1-ubyte.gz': gzipSync(idx([1], [2])),
      }),
    )
    expect(data).toMatchObject({
      kind: 'images',
      sample: { height: 1, width: 2, channels: 1 },
      classes: ['0', '1', '2'],
    })
    expect(data.splits.train).toMatchObject({ count: 2, labels: Int32Array.of(1, 0) })
    expect(data.splits.test).toMatchObject({ count: 1, labels: Int32Array.of(2) })
  })
  test('may have no labels', async () => {
    const path = folder({ 'train-images-idx3-ubyte': images })
    for (const reference of [path, join(path, 'train-images-idx3-ubyte')]) {
      const data = await openDataset(reference)
      expect(data.splits.train?.count).toBe(2)
      expect(data.splits.train?.labels).toBeUndefined()
      expect(data.classes).toBeUndefined()
    }
  })
  test('with faults between the files are refused', async () => {
    const few = folder({ 'train-images-idx3-ubyte': images, 'train-labels-idx1-ubyte': idx([1], [1]) })
    await expect(openDataset(few)).rejects.toMatchObject({
      code: 'data.count',
      subject: 'train-images-idx3-ubyte, row 1',
      expected: '2 labels, one for each sample',
      found: '1',
    })
    const alone = folder({ 'train-labels-idx1-ubyte': labels })
    await expect(openDataset(alone)).rejects.toMatchObject({
      code: 'data.missing-file',
      expected: 'train-images-idx3-ubyte',
    })
    const swapped = folder({ 'train-images-idx3-ubyte': images, 'train-labels-idx1-ubyte': images })
    await expect(openDataset(swapped)).rejects.toMatchObject({
      code: 'data.labels',
      found: 'integers of shape [2, 1, 2]',
    })
    const negative = folder({ 'train-images-idx3-ubyte': images, 'train-labels-idx1-ubyte': idx([2], [1, 255], 9) })
    await expect(openDataset(negative)).rejects.toMatchObject({ code: 'data.label-range', found: '-1' })
  })
})

describe('MNIST', () => {
  test('comes with the install and is the data it should be', async () => {
    const data = await openDataset('MNIST')
    expect(data).toMatchObject({
      id: 'mnist',
      kind: 'images',
      sample: { height: 28, width: 28, channels: 1 },
      warnings: [],
    })
    expect(data.splits.train?.count).toBe(60_000)
    expect(data.splits.test?.count).toBe(10_000)
    expect([...(data.splits.train?.labels?.subarray(0, 5) ?? [])]).toEqual([5, 0, 4, 1, 9])
    expect(data.hash).toBe(datasets['mnist']?.sha256)
  })
})

describe('Fashion-MNIST', () => {
  test.skipIf(!isDatasetPresent('fashion-mnist'))(
    'is the data it should be (skipped where it is not added)',
    async () => {
      const data = await openDataset('fashion')
      expect(data.classes?.[data.splits.train?.labels?.[0] ?? 0]).toBe('Ankle boot')
      expect(data.hash).toBe(datasets['fashion-mnist']?.sha256)
    },
  )
})

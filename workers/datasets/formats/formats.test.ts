import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { openDataset } from '../open.ts'
import { datasets, isDatasetPresent } from '../registry.ts'
import { makeDataset, makeSplit } from '../types.ts'
import { readClassJson } from './class-json.ts'
import { readPacked, writePacked } from './packed.ts'

function folder(files: Record<string, Uint8Array | string>): string {
  const path = mkdtempSync(join(tmpdir(), 'alambic-formats-'))
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes)
  return path
}

describe('tables', () => {
  const open = async (text: string) => openDataset(join(folder({ 'a.csv': text }), 'a.csv'))

  test('with a header have their label where it is called so', async () => {
    const data = await open('label,a,b\n1,2,3\n0,4,5.5\n\n')
    expect(data).toMatchObject({ kind: 'tensors', sample: { dims: [2], dtype: 'f32' }, classes: ['0', '1'] })
    expect(data.splits.train).toMatchObject({ data: Float32Array.of(2, 3, 4, 5.5), labels: Int32Array.of(1, 0) })
  })
  test('with words as labels have classes in the order of the words', async () => {
    const data = await open('5.1,3.5,"setosa, wild"\r\n6.2,2.9,"a ""b"""\r\n')
    expect(data.classes).toEqual(['a "b"', 'setosa, wild'])
    expect(data.splits.train?.labels).toEqual(Int32Array.of(1, 0))
  })
  test('with fractions as answers have targets', async () => {
    const data = await open('a,target\n1,0.5\n2,-3\n')
    expect(data.classes).toBeUndefined()
    expect(data.splits.train?.targets).toEqual({ dims: [1], data: Float32Array.of(0.5, -3) })
  })
  test('in a folder are splits with one list of classes', async () => {
    const data = await openDataset(folder({ 'train.csv': '1,no\n2,yes\n', 'test.csv': '3,yes\n' }))
    expect(data.splits.test?.labels).toEqual(Int32Array.of(1))
  })
  test.each([
    ['1,2,0\n1,0\n', { code: 'data.ragged', expected: '3 columns, like the first line', found: '2 columns' }],
    ['1,2,0\n1,,0\n', { code: 'data.number', expected: 'a number in column 2', found: 'nothing' }],
    ['1,2,0\n1,x,0\n', { code: 'data.number', found: '"x"' }],
    ['a,b,label\n', { code: 'data.empty' }],
    ['', { code: 'data.empty' }],
    ['1\n2\n', { code: 'data.ragged', found: '1 columns' }],
  ])('%j is refused', async (text, fault) => {
    await expect(open(text)).rejects.toMatchObject(fault)
  })
})

describe('CIFAR-10', () => {
  const sheet = async (count: number, width = 1024): Promise<Buffer> =>
    sharp(
      Uint8Array.from({ length: count * width * 3 }, (_, i) => i % 251),
      { raw: { width, height: count, channels: 3 } },
    )
      .png()
      .toBuffer()
  const sheets = async (labels: string, width?: number): Promise<string> => {
    const batches = [1, 2, 3, 4, 5].map(async (i) => [`data_batch_${i}.png`, await sheet(2, width)] as const)
    return folder({
      ...Object.fromEntries(await Promise.all(batches)),
      'test_batch.png': await sheet(1),
      'train_lables.json': labels,
      'test_lables.json': '[9]',
    })
  }

  test('as sheets has a line of pixels for each image', async () => {
    const data = await openDataset(await sheets('[0,1,2,3,4,5,6,7,8,9]'))
    expect(data).toMatchObject({ sample: { height: 32, width: 32, channels: 3 } })
    expect(data.splits.train).toMatchObject({ count: 10, labels: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) })
    expect([...(data.splits.train?.data.subarray(3072, 3075) ?? [])]).toEqual([3072 % 251, 3073 % 251, 3074 % 251])
    expect(data.classes?.[data.splits.test?.labels?.[0] ?? 0]).toBe('truck')
  })
  test('as sheets with a fault is refused', async () => {
    const cases: [string, object][] = [
      [await sheets('[0,1]'), { code: 'data.count', expected: '10 labels, one for each sample', found: '2' }],
      [await sheets('[0,1,2,3,4,5,6,7,8,10]'), { code: 'data.label-range', subject: 'train_lables.json, row 9' }],
      [await sheets('nonsense'), { code: 'data.labels' }],
      [await sheets('[0,1,2,3,4,5,6,7,8,9]', 1000), { code: 'data.cifar-sheet', found: '1000 pixels of 3 channels' }],
    ]
    for (const [path, fault] of cases) await expect(openDataset(path)).rejects.toMatchObject(fault)
    const broken = await sheets('[]')
    writeFileSync(join(broken, 'data_batch_3.png'), (await sheet(2)).subarray(0, 60))
    await expect(openDataset(broken)).rejects.toMatchObject({ code: 'data.image', subject: 'data_batch_3.png' })
  })
  test('as binary has its channels brought together', async () => {
    const record = (label: number): Uint8Array =>
      Uint8Array.from({ length: 3073 }, (_, i) => (i === 0 ? label : (i - 1) >> 10))
    const names = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch']
    const files = Object.fromEntries(names.map((name, i) => [`${name}.bin`, record(i)]))
    const data = await openDataset(folder(files))
    expect(data.splits.train?.labels).toEqual(Int32Array.of(0, 1, 2, 3, 4))
    expect([...(data.splits.train?.data.subarray(0, 6) ?? [])]).toEqual([0, 1, 2, 0, 1, 2])
    await expect(openDataset(folder({ ...files, 'test_batch.bin': record(10) }))).rejects.toMatchObject({
      code: 'data.label-range',
      expected: 'a label from 0 to 9',
      found: '10',
    })
    await expect(openDataset(folder({ ...files, 'data_batch_2.bin': record(1).subarray(1) }))).rejects.toMatchObject({
      code: 'data.cifar-size',
      subject: 'data_batch_2.bin, row 0',
    })
  })
  test.skipIf(!isDatasetPresent('cifar-10'))('is the data it should be (skipped where it is not added)', async () => {
    const data = await openDataset('cifar10')
    expect(data.hash).toBe(datasets['cifar-10']?.sha256)
    expect(data.classes?.[data.splits.train?.labels?.[0] ?? 0]).toBe('frog')
  })
})

describe('images as JSON', () => {
  const files = (zero: unknown) => {
    const image = (value: number): number[] => Array<number>(784).fill(value)
    return {
      where: 'json',
      names: [],
      read: async (name: string) =>
        Buffer.from(
          name === '0.json' ? JSON.stringify(zero) : JSON.stringify({ data: [image(1), image(2), image(3)] }),
        ),
    }
  }
  test('are split by class, and rows without pixels are left out with a warning', async () => {
    const zero = { data: [Array<number>(784).fill(7), [], Array<number>(784).fill(8)] }
    const { splits, warnings } = await readClassJson(files(zero), 1)
    expect(splits.train).toMatchObject({ count: 19 })
    expect(splits.test).toMatchObject({ count: 10, labels: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) })
    expect([splits.train?.data[0], splits.test?.data[0]]).toEqual([7, 8])
    expect(warnings).toMatchObject([{ code: 'data.empty-row', file: '0.json' }])
  })
  test.each([[{ data: [[1, 2]] }], [{ data: [Array(784).fill(256)] }], [{ data: 3 }], [{}]])(
    'are refused: %j',
    async (zero) => {
      await expect(readClassJson(files(zero), 1)).rejects.toMatchObject({
        code: 'data.ragged',
        subject: '0.json, row 0',
      })
    },
  )
})

describe('our own packed file', () => {
  const small = () => {
    const sample = { height: 1, width: 2, channels: 1 }
    const train = makeSplit({ sample, data: Uint8Array.of(1, 2, 3, 4), labels: Int32Array.of(0, 1) }, 'train')
    const test = makeSplit({ sample, data: Uint8Array.of(9, 8), labels: Int32Array.of(1) }, 'test')
    const warnings = [{ code: 'data.empty-row', file: 'a', message: 'one' }]
    return makeDataset({ id: 'small', title: 'Small', classes: ['a', 'b'], splits: { train, test }, warnings })
  }

  test('gives back what was written', async () => {
    const path = join(folder({}), 'deep', 'small.alambic-data')
    await writePacked(path, small())
    const data = await openDataset(path)
    expect(data).toMatchObject({ title: 'Small', classes: ['a', 'b'], hash: small().hash, warnings: small().warnings })
    expect(data.splits.train).toMatchObject({ data: Uint8Array.of(1, 2, 3, 4), labels: Int32Array.of(0, 1) })
    expect(data.splits.test).toMatchObject({ data: Uint8Array.of(9, 8), labels: Int32Array.of(1) })
  })
  test('that is damaged anywhere is refused', async () => {
    const home = folder({})
    const path = join(home, 'small.alambic-data')
    await writePacked(path, small())
    const whole = readFileSync(path)
    const damaged = join(home, 'damaged')
    copyFileSync(path, damaged)
    for (const at of [0, 9, 12, 40, whole.length - 14, whole.length - 1]) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ 1
      writeFileSync(damaged, changed)
      await expect(readPacked(damaged), `byte ${at}`).rejects.toMatchObject({ name: 'AlambicError' })
    }
    for (const length of [0, 5, 12, 100, whole.length - 1]) {
      writeFileSync(damaged, whole.subarray(0, length))
      await expect(readPacked(damaged)).rejects.toMatchObject({ code: 'data.packed' })
    }
  })
})

describe('what is not known', () => {
  test('is refused with what is', async () => {
    await expect(openDataset('no-such')).rejects.toMatchObject({ code: 'data.missing', subject: 'no-such' })
    const path = folder({ 'a.txt': 'x', 'a.png': 'x' })
    await expect(openDataset(join(path, 'a.txt'))).rejects.toMatchObject({ code: 'data.format' })
    await expect(openDataset(join(path, 'a.png'))).rejects.toMatchObject({
      fix: 'Give the folder that the images are in.',
    })
  })
})

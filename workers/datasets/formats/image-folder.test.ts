import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { beforeAll, describe, expect, test } from 'vitest'
import { openDataset } from '../open.ts'
import type { Progress } from '../progress.ts'

const red = { r: 255, g: 0, b: 0 }
const blue = { r: 0, g: 0, b: 255 }

type Make = (image: Sharp) => Sharp

/** An image of one colour; its format is that of the name. */
async function image(path: string, background = red, [height, width] = [4, 6], make: Make = (i) => i): Promise<string> {
  mkdirSync(dirname(path), { recursive: true })
  await make(sharp({ create: { width, height, channels: 3, background } })).toFile(path)
  return path
}

const empty = (): string => mkdtempSync(join(tmpdir(), 'alambic-images-'))

/** A Windows bitmap of 24 bits, bottom line first, lines of 4-byte multiples. */
function bitmap(lines: number[][][]): Buffer {
  const [height, width] = [lines.length, lines[0]?.length ?? 0]
  const header = Buffer.alloc(54)
  header.write('BM')
  header.writeUInt32LE(54, 10)
  header.writeUInt32LE(40, 14)
  header.writeInt32LE(width, 18)
  header.writeInt32LE(height, 22)
  header.writeUInt16LE(1, 26)
  header.writeUInt16LE(24, 28)
  const padding = (4 - ((width * 3) % 4)) % 4
  const body = lines
    .toReversed()
    .flatMap((line) => [...line.flatMap(([r = 0, g = 0, b = 0]) => [b, g, r]), ...Array<number>(padding).fill(0)])
  return Buffer.concat([header, Buffer.from(body)])
}

describe('a folder of images', () => {
  let pets = ''
  beforeAll(async () => {
    pets = empty()
    for (const [name, colour] of [
      ['cat', red],
      ['dog', blue],
    ] as const) {
      for (const ending of ['png', 'jpg', 'webp', 'tiff', 'gif'])
        await image(join(pets, 'train', name, `a.${ending}`), colour)
      await image(join(pets, 'val', name, 'deeper', 'b.png'), colour)
    }
    writeFileSync(join(pets, 'train', 'cat', 'notes.txt'), 'not an image')
    writeFileSync(join(pets, 'train', 'cat', '.hidden.png'), 'not an image')
  })

  test('has a class for each subfolder and the splits of its folders', async () => {
    const seen: Progress[] = []
    const data = await openDataset(pets, { onProgress: (progress) => seen.push(progress) })
    expect(data).toMatchObject({
      kind: 'images',
      classes: ['cat', 'dog'],
      sample: { height: 4, width: 6, channels: 3 },
    })
    expect(data.warnings).toEqual([])
    expect(data.splits.train).toMatchObject({ count: 10, labels: Int32Array.of(0, 0, 0, 0, 0, 1, 1, 1, 1, 1) })
    expect(data.splits.validation).toMatchObject({ count: 2, labels: Int32Array.of(0, 1) })
    expect([...(data.splits.validation?.data.subarray(0, 3) ?? [])]).toEqual([255, 0, 0])
    expect([...(data.splits.validation?.data.subarray(-3) ?? [])]).toEqual([0, 0, 255])
    expect(seen).toHaveLength(12)
    expect(seen.at(-1)).toMatchObject({ phase: 'decode', total: 2, unit: 'files' })
    expect((await openDataset(pets)).hash).toBe(data.hash)
  })
  test('without classes is unlabelled', async () => {
    const path = empty()
    await image(join(path, 'b.png'), blue)
    await image(join(path, 'a.png'))
    const data = await openDataset(path)
    expect(data.classes).toBeUndefined()
    expect(data.splits.train?.labels).toBeUndefined()
    expect([...(data.splits.train?.data.subarray(0, 3) ?? [])]).toEqual([255, 0, 0])
  })
  test('of different sizes and channels is brought to one', async () => {
    const path = empty()
    await image(join(path, 'x', 'a.png'), red, [10, 20])
    await image(join(path, 'x', 'b.png'), red, [3, 3], (i) => i.grayscale().toColourspace('b-w'))
    await image(join(path, 'x', 'c.png'), red, [8, 8], (i) => i.ensureAlpha())
    const colour = await openDataset(path, { size: [4, 4], channels: 3 })
    expect(colour.sample).toEqual({ height: 4, width: 4, channels: 3 })
    expect([...(colour.splits.train?.data.subarray(0, 3) ?? [])]).toEqual([255, 0, 0])
    const gray = await openDataset(path, { size: [2, 2], channels: 1, fit: 'contain' })
    expect(gray.sample).toEqual({ height: 2, width: 2, channels: 1 })
  })
  test('may hold bitmaps, and photographs that lie on their side', async () => {
    const path = empty()
    const pixels = [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [
        [7, 8, 9],
        [10, 11, 12],
      ],
      [
        [13, 14, 15],
        [16, 17, 18],
      ],
    ]
    writeFileSync(join(path, 'a.bmp'), bitmap(pixels))
    await image(join(path, 'b.jpg'), red, [2, 3], (i) => i.withMetadata({ orientation: 6 }))
    const data = await openDataset(path)
    expect(data.sample).toEqual({ height: 3, width: 2, channels: 3 })
    expect([...(data.splits.train?.data.subarray(0, 18) ?? [])]).toEqual(pixels.flat(2))
  })
})

describe('a folder of images with a fault', () => {
  test.each([
    [
      'a broken JPEG',
      'data.image',
      async (path: string) => {
        const whole = readFileSync(await image(path, red, [64, 64], (i) => i.jpeg()))
        writeFileSync(path, whole.subarray(0, whole.length / 2))
      },
    ],
    ['text that is called an image', 'data.image', async (path: string) => writeFileSync(path, 'hello')],
    [
      'a bitmap cut short',
      'data.image',
      async (path: string) => writeFileSync(path, bitmap([[[1, 2, 3]]]).subarray(0, 55)),
    ],
    [
      'a gray image among colours',
      'data.channels',
      (path: string) => image(path, red, [4, 6], (i) => i.grayscale().toColourspace('b-w').png()),
    ],
    ['an image of another size', 'data.ragged', (path: string) => image(path, red, [5, 6], (i) => i.png())],
  ])('%s: is named, or skipped and counted', async (_, code, make) => {
    const path = empty()
    await image(join(path, 'x', 'a.png'))
    mkdirSync(join(path, 'y'))
    const bad = join(path, 'y', code === 'data.image' ? 'bad.jpg' : 'bad.png')
    await make(bad)
    await image(join(path, 'y', 'good.png'), blue)
    await expect(openDataset(path)).rejects.toMatchObject({ code, subject: bad })
    const data = await openDataset(path, { onBadFile: 'skip' })
    expect(data.warnings).toMatchObject([{ code, file: bad }])
    expect(data.splits.train?.labels).toEqual(Int32Array.of(0, 1))
    expect([...(data.splits.train?.data.subarray(-3) ?? [])]).toEqual([0, 0, 255])
  })
  test('an empty class is named, or warned of', async () => {
    const path = empty()
    await image(join(path, 'x', 'a.png'))
    mkdirSync(join(path, 'y'))
    await expect(openDataset(path)).rejects.toMatchObject({ code: 'data.empty-class', subject: join(path, 'y') })
    expect((await openDataset(path, { onBadFile: 'skip' })).warnings).toMatchObject([{ code: 'data.empty-class' }])
  })
  test('a class that training does not have is named', async () => {
    const path = empty()
    await image(join(path, 'train', 'x', 'a.png'))
    await image(join(path, 'test', 'z', 'a.png'))
    await expect(openDataset(path)).rejects.toMatchObject({ code: 'data.unknown-class', found: 'z' })
  })
  test('nothing in it, or nothing that can be read', async () => {
    await expect(openDataset(empty())).rejects.toMatchObject({ code: 'data.empty-folder' })
    const text = empty()
    writeFileSync(join(text, 'readme.txt'), '')
    await expect(openDataset(text)).rejects.toMatchObject({ code: 'data.format', found: 'readme.txt' })
    const broken = empty()
    writeFileSync(join(broken, 'a.jpg'), 'hello')
    await expect(openDataset(broken, { onBadFile: 'skip' })).rejects.toMatchObject({ code: 'data.empty-folder' })
  })
  test('links are not followed out of it', async () => {
    const path = empty()
    const outside = await image(join(empty(), 'secret.png'), blue)
    await image(join(path, 'a.png'))
    symlinkSync(outside, join(path, 'b.png'))
    expect((await openDataset(path)).splits.train?.count).toBe(1)
  })
  test('more pixels than memory are refused before they are made', async () => {
    const path = empty()
    for (let i = 0; i < 4; i++) await image(join(path, `${i}.png`), red, [2, 2])
    await expect(openDataset(path, { size: [1e6, 1e6] })).rejects.toMatchObject({ code: 'data.too-large' })
  })
  test('decoding stops when it is told to', async () => {
    const path = empty()
    for (let i = 0; i < 20; i++) await image(join(path, `${i}.png`), red, [50, 50])
    const stop = new AbortController()
    const opening = openDataset(path, { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })
    await expect(opening).rejects.toThrow('enough')
  })
})

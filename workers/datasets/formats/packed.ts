import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { badData } from '../errors.ts'
import { elementsOf, makeDataset, makeSplit, splitNames, type Dataset, type Split, type SplitName } from '../types.ts'

/**
 * Our own file of image data sets that are slow to decode: a magic word, the length of a JSON header as uint32, the
 * header, then for each of its splits the images (uint8) and labels (int32, little-endian).
 */
const MAGIC = 'ALAMDATA'

const Header = z.strictObject({
  version: z.literal(1),
  id: z.string(),
  title: z.string(),
  classes: z.array(z.string()),
  /** SHA-256 of the data set, as `Dataset.hash`. */
  hash: z.string(),
  splits: z.array(
    z.strictObject({
      name: z.enum(splitNames),
      count: z.number().int().min(0),
      sample: z.strictObject({
        height: z.number().int().min(1),
        width: z.number().int().min(1),
        channels: z.number().int().min(1),
      }),
    }),
  ),
  warnings: z.array(z.strictObject({ code: z.string(), file: z.string(), message: z.string() })),
})

/** Writes a labelled image data set; the file appears whole or not at all. */
export async function writePacked(path: string, dataset: Dataset): Promise<void> {
  const present = splitNames.flatMap((name) => (dataset.splits[name] ? [{ name, split: dataset.splits[name] }] : []))
  const { id, title, classes = [], hash, warnings } = dataset
  const splits = present.map(({ name, split }) => ({ name, count: split.count, sample: split.sample }))
  const header = Buffer.from(JSON.stringify({ version: 1, id, title, classes, hash, splits, warnings }))
  const start = Buffer.alloc(12)
  start.write(MAGIC, 'latin1')
  start.writeUInt32LE(header.length, 8)
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${randomUUID()}`
  try {
    const file = await open(temporary, 'wx')
    try {
      for (const part of [start, header, ...present.flatMap(({ split }) => [split.data, split.labels ?? []])]) {
        if (!Array.isArray(part)) await writeAll(file, part)
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Reads what `writePacked` wrote; `data.packed` if the file is damaged. */
export async function readPacked(path: string): Promise<Dataset> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw badData('missing-file', `the file "${path}" can't be read`, { file: path, found: String(cause), cause })
  })
  try {
    const { size } = await file.stat()
    const start = await readAll(file, Buffer.alloc(12), path)
    const length = start.readUInt32LE(8)
    if (start.toString('latin1', 0, 8) !== MAGIC || 12 + length > size) throw damaged(path, 'no whole header')
    const header = Header.safeParse(parse(await readAll(file, Buffer.alloc(length), path)))
    if (!header.success) throw damaged(path, 'a header that is not understood')
    const { splits: parts, hash, ...about } = header.data
    const expected = parts.reduce((n, { count, sample }) => n + count * (elementsOf(sample) + 4), 12 + length)
    if (expected !== size) throw damaged(path, `${size} bytes`, `${expected} bytes`)
    const splits: { [Name in SplitName]?: Split } = {}
    for (const { name, count, sample } of parts) {
      const data = await readAll(file, new Uint8Array(count * elementsOf(sample)), path)
      splits[name] = makeSplit({ sample, data, labels: await readAll(file, new Int32Array(count), path) }, path)
    }
    const dataset = makeDataset({ ...about, splits })
    if (dataset.hash !== hash) throw damaged(path, `contents with the hash ${dataset.hash}`, hash)
    return dataset
  } finally {
    await file.close()
  }
}

function parse(header: Buffer): unknown {
  try {
    return JSON.parse(header.toString())
  } catch {
    return undefined
  }
}

const damaged = (path: string, found: string, expected = 'a packed data set') =>
  badData('packed', `"${path}" is damaged`, {
    file: path,
    expected,
    found,
    fix: 'Remove it and add the data set again.',
  })

/** One call moves less than 2 GiB on every system. */
const CHUNK = 2 ** 30

async function writeAll(file: FileHandle, view: ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  for (let at = 0; at < bytes.length;)
    at += (await file.write(bytes, at, Math.min(CHUNK, bytes.length - at))).bytesWritten
}

async function readAll<V extends ArrayBufferView>(file: FileHandle, view: V, path: string): Promise<V> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, Math.min(CHUNK, bytes.length - at))
    if (bytesRead === 0) throw damaged(path, 'a truncated file')
    at += bytesRead
  }
  return view
}

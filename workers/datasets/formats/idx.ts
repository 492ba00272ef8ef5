import { sizeOf } from '../../graph/tensor.ts'
import { basename, dirname } from 'node:path'
import { readElements, type ElementType, type FileArray } from '../elements.ts'
import { badData } from '../errors.ts'
import { ungzipped, type FileSet } from '../files.ts'
import { asInputs, asLabels } from '../arrays.ts'
import { makeSplit, type Split, type SplitName, type Splits } from '../types.ts'

/** Element types by the third byte of the magic number (http://yann.lecun.com/exdb/mnist, "the IDX file format"). */
const types: Readonly<Record<number, ElementType>> = {
  0x08: { kind: 'u', bytes: 1 },
  0x09: { kind: 'i', bytes: 1 },
  0x0b: { kind: 'i', bytes: 2 },
  0x0c: { kind: 'i', bytes: 4 },
  0x0d: { kind: 'f', bytes: 4 },
  0x0e: { kind: 'f', bytes: 8 },
}

/** Reads an IDX file, gzipped or not: two zeros, a type, a rank, big-endian sizes, big-endian data. */
export async function readIdx(packed: Uint8Array, file: string): Promise<FileArray> {
  const bytes = await ungzipped(packed, file)
  const type = types[bytes[2] ?? 0]
  const rank = bytes[3] ?? 0
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || !type || rank === 0) {
    throw badData('idx-magic', `"${file}" is not an IDX file`, {
      file,
      expected: 'two zeros, a type (0x08 … 0x0e) and a rank above 0 at its start',
      found: bytes.length < 4 ? `${bytes.length} bytes` : `0x${hex(bytes.subarray(0, 4))}`,
    })
  }
  const header = 4 + 4 * rank
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const dims = bytes.length < header ? [] : Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const count = sizeOf(dims)
  const expected = header + count * type.bytes
  if (dims.length === 0 || bytes.length !== expected) {
    const cut = dims.length === 0 || bytes.length < expected
    throw badData('idx-size', `"${file}" is ${cut ? 'truncated' : 'longer than its header says'}`, {
      file,
      row: dims.length === 0 ? undefined : Math.floor(((bytes.length - header) / (expected - header)) * (dims[0] ?? 0)),
      expected: dims.length === 0 ? `a header of ${header} bytes` : `${expected} bytes for ${dims.join('×')}`,
      found: `${bytes.length} bytes`,
      fix: 'Get the file again.',
    })
  }
  return { file, dims, data: readElements(bytes.subarray(header), type, count, false, file) }
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')

const NAME = /^(.*?)(train|t10k|test|valid|validation)[-_](images|labels)[-._]idx\d-ubyte(?:\.gz)?$/
const splitOf: Readonly<Record<string, SplitName>> = {
  train: 'train',
  t10k: 'test',
  test: 'test',
  valid: 'validation',
  validation: 'validation',
}

/** Whether a file is called like those of MNIST: `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`. */
export const isIdxName = (name: string): boolean => NAME.test(name)

/** The splits in a set of IDX files called like those of MNIST; images without a file of labels stay unlabelled. */
export async function readIdxSplits(files: FileSet): Promise<Splits> {
  const found = new Map<SplitName, { images?: string; labels?: string }>()
  for (const name of files.names) {
    const [, , word = '', role] = NAME.exec(name) ?? []
    const split = splitOf[word]
    if (!split) continue
    const names = found.get(split) ?? {}
    if (role === 'images') names.images ??= name
    else names.labels ??= name
    found.set(split, names)
  }
  const splits: { [Name in SplitName]?: Split } = {}
  for (const [split, names] of found) splits[split] = await readPair(files, names)
  return splits
}

async function readPair(files: FileSet, names: { images?: string; labels?: string }): Promise<Split> {
  if (names.images === undefined) {
    throw badData('missing-file', `"${files.where}" has labels ("${names.labels}") but not their images`, {
      file: files.where,
      expected: names.labels?.replace('labels', 'images').replace('idx1', 'idx3'),
      found: files.names.join(', '),
    })
  }
  const images = await readIdx(await files.read(names.images), names.images)
  const labels = names.labels === undefined ? undefined : await readIdx(await files.read(names.labels), names.labels)
  return makeSplit({ ...asInputs(images), ...(labels ? { labels: asLabels(labels) } : {}) }, names.images)
}

/** The files that belong to one IDX file: itself and, next to it, its labels. */
export function idxCompanions(path: string, folder: FileSet): FileSet {
  const [, prefix = '', word = ''] = NAME.exec(basename(path)) ?? []
  const names = folder.names.filter((name) => name.startsWith(`${prefix}${word}`) && isIdxName(name))
  return { ...folder, where: dirname(path), names }
}

import { badData } from './errors.ts'
import { permutation } from './order.ts'
import { elementsOf, makeDataset, makeSplit, type Dataset, type Split, type SplitName, type Splits } from './types.ts'
import { sizeOf } from '../graph/tensor.ts'

export interface SplitOptions {
  /** Training samples that are kept out for validation: a count, or a share below 1. Ignored if the data has its own. */
  readonly validation?: number | undefined
  /** Decides which samples; the same seed always takes the same ones. */
  readonly seed?: number | undefined
  /** Use only so many samples: of the training split, or by the name of the split. */
  readonly limit?: number | { readonly [Name in SplitName]?: number | undefined } | undefined
}

/** The data set cut down to `limit`, with a validation split taken from training; both keep the shares of the classes. */
export function withSplits(dataset: Dataset, options: SplitOptions): Dataset {
  const { validation = 0, seed = 42, limit = {} } = options
  const limits = typeof limit === 'number' ? { train: limit } : limit
  const splits: { [Name in SplitName]?: Split } = { ...dataset.splits }
  for (const name of ['train', 'validation', 'test'] as const) {
    const split = splits[name]
    const most = limits[name]
    if (split && most !== undefined && most < split.count) splits[name] = subset(split, most, seed)
  }
  if (validation > 0 && splits.train && !splits.validation) Object.assign(splits, carve(splits.train, validation, seed))
  const { id, title, classes, warnings } = dataset
  return makeDataset({ id, title, classes, warnings, splits })
}

/** The samples at given positions, in that order, as a split of their own. */
export function take(split: Split, positions: Int32Array): Split {
  const { sample, labels, targets } = split
  return makeSplit(
    {
      sample,
      data: rows(split.data, elementsOf(sample), positions),
      ...(labels ? { labels: rows(labels, 1, positions) } : {}),
      ...(targets ? { targets: { ...targets, data: rows(targets.data, sizeOf(targets.dims), positions) } } : {}),
    },
    'a subset',
  )
}

/** So many samples with the classes in the shares of the whole, chosen by seed, in the order that they are stored in. */
export function subset(split: Split, count: number, seed: number): Split {
  if (!Number.isInteger(count) || count < 1 || count > split.count) {
    throw badData('limit', `${count} samples can't be taken from ${split.count}`, {
      file: 'limit',
      expected: `a whole number from 1 to ${split.count}`,
      found: String(count),
    })
  }
  return take(split, stratified(split, count, seed, 'limit'))
}

function carve(train: Split, validation: number, seed: number): Splits {
  const count = validation < 1 ? Math.round(validation * train.count) : validation
  if (!Number.isInteger(count) || count < 1 || count >= train.count) {
    throw badData('validation', `${validation} of ${train.count} training samples can't be kept out for validation`, {
      file: 'validation',
      expected: `a share below 1, or a whole number from 1 to ${train.count - 1}`,
      found: String(validation),
    })
  }
  const held = stratified(train, count, seed, 'validation')
  const out = new Set(held)
  const kept = Int32Array.from({ length: train.count }, (_, i) => i).filter((i) => !out.has(i))
  return { train: take(train, kept), validation: take(train, held) }
}

/** Ascending positions of a sample of a split in which each class has its share, rounded by largest remainder. */
function stratified(split: Split, wanted: number, seed: number, purpose: string): Int32Array {
  const groups = new Map<number, number[]>()
  for (let i = 0; i < split.count; i++) {
    const label = split.labels?.[i] ?? 0
    const group = groups.get(label)
    if (group) group.push(i)
    else groups.set(label, [i])
  }
  const shares = [...groups]
    .toSorted(([a], [b]) => a - b)
    .map(([label, members]) => ({ label, members, exact: (members.length * wanted) / split.count }))
  const missing = wanted - shares.reduce((sum, { exact }) => sum + Math.floor(exact), 0)
  const roundedUp = new Set(
    shares
      .toSorted((a, b) => (b.exact % 1) - (a.exact % 1) || a.label - b.label)
      .slice(0, missing)
      .map(({ label }) => label),
  )
  const chosen = shares.flatMap(({ label, members, exact }) => {
    const quota = Math.floor(exact) + (roundedUp.has(label) ? 1 : 0)
    return Array.from(permutation(members.length, seed, label, purpose).subarray(0, quota), (i) => members[i] as number)
  })
  return Int32Array.from(chosen).sort()
}

function rows<A extends Uint8Array | Float32Array | Int32Array>(source: A, size: number, positions: Int32Array): A {
  const target = new (source.constructor as new (length: number) => A)(positions.length * size)
  positions.forEach((p, i) => target.set(source.subarray(p * size, (p + 1) * size), i * size))
  return target
}

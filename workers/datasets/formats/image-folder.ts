import { readdir } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { basename, extname, join } from 'node:path'
import { asAlambicError, type AlambicError } from '../../protocol/errors.ts'
import { roleOf } from '../arrays.ts'
import { badData } from '../errors.ts'
import type { Watch } from '../progress.ts'
import { makeDataset, makeSplit, type Dataset, type DataWarning, type Split, type SplitName } from '../types.ts'
import type { Picture } from './bmp.ts'
import { checkAlike, decodeImage, sizeOfPicture, type DecodeOptions } from './decode.ts'

export interface ImageFolderOptions extends DecodeOptions, Watch {
  /** What to do with a file that can't be used: stop with its error, or leave it out and say so in the warnings. */
  readonly onBadFile?: 'fail' | 'skip' | undefined
}

const extensions = new Set(['.jpg', '.jpeg', '.png', '.webp', '.bmp', '.gif', '.tif', '.tiff', '.avif'])

/** Whether a file is an image by its name. */
export const isImageName = (name: string): boolean => extensions.has(extname(name).toLowerCase())

interface Found {
  readonly path: string
  readonly label: number
}

/**
 * Images in a folder for each class, or such folders in `train`, `val` and `test`; a folder of images without classes
 * is unlabelled. Every image is decoded once and stays in memory as bytes. Classes are in the order of their names'
 * code units, images in that of their paths. Links are not followed.
 */
export async function openImageFolder(root: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const warnings: DataWarning[] = []
  const parts = await splitFolders(root)
  const classes = await subfolders(parts[0]?.folder ?? root)
  const splits: { [Name in SplitName]?: Split } = {}
  for (const { split, folder } of parts) {
    const files = await filesOf(folder, classes, { ...options, first: folder === parts[0]?.folder }, warnings)
    splits[split] = await decodeAll(folder, files, { ...options, labelled: classes.length > 0 }, warnings)
  }
  return makeDataset({ id: root, title: basename(root), splits, warnings, ...(classes.length > 0 ? { classes } : {}) })
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? entry.name : [])).sort()
}

/** The folders of the splits when a folder of training images is among them; else the folder itself, for training. */
async function splitFolders(root: string): Promise<{ split: SplitName; folder: string }[]> {
  const order: readonly SplitName[] = ['train', 'validation', 'test']
  const named = (await subfolders(root)).flatMap((name) => {
    const split = roleOf(`x_${name}`)?.split
    return split ? [{ split, folder: join(root, name) }] : []
  })
  if (!named.some(({ split }) => split === 'train')) return [{ split: 'train', folder: root }]
  return named.toSorted((a, b) => order.indexOf(a.split) - order.indexOf(b.split))
}

async function filesOf(
  folder: string,
  classes: readonly string[],
  { first, onBadFile }: { first: boolean; onBadFile?: 'fail' | 'skip' | undefined },
  warnings: DataWarning[],
): Promise<Found[]> {
  if (classes.length === 0) return (await imagesIn(folder, false)).map((path) => ({ path, label: 0 }))
  const unknown = (await subfolders(folder)).find((name) => !classes.includes(name))
  if (unknown !== undefined) {
    throw badData('unknown-class', `"${join(folder, unknown)}" is a class that the training images do not have`, {
      file: join(folder, unknown),
      expected: classes.join(', '),
      found: unknown,
    })
  }
  const files: Found[] = []
  for (const [label, name] of classes.entries()) {
    const paths = await imagesIn(join(folder, name), true)
    for (const path of paths) files.push({ path, label })
    if (paths.length > 0) continue
    const fault = badData('empty-class', `the class "${name}" has no images`, {
      file: join(folder, name),
      expected: `images: ${[...extensions].join(' ')}`,
      found: 'none',
      fix: 'Remove the folder, or put images into it.',
    })
    if (first && onBadFile !== 'skip') throw fault
    warnings.push({ code: fault.code, file: join(folder, name), message: fault.message })
  }
  return files
}

async function imagesIn(folder: string, deep: boolean): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: deep }).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  })
  return entries
    .flatMap((entry) => {
      const isImage = entry.isFile() && isImageName(entry.name) && !entry.name.startsWith('.')
      return isImage ? [join(entry.parentPath, entry.name)] : []
    })
    .sort()
}

/** Decodes files into one array, several at a time, and leaves bad ones out if it may. */
async function decodeAll(
  folder: string,
  files: readonly Found[],
  options: ImageFolderOptions & { readonly labelled: boolean },
  warnings: DataWarning[],
): Promise<Split> {
  const { size: asked, channels = 3 } = options
  if (asked) checkMemory(folder, files.length, asked[0] * asked[1] * channels)
  const sample = sizeOfPicture(await firstImage(folder, files, options))
  const size = sample.height * sample.width * sample.channels
  checkMemory(folder, files.length, size)
  const data = new Uint8Array(files.length * size)
  const bad = new Map<number, AlambicError>()
  let next = 0
  const decodeRest = async (): Promise<void> => {
    while (next < files.length && (bad.size === 0 || options.onBadFile === 'skip')) {
      options.signal?.throwIfAborted()
      const row = next++
      const { path } = files[row] as Found
      try {
        const picture = await decodeImage(path, options)
        checkAlike(picture, sample, path)
        data.set(picture.data, row * size)
      } catch (thrown) {
        bad.set(row, asAlambicError(thrown))
      }
      options.onProgress?.({ phase: 'decode', done: row + 1, total: files.length, unit: 'files' })
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, decodeRest))
  const rows = bad.size === 0 ? files : keepGood(files, data, size, bad, options, warnings)
  const labels = options.labelled ? { labels: Int32Array.from(rows, ({ label }) => label) } : {}
  return makeSplit({ sample, data: data.subarray(0, rows.length * size), ...labels }, folder)
}

/** The first image that can be decoded: all others must be like it. */
async function firstImage(folder: string, files: readonly Found[], options: ImageFolderOptions): Promise<Picture> {
  for (const { path } of files) {
    try {
      return await decodeImage(path, options)
    } catch (thrown) {
      if (options.onBadFile !== 'skip') throw thrown
    }
  }
  throw badData('empty-folder', `there is no image in "${folder}" that can be read`, {
    file: folder,
    expected: `a folder of images for each class (${[...extensions].join(' ')})`,
    found: files.length === 0 ? 'no images' : `${files.length} files that are broken`,
  })
}

function checkMemory(folder: string, count: number, size: number): void {
  const bytes = count * size
  if (bytes < totalmem() * 0.7) return
  throw badData('too-large', `the images of "${folder}" do not fit into memory`, {
    file: folder,
    expected: `less than ${gigabytes(totalmem() * 0.7)} of decoded images`,
    found: `${gigabytes(bytes)}: ${count} images of ${size} bytes`,
    fix: 'Give a smaller size that all images are brought to.',
  })
}

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** The files that are not bad, their samples moved together; throws the first error unless bad files may be skipped. */
function keepGood(
  files: readonly Found[],
  data: Uint8Array,
  size: number,
  bad: ReadonlyMap<number, AlambicError>,
  options: ImageFolderOptions,
  warnings: DataWarning[],
): Found[] {
  const good: Found[] = []
  for (const [row, file] of files.entries()) {
    const fault = bad.get(row)
    if (!fault) {
      data.copyWithin(good.length * size, row * size, (row + 1) * size)
      good.push(file)
    } else if (options.onBadFile === 'skip') {
      warnings.push({ code: fault.code, file: file.path, message: fault.message })
    } else {
      throw fault
    }
  }
  return good
}

import { basename, join } from 'node:path'
import { unzipSync } from 'fflate'
import { fromArrays, roleOf } from '../arrays.ts'
import { badData } from '../errors.ts'
import { readBytes, type FileSet } from '../files.ts'
import type { Dataset } from '../types.ts'
import { readNpy } from './npy.ts'

/** More than any machine that this runs on holds; a few bytes of archive can claim any size. */
const MOST_BYTES = 2 ** 36

/** Samples and labels in a NumPy archive, by the names of its arrays: `x_train`, `train_labels`, `images`, … */
export async function openNpz(path: string): Promise<Dataset> {
  const arrays = [...unpack(await readBytes(path), path)].flatMap(([name, bytes]) => {
    const is = roleOf(name)
    return is ? [{ ...readNpy(bytes, `${path}:${name}`), is }] : []
  })
  return fromArrays(path, basename(path), arrays)
}

function unpack(bytes: Uint8Array, path: string): Map<string, Uint8Array> {
  const seen: string[] = []
  let claimed = 0
  let entries: Record<string, Uint8Array>
  try {
    entries = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        seen.push(name)
        const wanted = name.endsWith('.npy') && roleOf(name.slice(0, -4)) !== undefined
        if (wanted) claimed += originalSize
        if (claimed > MOST_BYTES) throw new Error(`arrays of ${claimed} bytes`)
        return wanted
      },
    })
  } catch (cause) {
    throw badData('zip', `"${path}" is damaged: it can't be unpacked`, {
      file: path,
      expected: 'a whole NPZ (zip) archive',
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Write the file again.',
      cause,
    })
  }
  const found = new Map(Object.entries(entries).map(([name, data]) => [name.slice(0, -4), data]))
  if (found.size === 0) {
    throw badData('names', `no array in "${path}" is called like samples`, {
      file: path,
      expected: 'x_train and y_train, train_images and train_labels, inputs and targets, or the like',
      found: seen.join(', ') || 'an empty archive',
      fix: 'Name the arrays: numpy.savez(path, x_train=…, y_train=…, x_test=…, y_test=…).',
    })
  }
  return found
}

/** Whether a file's name says what samples it holds: `inputs.npy`, `y_train.npy`. */
export const isArrayName = (name: string): boolean => name.endsWith('.npy') && roleOf(name.slice(0, -4)) !== undefined

/** A folder of NPY files called by what they hold: `inputs.npy` and `targets.npy`, `x_train.npy`, … */
export async function openArrays(folder: FileSet): Promise<Dataset> {
  const arrays = []
  for (const name of folder.names.filter(isArrayName)) {
    const is = roleOf(name.slice(0, -4))
    if (is) arrays.push({ ...readNpy(await folder.read(name), join(folder.where, name)), is })
  }
  return fromArrays(folder.where, basename(folder.where), arrays)
}

/** One NPY file by itself: unlabelled samples. */
export async function openNpy(path: string): Promise<Dataset> {
  const array = readNpy(await readBytes(path), path)
  return fromArrays(path, basename(path), [{ ...array, is: { split: 'train', role: 'inputs' } }])
}

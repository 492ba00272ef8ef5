import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync, readSync, writeSync, fsyncSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceJson } from '../protocol/files/durable.ts'
import { cacheHome } from '../protocol/files/home.ts'
import { arrayOf, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'

/** One value of the teacher, for every sample of a split. */
export interface Column {
  readonly value: string
  /** Without the batch. */
  readonly dims: readonly number[]
}

/** What a cache is of; two that agree in all of it hold the same numbers. */
export interface CacheKey {
  /** Hash of the teacher's graph, weights and outputs. */
  readonly model: string
  readonly data: string
  readonly preprocessing: string
  /** Executor, its version and its threads: sums in another order round differently. */
  readonly runtime: string
}

interface Manifest {
  readonly format: 1
  readonly key: CacheKey
  readonly columns: readonly Column[]
  readonly count: number
}

const MANIFEST = 'manifest.json'
const fileOf = (folder: string, column: number): string => join(folder, `${column}.f16`)

/** Bytes of a sample in all columns: two for each number. */
export const bytesPerSample = (columns: readonly Column[]): number =>
  columns.reduce((bytes, { dims }) => bytes + 2 * sizeOf(dims), 0)

export function cacheFolder(key: CacheKey, root = cacheHome()): string {
  const name = createHash('sha256')
    .update([key.model, key.data, key.preprocessing, key.runtime].join('\n'))
    .digest('hex')
  return join(root, 'teachers', name.slice(0, 32))
}

/** Whole columns up to this size are kept in memory; rows of larger ones are read when they are asked for. */
const RESIDENT_BYTES = 64 * 2 ** 20

interface OpenColumn extends Column {
  /** Everything in memory, or the file to read from. */
  readonly rows: Uint8Array | number
  /** Bytes of a row. */
  readonly stride: number
}

/** Float16 rows on disk, by sample. */
export class TeacherCache {
  readonly #columns: readonly OpenColumn[]

  private constructor(columns: readonly OpenColumn[]) {
    this.#columns = columns
  }

  /** A finished cache of that key and those columns; undefined when there is none. */
  static open(folder: string, key: CacheKey, columns: readonly Column[], count: number): TeacherCache | undefined {
    const path = join(folder, MANIFEST)
    if (!existsSync(path)) return undefined
    const found = JSON.parse(readFileSync(path, 'utf8')) as Manifest
    const wanted: Manifest = { format: 1, key, columns, count }
    if (JSON.stringify(found) !== JSON.stringify(wanted)) return undefined
    return new TeacherCache(
      columns.map((column, i) => {
        const stride = 2 * sizeOf(column.dims)
        const resident = stride * count <= RESIDENT_BYTES
        return {
          ...column,
          stride,
          rows: resident ? readFileSync(fileOf(folder, i)) : openSync(fileOf(folder, i), 'r'),
        }
      }),
    )
  }

  /** The rows of some samples as f32 `[n, …]`, by value. */
  read(indices: Int32Array): Record<string, Tensor> {
    return Object.fromEntries(
      this.#columns.map(({ value, dims, stride, rows }) => {
        const bytes = new Uint8Array(indices.length * stride)
        indices.forEach((index, i) => {
          if (typeof rows === 'number') readSync(rows, bytes, i * stride, stride, index * stride)
          else bytes.set(rows.subarray(index * stride, (index + 1) * stride), i * stride)
        })
        return [value, tensorOf('f32', [indices.length, ...dims], new Float32Array(new Float16Array(bytes.buffer)))]
      }),
    )
  }

  close(): void {
    for (const { rows } of this.#columns) if (typeof rows === 'number') closeSync(rows)
  }
}

/**
 * Writes a cache row by row, in the order of samples; it gets its final name only when everything is on disk. A number
 * that float16 can't hold makes `append` answer false: such values are not to be cached.
 */
export class CacheWriter {
  readonly #folder: string
  readonly #temporary: string
  readonly #manifest: Manifest
  readonly #files: readonly number[]

  private constructor(folder: string, temporary: string, manifest: Manifest) {
    this.#folder = folder
    this.#temporary = temporary
    this.#manifest = manifest
    this.#files = manifest.columns.map((_, i) => openSync(fileOf(temporary, i), 'w'))
  }

  static async begin(folder: string, key: CacheKey, columns: readonly Column[], count: number): Promise<CacheWriter> {
    await mkdir(join(folder, '..'), { recursive: true })
    const temporary = await mkdtemp(`${folder}.writing-`)
    return new CacheWriter(folder, temporary, { format: 1, key, columns, count })
  }

  /** `n` rows of every column; more rows than that in the tensors are padding. */
  append(values: Readonly<Record<string, Tensor>>, n: number): boolean {
    return this.#manifest.columns.every(({ value, dims }, i) => {
      const numbers = arrayOf(values[value] as Tensor) as Float32Array
      const half = new Float16Array(numbers.subarray(0, n * sizeOf(dims)))
      writeSync(this.#files[i] as number, new Uint8Array(half.buffer))
      return half.every(Number.isFinite)
    })
  }

  async finish(): Promise<void> {
    for (const file of this.#files) {
      fsyncSync(file)
      closeSync(file)
    }
    await replaceJson(join(this.#temporary, MANIFEST), this.#manifest)
    // Another run may have finished the same meanwhile: either holds the same numbers.
    await rm(this.#folder, { recursive: true, force: true })
    await rename(this.#temporary, this.#folder)
  }

  async discard(): Promise<void> {
    for (const file of this.#files) closeSync(file)
    await rm(this.#temporary, { recursive: true, force: true })
  }
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { Dataset } from '../datasets/index.ts'
import { assess, type AssessOptions } from '../measure/assess.ts'
import { pack } from '../pack/index.ts'

/** A model on its way through a recipe: which file, what it costs, and how good it is. */
export interface Stage {
  /** The step that made it; `input` for what the recipe was given. */
  readonly step: string
  readonly sha256: string
  readonly params: number
  readonly macs: number | undefined
  readonly bytes: number
  /** Bytes of the file as a .cmpz container; absent for files beyond `LARGEST_PACKED`. */
  readonly packedBytes?: number
  readonly medianMs: number
  readonly minMs: number
  readonly accuracy?: number
  readonly accuracyError?: number
}

/** Packing a larger file only to know its size would take longer than it is worth. */
const LARGEST_PACKED = 2 ** 27

const RUNS = 20

/** Measures the model file that a step made. */
export async function measureStage(
  step: string,
  path: string,
  data: Dataset | undefined,
  options: AssessOptions,
): Promise<Stage> {
  const { params, macs, bytes, latency, accuracy, accuracyError } = await assess(path, data, { runs: RUNS, ...options })
  return {
    step,
    sha256: await hashOf(path),
    params,
    macs,
    bytes,
    ...(await packedSize(path)),
    medianMs: latency.medianMs,
    minMs: latency.minMs,
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(accuracyError === undefined ? {} : { accuracyError }),
  }
}

/** Bytes of a model file as a .cmpz container; nothing for files beyond `LARGEST_PACKED`. */
export async function packedSize(path: string): Promise<{ readonly packedBytes?: number }> {
  return (await stat(path)).size <= LARGEST_PACKED ? { packedBytes: pack(await readFile(path)).report.bytes } : {}
}

export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array)
  return hash.digest('hex')
}

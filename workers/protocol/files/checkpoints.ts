import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../errors.ts'
import { isMissing, sha256 } from './durable.ts'

/*
 * Checkpoints of one stage of a run, under `steps/<stage>/checkpoints`: a folder each, named by the training step,
 * `000012345`, or `000012345-2` when that step was saved again. It holds one raw little-endian file per tensor and a
 * manifest with the SHA-256 of everything; it gets its final name only when all of it is on disk.
 */
export const MANIFEST = 'manifest.json'

export interface CheckpointManifest {
  readonly format: 1
  readonly step: number
  /** ISO 8601. */
  readonly time: string
  readonly tensors: Readonly<
    Record<
      string,
      { readonly file: string; readonly dtype: string; readonly dims: readonly number[]; readonly sha256: string }
    >
  >
  readonly facts: Readonly<Record<string, unknown>>
}

/** A folder of a checkpoint, by its name. */
export interface CheckpointName {
  readonly name: string
  readonly step: number
  /** 1 for the first time that a step was saved. */
  readonly edition: number
}

export const checkpointsOf = (runFolder: string, stage: number): string =>
  join(runFolder, 'steps', String(stage), 'checkpoints')

/** Checkpoint folders, newest first. */
export async function listCheckpoints(root: string): Promise<CheckpointName[]> {
  const names = await readdir(root).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  return names
    .flatMap((name) => {
      const [, step, edition] = /^(\d{9,})(?:-(\d+))?$/.exec(name) ?? []
      return step === undefined ? [] : [{ name, step: Number(step), edition: Number(edition ?? 1) }]
    })
    .toSorted((a, b) => b.step - a.step || b.edition - a.edition)
}

/** The manifest of a checkpoint, checked against its own hash; throws `run.checkpoint-damaged`. */
export async function readManifest(folder: string): Promise<CheckpointManifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return ''
    throw error
  })
  try {
    const outer = JSON.parse(text) as { sha256: string; manifest: string }
    if (sha256(outer.manifest) === outer.sha256) return JSON.parse(outer.manifest) as CheckpointManifest
    throw damagedCheckpoint(folder, MANIFEST, outer.sha256, sha256(outer.manifest))
  } catch (error) {
    if (error instanceof AlambicError) throw error
    throw damagedCheckpoint(folder, MANIFEST, 'a JSON document', 'something else')
  }
}

/** Bytes of all files of a checkpoint. */
export async function checkpointBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(join(folder, file))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

export const damagedCheckpoint = (folder: string, file: string, expected: string, found: string): AlambicError =>
  new AlambicError('run.checkpoint-damaged', `the checkpoint "${folder}" is damaged: ${file}`, {
    subject: folder,
    expected,
    found,
    fix: 'The checkpoint before it is used instead.',
  })

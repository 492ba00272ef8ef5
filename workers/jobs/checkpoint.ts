import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { DType } from '../graph/dtype.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Snapshot } from '../recipes/step.ts'
import { sha256, syncFolder, writeSynced } from './durable.ts'

/**
 * Checkpoints of one step of a run: a folder each, `00012345/` by step count, holding one raw little-endian file per
 * tensor and a manifest with the SHA-256 of everything. A folder gets its final name only when all of it is on disk.
 */
const MANIFEST = 'manifest.json'
/** The newest ones that are kept, so that a damaged last one does not end the run. */
const KEEP = 2

interface Manifest {
  readonly format: 1
  readonly step: number
  readonly tensors: Readonly<Record<string, { file: string; dtype: DType; dims: readonly number[]; sha256: string }>>
  readonly facts: Readonly<Record<string, unknown>>
}

const folderOf = (step: number): string => String(step).padStart(9, '0')

/** Saves a snapshot under `root` and drops the oldest ones. */
export async function saveCheckpoint(root: string, snapshot: Snapshot): Promise<string> {
  const temporary = join(root, `.writing-${process.pid}`)
  await rm(temporary, { recursive: true, force: true })
  await mkdir(temporary, { recursive: true })
  const tensors: Record<string, Manifest['tensors'][string]> = {}
  let index = 0
  for (const [name, { dtype, dims, bytes }] of Object.entries(snapshot.tensors)) {
    const file = `${index++}.bin`
    await writeSynced(join(temporary, file), bytes)
    tensors[name] = { file, dtype, dims, sha256: sha256(bytes) }
  }
  const body: Manifest = { format: 1, step: snapshot.step, tensors, facts: snapshot.facts }
  const text = JSON.stringify(body)
  await writeSynced(join(temporary, MANIFEST), JSON.stringify({ sha256: sha256(text), manifest: text }))
  await syncFolder(temporary)
  const final = join(root, folderOf(snapshot.step))
  await rm(final, { recursive: true, force: true })
  await rename(temporary, final)
  await syncFolder(root)
  for (const old of (await listCheckpoints(root)).slice(KEEP))
    await rm(join(root, old), { recursive: true, force: true })
  return final
}

/** Checkpoint folders, newest first. */
async function listCheckpoints(root: string): Promise<string[]> {
  const names = await readdir(root).catch(() => [])
  return names.filter((name) => /^\d{9,}$/.test(name)).toSorted((a, b) => Number(b) - Number(a))
}

/** The newest checkpoint that is whole; `onDamaged` hears of those that are not. */
export async function loadCheckpoint(
  root: string,
  onDamaged: (error: AlambicError) => void,
): Promise<Snapshot | undefined> {
  for (const name of await listCheckpoints(root)) {
    try {
      return await readCheckpoint(join(root, name))
    } catch (error) {
      if (!(error instanceof AlambicError)) throw error
      onDamaged(error)
    }
  }
  return undefined
}

async function readCheckpoint(folder: string): Promise<Snapshot> {
  const manifest = await readManifest(folder)
  const tensors: Record<string, Tensor> = {}
  for (const [name, { file, dtype, dims, sha256: expected }] of Object.entries(manifest.tensors)) {
    const bytes = await readFile(join(folder, file)).catch(() => undefined)
    const found = bytes ? sha256(bytes) : 'no such file'
    if (!bytes || found !== expected) throw damaged(folder, file, expected, found)
    tensors[name] = { dtype, dims, bytes }
  }
  return { step: manifest.step, tensors, facts: manifest.facts }
}

async function readManifest(folder: string): Promise<Manifest> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch(() => '')
  try {
    const outer = JSON.parse(text) as { sha256: string; manifest: string }
    if (sha256(outer.manifest) === outer.sha256) return JSON.parse(outer.manifest) as Manifest
    throw damaged(folder, MANIFEST, outer.sha256, sha256(outer.manifest))
  } catch (error) {
    if (error instanceof AlambicError) throw error
    throw damaged(folder, MANIFEST, 'a JSON document', 'something else')
  }
}

const damaged = (folder: string, file: string, expected: string, found: string): AlambicError =>
  new AlambicError('run.checkpoint-damaged', `the checkpoint "${folder}" is damaged: ${file}`, {
    subject: folder,
    expected,
    found,
    fix: 'The checkpoint before it is used instead.',
  })

import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import {
  damagedCheckpoint,
  listCheckpoints,
  MANIFEST,
  readManifest,
  type CheckpointManifest,
  type CheckpointName,
} from '../protocol/files/checkpoints.ts'
import { isMissing, sha256, syncFolder, writeSynced } from '../protocol/files/durable.ts'
import type { DType } from '../graph/dtype.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { Snapshot } from '../recipes/step.ts'

/** Which checkpoints stay. */
export interface Retention {
  /** The newest ones, so that a damaged last one does not end the run. */
  readonly newest: number
  /** Beside these and the best, the first one after every so many training steps. */
  readonly every?: number | undefined
}

const DEFAULT: Retention = { newest: 2 }

/** How the names begin of checkpoints that are being written or deleted; what a killed process left goes with the next. */
const WRITING = '.writing-'
const REMOVING = '.removing-'

const folderOf = (step: number, edition: number): string =>
  `${String(step).padStart(9, '0')}${edition > 1 ? `-${edition}` : ''}`

/** Saves a snapshot under `root` and drops those that need not stay. Whatever fails, what was saved before stays. */
export async function saveCheckpoint(root: string, snapshot: Snapshot, keep: Retention = DEFAULT): Promise<string> {
  const temporary = join(root, `${WRITING}${process.pid}`)
  try {
    await writeInto(temporary, snapshot)
    const before = await listCheckpoints(root)
    const edition = 1 + Math.max(0, ...before.filter((c) => c.step === snapshot.step).map((c) => c.edition))
    const final = join(root, folderOf(snapshot.step, edition))
    await rename(temporary, final)
    await syncFolder(root)
    await prune(root, keep, bestStep(snapshot))
    return final
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw error
  }
}

async function writeInto(folder: string, snapshot: Snapshot): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const tensors: Record<string, CheckpointManifest['tensors'][string]> = {}
  let index = 0
  for (const [name, { dtype, dims, bytes }] of Object.entries(snapshot.tensors)) {
    const file = `${index++}.bin`
    await writeSynced(join(folder, file), bytes)
    tensors[name] = { file, dtype, dims, sha256: sha256(bytes) }
  }
  const { step, facts } = snapshot
  const text = JSON.stringify({ format: 1, step, time: new Date().toISOString(), tensors, facts })
  await writeSynced(join(folder, MANIFEST), JSON.stringify({ sha256: sha256(text), manifest: text }))
  await syncFolder(folder)
}

const bestStep = ({ facts }: Snapshot): number | undefined => (facts['best'] as { step?: number } | undefined)?.step

async function prune(root: string, keep: Retention, best: number | undefined): Promise<void> {
  const all = await listCheckpoints(root)
  const stay = new Set(all.slice(0, keep.newest).map(({ name }) => name))
  for (const one of [...spaced(all, keep.every), ...all.filter((c) => c.step === best).slice(0, 1)]) stay.add(one.name)
  // Out of sight first: killed while it is deleted, half a checkpoint would keep its name.
  for (const { name } of all) {
    if (!stay.has(name)) await rename(join(root, name), join(root, `${REMOVING}${name}`))
  }
  for (const name of await readdir(root)) {
    if (name.startsWith(REMOVING) || name.startsWith(WRITING))
      await rm(join(root, name), { recursive: true, force: true })
  }
}

/** The first checkpoint at or after every multiple of `every`. */
function spaced(all: readonly CheckpointName[], every: number | undefined): CheckpointName[] {
  if (every === undefined) return []
  let last = 0
  return all.toReversed().filter(({ step }) => {
    const passed = Math.floor(step / every) > last
    if (passed) last = Math.floor(step / every)
    return passed
  })
}

/** The newest checkpoint that is whole; `onDamaged` hears of those that are not. */
export async function loadCheckpoint(
  root: string,
  onDamaged: (error: AlambicError) => void,
): Promise<Snapshot | undefined> {
  for (const { name } of await listCheckpoints(root)) {
    try {
      return await readCheckpoint(join(root, name))
    } catch (error) {
      if (!(error instanceof AlambicError)) throw error
      onDamaged(error)
    }
  }
  return undefined
}

/** One checkpoint, every byte of it checked; throws `run.checkpoint-damaged`. */
export async function readCheckpoint(folder: string): Promise<Snapshot> {
  const manifest = await readManifest(folder)
  const tensors: Record<string, Tensor> = {}
  for (const [name, { file, dtype, dims, sha256: expected }] of Object.entries(manifest.tensors)) {
    const bytes = await readFile(join(folder, file)).catch((error: unknown) => {
      if (isMissing(error)) return undefined
      throw error
    })
    const found = bytes ? sha256(bytes) : 'no such file'
    if (!bytes || found !== expected) throw damagedCheckpoint(folder, file, expected, found)
    tensors[name] = { dtype: dtype as DType, dims, bytes }
  }
  return { step: manifest.step, tensors, facts: manifest.facts }
}

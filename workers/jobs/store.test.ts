import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type * as Files from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { f32 } from '../graph/tensor.ts'
import { mulberry32 } from '../graph/random.ts'
import { replaceFile } from '../protocol/files/durable.ts'
import type { Snapshot } from '../recipes/step.ts'
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts'

/** Which call of the file system fails next, counted from 1; 0 lets all through. */
const fault = vi.hoisted(() => ({ at: 0, seen: 0, code: 'EIO' }))

// The real file system, but for the one call that fails as a bad disk or lost rights make it fail.
vi.mock('node:fs/promises', async (importOriginal) => {
  const real = await importOriginal<typeof Files>()
  const count = (name: string) => {
    fault.seen++
    if (fault.seen === fault.at)
      throw Object.assign(new Error(`${fault.code}: injected into ${name}`), { code: fault.code })
  }
  const faulty = <F extends (...args: never[]) => Promise<unknown>>(name: string, call: F): F =>
    (async (...args: never[]) => {
      count(name)
      return call(...args)
    }) as F
  return {
    ...real,
    mkdir: faulty('mkdir', real.mkdir as never),
    readdir: faulty('readdir', real.readdir as never),
    readFile: faulty('readFile', real.readFile as never),
    rename: faulty('rename', real.rename),
    rm: faulty('rm', real.rm),
    open: async (...args: Parameters<typeof real.open>) => {
      count('open')
      const handle = await real.open(...args)
      const calls = { writeFile: handle.writeFile.bind(handle), sync: handle.sync.bind(handle) }
      return Object.assign(handle, {
        writeFile: faulty('write', calls.writeFile),
        sync: faulty('sync', calls.sync),
      })
    },
  }
})

let root = ''
beforeEach(() => {
  Object.assign(fault, { at: 0, seen: 0 })
  root = mkdtempSync(join(tmpdir(), 'alambic-store-'))
})
afterEach(() => {
  fault.at = 0
  rmSync(root, { recursive: true, force: true })
})

/** Fails each call of `work` in turn, with each code; answers how many calls there are. */
async function atEveryCall(
  prepare: () => Promise<void>,
  work: () => Promise<unknown>,
  after: (failed: boolean) => Promise<void>,
) {
  let calls = 0
  for (const code of ['EIO', 'EACCES', 'ENOSPC']) {
    for (let at = 1; ; at++) {
      Object.assign(fault, { at: 0 })
      await prepare()
      Object.assign(fault, { at, seen: 0, code })
      const failed = await work().then(
        () => false,
        () => true,
      )
      const reached = fault.seen >= at
      fault.at = 0
      await after(failed)
      if (!reached) break
      calls++
    }
  }
  return calls
}

const snapshot = (step: number): Snapshot => ({
  step,
  tensors: { 'now/a': f32([step, 2, 3]), 'best/a': f32([step / 2, 0]) },
  facts: { best: { step } },
})

describe('an error of the disk at any call', () => {
  test('leaves a replaced file as it was or as it shall be', async () => {
    const path = join(root, 'run.json')
    const calls = await atEveryCall(
      async () => writeFileSync(path, 'old'),
      () => replaceFile(path, 'new'),
      async (failed) => {
        const text = readFileSync(path, 'utf8')
        expect(['old', 'new']).toContain(text)
        if (!failed) expect(text).toBe('new')
      },
    )
    expect(calls).toBeGreaterThanOrEqual(3 * 5)
  })

  test('leaves the checkpoint of before or the new one, whole, never a mixture', async () => {
    const calls = await atEveryCall(
      async () => {
        rmSync(root, { recursive: true, force: true })
        await saveCheckpoint(root, snapshot(10))
        await saveCheckpoint(root, snapshot(20))
      },
      () => saveCheckpoint(root, snapshot(30)),
      async (failed) => {
        const loaded = await loadCheckpoint(root, (error) => expect.unreachable(error.message))
        expect([20, 30]).toContain(loaded?.step)
        expect(loaded).toEqual({ ...snapshot(loaded?.step ?? 0), tensors: loaded?.tensors })
        expect(Object.keys(loaded?.tensors ?? {})).toEqual(['now/a', 'best/a'])
        expect(new Float32Array(loaded?.tensors['now/a']?.bytes.slice().buffer ?? new ArrayBuffer())[0]).toBe(
          loaded?.step,
        )
        if (!failed) expect(loaded?.step).toBe(30)
      },
    )
    expect(calls).toBeGreaterThanOrEqual(3 * 15)
  })

  test('while a checkpoint is read is told, and not taken for damage', async () => {
    await saveCheckpoint(root, snapshot(10))
    Object.assign(fault, { at: 3, seen: 0, code: 'EIO' })
    await expect(loadCheckpoint(root, () => expect.unreachable())).rejects.toMatchObject({ code: 'EIO' })
  })
})

test('saving a step again never removes what is there before the new one is', async () => {
  for (let i = 0; i < 3; i++) {
    await saveCheckpoint(root, snapshot(5))
    expect((await loadCheckpoint(root, () => expect.unreachable()))?.step).toBe(5)
  }
  expect(readdirSync(root).toSorted()).toEqual(['000000005-2', '000000005-3'])
})

test('the best and spaced checkpoints stay beside the newest', async () => {
  for (let step = 10; step <= 100; step += 10) {
    await saveCheckpoint(root, { ...snapshot(step), facts: { best: { step: 30 } } }, { newest: 2, every: 40 })
  }
  expect(
    readdirSync(root)
      .map(Number)
      .toSorted((a, b) => a - b),
  ).toEqual([30, 40, 80, 90, 100])
})

test('300 flipped bits are all found, and the checkpoint before is used', async () => {
  await saveCheckpoint(root, snapshot(1))
  const last = await saveCheckpoint(root, {
    ...snapshot(2),
    tensors: { w: f32(Array.from({ length: 500 }, (_, i) => i / 7)) },
  })
  const random = mulberry32(7)
  const files = readdirSync(last)
  for (let i = 0; i < 300; i++) {
    const path = join(last, files[i % files.length] ?? '')
    const bytes = readFileSync(path)
    const damaged = Buffer.from(bytes)
    const bit = Math.floor(random() * bytes.length * 8)
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    writeFileSync(path, damaged)
    const codes: string[] = []
    const loaded = await loadCheckpoint(root, ({ code }) => codes.push(code))
    expect([loaded?.step, ...codes]).toEqual([1, 'run.checkpoint-damaged'])
    writeFileSync(path, bytes)
  }
})

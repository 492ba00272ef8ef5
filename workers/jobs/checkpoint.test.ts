import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { f32 } from '../graph/tensor.ts'
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts'

let root = ''
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'alambic-checkpoint-'))))
afterEach(() => rmSync(root, { recursive: true, force: true }))

const snapshot = (step: number) => ({
  step,
  tensors: { 'now/params': f32([step, 2, 3]), b: f32([0.5]) },
  facts: { best: step },
})

test('what is saved is what is loaded', async () => {
  await saveCheckpoint(root, snapshot(7))
  const loaded = await loadCheckpoint(root, () => expect.unreachable())
  expect(loaded?.step).toBe(7)
  expect(loaded?.facts).toEqual({ best: 7 })
  expect([...new Float32Array(loaded?.tensors['now/params']?.bytes.slice().buffer ?? new ArrayBuffer())]).toEqual([
    7, 2, 3,
  ])
})

test('every flipped bit is found, and the checkpoint before is used', async () => {
  await saveCheckpoint(root, snapshot(1))
  const last = await saveCheckpoint(root, snapshot(2))
  for (const file of readdirSync(last)) {
    const path = join(last, file)
    const whole = readFileSync(path)
    for (let bit = 0; bit < whole.length * 8; bit += 37) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      writeFileSync(path, damaged)
      const found: string[] = []
      const loaded = await loadCheckpoint(root, (error) => found.push(error.code))
      expect([loaded?.step, ...found]).toEqual([1, 'run.checkpoint-damaged'])
    }
    writeFileSync(path, whole)
  }
  expect((await loadCheckpoint(root, () => expect.unreachable()))?.step).toBe(2)
})

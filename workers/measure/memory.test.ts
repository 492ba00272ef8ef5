import { expect, test } from 'vitest'
import { withPeakMemory } from './memory.ts'

const MIB = 2 ** 20

test('counts what was held for a while, and only that', async () => {
  const hold = (bytes: number) => withPeakMemory(async () => new Uint8Array(bytes).fill(1).length)
  const large = await hold(256 * MIB)
  expect(large.value).toBe(256 * MIB)
  expect(large.bytes).toBeGreaterThan(200 * MIB)
  expect(large.bytes).toBeLessThan(400 * MIB)
})

test('an earlier peak does not count where the system can forget it', async (ctx) => {
  if (process.platform !== 'linux') return ctx.skip('only Linux resets the peak of a process')
  await withPeakMemory(async () => new Uint8Array(256 * MIB).fill(1).length)
  const idle = await withPeakMemory(async () => 0)
  expect(idle.bytes).toBeLessThan(64 * MIB)
})

import { expect, test } from 'vitest'
import { isDatasetPresent } from '../../datasets/index.ts'
import { SensitivityScan } from '../../protocol/files/sensitivity.ts'
import { answer } from '../calls.ts'

const environment = {
  listener: { progress: () => undefined, event: () => undefined },
  stopping: () => false,
  leaving: () => undefined,
  executor: async () => (await import('../../executors/ort/executor.ts')).ortCpu,
}
const scan = async (more: object) =>
  SensitivityScan.parse(
    await answer('sensitivity', { model: 'lenet-300-100', data: 'mnist', samples: 64, ...more }, environment),
  )

test('a scan tells of every layer what each technique loses, on samples that it names', async (ctx) => {
  if (!isDatasetPresent('mnist')) ctx.skip('MNIST is not on this machine')
  const found = await scan({})
  expect(found).toMatchObject({ n: 64, data: 'mnist', complete: true })
  expect(found.accuracy).toBeGreaterThanOrEqual(0)
  const layers = new Set(found.lines.map(({ layer }) => layer))
  expect(layers.size).toBe(3)
  const bits = found.lines.filter(({ technique }) => technique === '8-bit weights')
  expect(new Set(bits.map(({ layer }) => layer))).toEqual(layers)
  // Of 64 samples a drop is a whole number of them; three quarters of a layer's bytes are three quarters of it.
  for (const { drop, bytes, milliseconds } of bits) {
    expect(Number.isInteger(Math.round(1e9 * drop * 64) / 1e9)).toBe(true)
    expect(bytes).toBeGreaterThan(0)
    expect(milliseconds).toBeUndefined()
  }
  const saved = bits.reduce((sum, { bytes }) => sum + bytes, 0)
  expect(saved).toBeGreaterThan(0.74)
  expect(saved).toBeLessThan(0.75)
})

test('a scan whose time is over says that it is not complete', async (ctx) => {
  if (!isDatasetPresent('mnist')) ctx.skip('MNIST is not on this machine')
  const found = await scan({ seconds: 1e-6 })
  expect(found.complete).toBe(false)
  expect(found.lines).toEqual([])
})

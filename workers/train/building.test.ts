import { expect, test } from 'vitest'
import { deepTransformer } from '../testing/transformer.ts'
import { buildZoo } from '../zoo/index.ts'
import { crossEntropy } from './losses.ts'
import { optimizer } from './optimizers.ts'
import { prepare } from './prepare.ts'
import { buildStep } from './step.ts'

test.runIf(process.env['ALAMBIC_LONG'] === '1').each([
  ['ResNet-50', 500, () => buildZoo('resnet-50', { seed: 1 }).graph],
  ['a transformer of 5,000 nodes', 3000, () => deepTransformer({ blocks: 240, width: 32, tokens: 8, classes: 10 })],
])('the step of %s is built within %i ms', { timeout: 60_000 }, (_name, limit, build) => {
  const prepared = prepare(build(), { batch: 2 })
  const times = [1, 2, 3].map(() => {
    const began = performance.now()
    buildStep(prepared, { losses: [crossEntropy()], optimizer: optimizer('adam') })
    return performance.now() - began
  })
  expect(Math.min(...times)).toBeLessThan(limit)
})

import { expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import { zoo } from '../../zoo/index.ts'
import { ratioForLatency } from './latency.ts'
import { ChoiceOptions } from './options.ts'
import { scoreAll } from './choose.ts'

test('a latency out of reach is refused with how close pruning comes', async () => {
  const { groups, scores } = scoreAll(zoo['lenet-5'].build(), ChoiceOptions.parse({}), {}, 1)
  const plan = { ratio: 0.5, scope: 'layer', roundTo: 1, maxRatio: 1, rules: [] } as const
  const wanted = ratioForLatency(
    groups,
    scores,
    plan,
    { limit: 1e-6, isShare: false },
    { executor: ortCpu, threads: 1 },
  )
  await expect(wanted).rejects.toMatchObject({
    code: 'prune.latency',
    expected: expect.stringMatching(/at least [\d.]+ ms by the measured layers; today [\d.]+ ms/) as unknown,
  })
})

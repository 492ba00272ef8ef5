/**
 * A process that trains a net of the zoo for some steps and says what that took: `step-peak.ts <net> <batch>
 * [compact] [recompute]`. One line of JSON, in bytes. A process of its own, for memory that was once taken stays.
 */
import { ortCpu } from '../executors/ort/executor.ts'
import { parse } from '../graph/parse.ts'
import { f32 } from '../graph/tensor.ts'
import { withPeakMemory } from '../measure/memory.ts'
import { trainingMemory } from '../recipes/memory.ts'
import { crossEntropy } from '../train/losses.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep } from '../train/step.ts'
import { buildZoo, type ZooId } from '../zoo/index.ts'
import { stepFeeds } from './steps.ts'

const [net = '', batch = '', ...more] = process.argv.slice(2)
const [compact, recompute] = [more.includes('compact'), more.includes('recompute')]

// The runtime's own code and threads are not the step's.
const warm = await ortCpu.compile(parse('graph (x: f32[1]) -> (y: f32[1]) opset 18 { y = Relu(x) }'))
await warm.run({ x: f32([1], [1]) })

const { graph } = buildZoo(net as ZooId, { seed: 1 })
const step = buildStep(prepare(graph, { batch: Number(batch) }), {
  losses: [crossEntropy()],
  optimizer: optimizer('adam'),
  recompute,
})
const predicted = trainingMemory(step)
const feeds = stepFeeds(step, 10)
const { bytes: measured, value: milliseconds } = await withPeakMemory(async () => {
  const program = await ortCpu.compile(step.graph, { state: step.state, reuseOutputs: true, compact })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  let started = performance.now()
  for (let i = 0; i < 3; i++) {
    started = performance.now()
    await program.run({ ...feeds, ...step.hyper(i + 1, 1e-3) })
  }
  return performance.now() - started
})
console.log(JSON.stringify({ predicted: compact ? predicted.compact : predicted.bytes, measured, milliseconds }))
process.exit(0)

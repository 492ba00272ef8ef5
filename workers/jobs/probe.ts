/**
 * A process that looks at one device and ends: `probe.ts <device> look|test|step [what]`. Drivers may crash or hang, and a report
 * of that is all that is left of it.
 */
import { loadEngine } from '../executors/engines.ts'
import { tensorOf } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { DeviceId } from '../protocol/devices.ts'
import { asAlambicError } from '../protocol/errors.ts'
import type { Outcome, Report } from '../protocol/worker.ts'
import { labelledStep } from '../recipes/labelled-step.ts'
import { openForRecipe } from '../recipes/open.ts'
import type { StepTest } from './remembered.ts'
import { selfTest, speed } from './self-test.ts'

const [device = '', task, detail = ''] = process.argv.slice(2)

/** Loads the engine and checks one product by hand: 2×3 + 4 = 10. */
async function look(): Promise<Report> {
  const engine = await loadEngine(DeviceId.parse(device))
  const g = new Emitter()
  g.input('x', 'f32', [1])
  g.output(g.add(g.mul('x', 3), 4))
  const program = await engine.compile(g.build())
  const started = performance.now()
  const [result] = Object.values(await program.run({ x: tensorOf('f32', [1], Float32Array.of(2)) }))
  const milliseconds = performance.now() - started
  await program.dispose()
  const found = result && new Float32Array(result.bytes.slice().buffer)[0]
  if (found !== 10) throw new Error(`2 × 3 + 4 is ${found} on this device`)
  return { executor: engine.id, runtime: engine.runtime, milliseconds }
}

const engine = () => loadEngine(DeviceId.parse(device))

const tasks = {
  look,
  test: async () => selfTest(await engine()),
  /** Takes a run's own training step for some time: what `auto` chooses by. */
  step: async () => {
    const { model, seed, shape, budget } = JSON.parse(detail) as StepTest
    const step = labelledStep((await openForRecipe(model, seed)).graph, shape)
    return { ...(await speed(await engine(), step, budget)) }
  },
}

async function report(): Promise<Outcome> {
  try {
    return {
      ok: true,
      report: await (tasks[task as keyof typeof tasks] ?? look)(),
    }
  } catch (thrown) {
    const { code, message, subject, expected, found, fix } = asAlambicError(thrown)
    return { ok: false, error: { code, message, subject, expected, found, fix } }
  }
}

const outcome = await report()
process.send?.(outcome, undefined, undefined, () => process.exit(0))

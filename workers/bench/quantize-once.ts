import { closeSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ortCpu } from '../executors/ort/executor.ts'
import { modelOf } from '../graph/graph.ts'
import { tensorOf } from '../graph/tensor.ts'
import { calibrate, type CalibrationMethod } from '../measure/calibrate/index.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { planQuantization, prepareForQuantization, quantizeStatic, rangesNeeded } from '../passes/index.ts'

/*
 * One static quantization from file to file, for the benchmark: its argument is JSON as the Python program's lines are,
 * its output a line {"ms", "mb"}. A process of its own, so that its peak memory is its own.
 */
const order = JSON.parse(process.argv[2] ?? '{}') as {
  readonly model: string
  readonly samples: string
  readonly method: CalibrationMethod
  readonly count: number
}
const BYTES = 4 * 3 * 224 * 224
const folder = mkdtempSync(join(tmpdir(), 'alambic-bench-'))

async function* images() {
  const file = openSync(order.samples, 'r')
  try {
    for (let i = 0, at = 0; i < order.count; i++) {
      const bytes = new Uint8Array(BYTES)
      if (readSync(file, bytes, 0, BYTES, at) < BYTES) {
        readSync(file, bytes, 0, BYTES, 0)
        at = 0
      }
      at += BYTES
      yield { feeds: { input: tensorOf('f32', [1, 3, 224, 224], new Float32Array(bytes.buffer)) }, first: i }
    }
  } finally {
    closeSync(file)
  }
}

const started = performance.now()
const graph = prepareForQuantization((await readModel(order.model)).model.graph)
const plan = planQuantization(graph)
const { ranges } = await calibrate(ortCpu, graph, rangesNeeded(plan), images, { method: order.method })
await writeModel(modelOf(quantizeStatic(plan, { ranges }).graph), join(folder, 'quantized.onnx'))
const ms = performance.now() - started
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify({ ms, mb: process.resourceUsage().maxRSS / 1000 }))

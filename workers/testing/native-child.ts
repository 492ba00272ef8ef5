/**
 * The child of `guarded.ts`: gives each model that it gets to onnxruntime, loads it and runs it once. It may hang, run
 * out of memory or crash: that is what it is for.
 */
import { ortCpu } from '../executors/ort/executor.ts'
import { mulberry32 } from '../graph/random.ts'
import { sizeOf } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { decodeModel } from '../onnx/index.ts'
import { inferTypes } from '../ops/infer.ts'
import type { Answer, Question } from './guarded.ts'
import { randomValue } from './train-briefly.ts'

/** More elements than this in one input are not made up. */
const MOST = 1e6

async function answer({ id, bytes }: Question): Promise<Answer> {
  try {
    const { graph, functions } = decodeModel(bytes)
    const program = await ortCpu.compile(inferTypes(graph, { functions }), { threads: 1 })
    try {
      const random = mulberry32(1)
      const isSmall = graph.requiredInputs.every(({ type }) => {
        const dims = asTensor(type)?.shape?.map((dim) => (typeof dim === 'number' ? dim : 2))
        return dims !== undefined && sizeOf(dims) <= MOST
      })
      if (!isSmall) return { id, kind: 'loaded' }
      await program.run(Object.fromEntries(graph.requiredInputs.map((v) => [v.name, randomValue(v, random)])))
      return { id, kind: 'ran' }
    } finally {
      await program.dispose()
    }
  } catch (error) {
    return { id, kind: 'refused', message: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (question: Question) => void answer(question).then((reply) => process.send?.(reply)))

/** The child of `engine.ts`: runs what it is asked for on one engine, and may crash. */
import { loadEngine } from '../../executors/engines.ts'
import { asAlambicError } from '../../protocol/errors.ts'
import { TestedEngine, type Answer, type Question } from './engine.ts'
import type { Executor, Tensors } from '../../executors/executor.ts'
import { parse } from '../../graph/parse.ts'
import { tensorOf } from '../../graph/tensor.ts'
import { stepOf, twoSteps } from './corpus.ts'
import { learn } from './learn.ts'

const device = TestedEngine.parse(process.argv[2])

async function answer(question: Question): Promise<Answer> {
  const { id } = question
  try {
    const engine = await open(device)
    if (question.kind === 'learn') return { id, losses: await learn(engine, question.steps, question.resumeAt) }
    if (question.kind === 'too large') return { id, tensors: await tooLarge(engine) }
    return { id, tensors: await twoSteps(engine, stepOf(question.name), question.seed) }
  } catch (thrown) {
    const { code, message, found, fix } = asAlambicError(thrown)
    return { id, error: { code, message, found, fix } }
  }
}

/** What is only there to be tested stands beside the devices. */
async function open(engine: TestedEngine): Promise<Executor> {
  if (engine === 'looped') return (await import('../../executors/ort/cuda.ts')).ortLooped
  if (engine === 'tfjs') return (await import('./tensorflow-js.ts')).tfJs()
  return loadEngine(engine)
}

/** 160 GB: refused by every allocator, on a device by its largest buffer. */
async function tooLarge(engine: Executor): Promise<Tensors> {
  const program = await engine.compile(
    parse(`graph (x: f32[1], s: i64[1]) -> (y: f32[1]) opset 18 {
      e = Expand(x, s)
      const a: i64[1] = [0]
      y = ReduceSum(e, a)
    }`),
  )
  const size = tensorOf('i64', [1], BigInt64Array.of(SIZES[device] ?? 40_000_000_000n))
  return program.run({ x: tensorOf('f32', [1], Float32Array.of(1)), s: size })
}

/** Elements; a buffer of more than 2³² bytes is divided on a device, and then refused for another reason. */
const SIZES: Readonly<Partial<Record<TestedEngine, bigint>>> = { webgpu: 1_000_000_000n }

process.on('message', (question: Question) => void answer(question).then((reply) => process.send?.(reply)))

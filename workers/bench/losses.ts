import { existsSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ortCpu } from '../executors/ort/executor.ts'
import type { Report } from '../protocol/worker.ts'
import { terms } from '../train/distil/terms.ts'
import { head, machine, row } from './pairs.ts'
import { percent, recipeOf, runIn, spread } from './recipes.ts'
import type { Topic } from './topic.ts'

const SEEDS = [1, 2, 3]
const DATA = ['mnist', 'fashion-mnist']
/** A tenth of the teacher's width, on few samples: where a teacher has something to add. */
const student = 'lenet-5@0.1'
const training = { epochs: 15, batch: 64, lr: 0.003, validation: 0 }
const LIMIT = 1000

const root = join(tmpdir(), 'alambic-bench-losses')

/** What is compared, by name: the step that makes the student. Every term beside the labels with its own weight. */
const cases: Readonly<Record<string, object>> = {
  labels: { step: 'train' },
  ...Object.fromEntries(
    Object.keys(terms)
      .filter((id) => id !== 'ce')
      .map((id) => [id, { step: 'distil', student, losses: [id] }]),
  ),
  'kd+at': { step: 'distil', student, losses: ['kd', 'at'] },
  mutual: { step: 'distil', student, strategy: 'mutual', peers: 1 },
  branches: { step: 'distil', student, strategy: 'branches', peers: 2 },
  self: { step: 'distil', student, strategy: 'self' },
  'born-again': { step: 'distil', student, strategy: 'born-again' },
  assistant: { step: 'distil', student, strategy: 'assistant', assistants: ['lenet-5@0.3'] },
  progressive: { step: 'distil', student, strategy: 'progressive' },
  'thin:0.1': { step: 'distil', student: 'thin:0.1' },
}

const run = (request: object): Promise<Report> => runIn(root, request)

/** LeNet-5, trained once for all cases. */
async function teacherOf(data: string): Promise<string> {
  const path = join(root, `${data}.onnx`)
  if (existsSync(path)) return path
  const step = { step: 'train', epochs: 3, batch: 64, lr: 0.001, validation: 0 }
  const report = await run({ recipe: recipeOf(step), model: 'lenet-5', data, limit: 20_000, output: path })
  console.log(`teacher LeNet-5 on ${data}: ${percent(report['accuracy'] as number)}`)
  return path
}

/**
 * Every loss and strategy of distillation on the same small student and seeds: test accuracy as mean ± standard
 * deviation. `npm run bench -- losses mnist kd at` takes some of them.
 */
export const losses: Topic = async ({ wanted }) => {
  mkdirSync(root, { recursive: true })
  const chosen = (names: readonly string[]) => {
    const named = names.filter((name) => wanted.includes(name))
    return named.length > 0 ? named : names
  }
  console.log(machine(ortCpu.runtime))
  for (const data of chosen(DATA)) {
    const teacher = await teacherOf(data)
    console.log(`${student} on ${LIMIT} samples of ${data}, ${training.epochs} epochs, seeds ${SEEDS.join(', ')}\n`)
    head('', 'accuracy, %')
    for (const name of chosen(Object.keys(cases))) {
      const step = { ...training, ...cases[name] }
      const model = name === 'labels' ? student : teacher
      const accuracies: number[] = []
      for (const seed of SEEDS) {
        const report = await run({ recipe: recipeOf(step), model, data, seed, limit: LIMIT })
        accuracies.push(report['accuracy'] as number)
      }
      row(name, spread(accuracies))
    }
    console.log()
  }
}

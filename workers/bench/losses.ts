import { terms } from '../train/distil/terms.ts'
import { cellTopic } from './cells.ts'
import { numberIn, recipeOf } from './recipes.ts'

const DATA = ['mnist', 'fashion-mnist']
/** A tenth of the teacher's width, on few samples: where a teacher has something to add. */
const student = 'lenet-5@0.1'
const training = { batch: 64, lr: 0.003, validation: 0 }

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

/** LeNet-5, with the cell's seed, on more samples than the student sees. */
const teacher = { step: 'train', epochs: 3, batch: 64, lr: 0.001, validation: 0 }
const TEACHER_SAMPLES = 20_000

/**
 * Every loss and strategy of distillation on the same small student and seeds: test accuracy as mean ± standard
 * deviation. `npm run bench -- losses mnist/kd mnist/at` takes some of them.
 */
export const losses = cellTopic({
  name: 'losses',
  methods: DATA.flatMap((data) => ['teacher', ...Object.keys(cases)].map((name) => `${data}/${name}`)),
  seeds: [1, 2, 3],
  sizes: { epochs: 15, limit: 1000 },
  columns: [{ title: 'test accuracy, %', of: 'accuracy' }],
  make: async (method, { run, sizes: { epochs, limit } }) => {
    const [data = '', name = ''] = method.split('/')
    const step = { ...training, epochs, ...cases[name] }
    const taught = () => run({ recipe: recipeOf(teacher), model: 'lenet-5', data, limit: TEACHER_SAMPLES })
    const model = name === 'labels' ? student : name === 'teacher' ? undefined : String((await taught())['output'])
    const report = model === undefined ? await taught() : await run({ recipe: recipeOf(step), model, data, limit })
    return { accuracy: numberIn(report, 'accuracy') }
  },
})

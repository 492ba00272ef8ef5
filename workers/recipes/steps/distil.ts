import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { preprocessingFor, withPreprocessing } from '../../datasets/index.ts'
import type { Model } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { crossEntropy, distillationKL, TEACHER } from '../../train/losses.ts'
import { removeFinalSoftmax } from '../../passes/index.ts'
import { fit } from '../fit.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { openTeacher } from '../teacher.ts'
import { fitOptions, TrainingOptions } from './options.ts'
import { trainingProblems } from './train.ts'

const DistilOptions = TrainingOptions.extend({
  student: z.string().optional().describe('The net to train: a file or a zoo id; the model at hand unless given'),
  teacher: z
    .string()
    .optional()
    .describe(
      "The net to learn from: a file or a zoo id; the model at hand when a student is given, else the run's input",
    ),
  temperature: z
    .number()
    .positive()
    .default(4)
    .describe('T: larger ones show more of how the teacher ranks wrong classes'),
  alpha: z.number().min(0).max(1).default(0.9).describe('Weight of the distillation term; cross-entropy gets the rest'),
  cache: z.boolean().default(true).describe("Compute the teacher's logits once when inputs repeat"),
})
type DistilOptions = z.output<typeof DistilOptions>

async function run(context: StepContext, options: DistilOptions): Promise<StepResult> {
  const student = options.student === undefined ? context.model : await context.open(options.student)
  const teacher = await pickTeacher(context, options)
  sameOutputs(teacher, student)
  const preprocessing = preprocessingFor(context.data, student, options.preprocessing)
  const source = await openTeacher(context, teacher.graph, { ...options, preprocessing })
  try {
    const terms = [distillationKL(options.temperature, options.alpha)]
    if (options.alpha < 1) terms.push(crossEntropy({ labelSmoothing: options.labelSmoothing }, 1 - options.alpha))
    const { graph, ...report } = await fit(context, student.graph, {
      ...fitOptions(options),
      losses: terms,
      preprocessing,
      extra: async (indices, x) => ({ [TEACHER]: await source.logits(indices, x) }),
    })
    return {
      model: withPreprocessing({ ...student, graph }, preprocessing),
      report: { ...report, teacher: source.report() },
      stopped: report.stopped,
    }
  } finally {
    await source.close()
  }
}

/** A softened Softmax would be no softmax of logits/T: the teacher is cut before it. */
async function pickTeacher(context: StepContext, options: DistilOptions): Promise<Model> {
  const named = options.teacher === undefined ? undefined : await context.open(options.teacher)
  const teacher = named ?? (options.student === undefined ? context.source : context.model)
  const { graph, report } = removeFinalSoftmax(teacher.graph)
  if (report.modified)
    context.journal.event('note', { text: "The teacher's final Softmax was removed: distillation needs its logits." })
  return { ...teacher, graph }
}

function sameOutputs(teacher: Model, student: Model): void {
  const classes = (model: Model) => asTensor(model.graph.outputs[0]?.type)?.shape?.at(-1)
  const [t, s] = [classes(teacher), classes(student)]
  if (t === s || t === undefined || s === undefined) return
  throw new AlambicError('distil.classes', 'teacher and student do not put out the same classes', {
    expected: `a student with ${t} outputs, as the teacher has`,
    found: `${s} outputs`,
    fix: 'Build the student for the same classes, or choose another teacher.',
  })
}

export const distil = step({
  id: 'distil',
  family: 'distillation',
  title: 'Distil',
  help: "Trains a student to give the teacher's softened class probabilities, mixed with the labels' cross-entropy.",
  source: 'Hinton et al. 2015, arXiv:1503.02531',
  options: DistilOptions,
  preflight: trainingProblems,
  run,
})

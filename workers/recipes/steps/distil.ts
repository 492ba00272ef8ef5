import { withPreprocessing } from '../../datasets/index.ts'
import { agreementOf } from '../../measure/agreement.ts'
import { DistilOptions } from '../distil/options.ts'
import { sharedPreprocessing } from '../distil/samples.ts'
import { oneTeacher, strategies, studentOf, teachersOf } from '../distil/strategies.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { trainingProblems } from './train.ts'

async function run(context: StepContext, options: DistilOptions): Promise<StepResult> {
  const { data } = context
  const teachers = await teachersOf(context, options)
  const teacher = oneTeacher(context, teachers)
  const student = await studentOf(context, teachers, options)
  const preprocessing = sharedPreprocessing(data, student, teachers, options.preprocessing)
  const nets = { student, teacher, preprocessing }
  const { graph, stopped, report } = await strategies[options.strategy](context, nets, options)
  const compared = data.splits.test ? 'test' : 'validation'
  const split = data.splits[compared]
  const agreement =
    teacher && split && !stopped
      ? await agreementOf({ teacher, before: student.graph, after: graph }, split, { ...context, preprocessing })
      : undefined
  return {
    model: withPreprocessing({ ...student, graph }, preprocessing),
    report: {
      strategy: options.strategy,
      ...report,
      ...(agreement ? { agreement: { ...agreement, split: compared } } : {}),
    },
    stopped,
  }
}

export const distil = step({
  id: 'distil',
  family: 'distillation',
  source: 'Hinton et al. 2015, arXiv:1503.02531; each loss and strategy names its own',
  options: DistilOptions,
  preflight: (model, options) => (options.student === undefined ? trainingProblems(model) : []),
  run,
})

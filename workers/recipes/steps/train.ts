import { crossEntropy } from '../../train/losses.ts'
import { untrainable } from '../../train/differentiate.ts'
import { trainability } from '../../train/source.ts'
import type { Model } from '../../graph/graph.ts'
import { preprocessingFor, withPreprocessing } from '../../datasets/index.ts'
import { retrain, RetrainOptions } from '../distil/retrain.ts'
import { fit } from '../fit.ts'
import { step, type StepContext, type StepResult } from '../step.ts'
import { fitOptions, TrainingOptions } from './options.ts'

/** The nodes that stand in the way of training a model, one sentence each. */
export function trainingProblems(model: Model): readonly string[] {
  const { blocked } = trainability(model.graph)
  const [first, ...others] = model.graph.requiredInputs
  const unfed =
    others.length === 0
      ? []
      : [
          `samples go to the input "${first?.name ?? ''}", and nothing feeds ${others.map((v) => `"${v.name}"`).join(', ')}: ` +
            'make constants of them (alambic specialize --input name=number)',
        ]
  return [...(blocked.length === 0 ? [] : [untrainable(blocked).message]), ...unfed]
}

async function runFinetune(context: StepContext, options: RetrainOptions): Promise<StepResult> {
  const { model, data } = context
  const preprocessing = preprocessingFor(data, model, options.preprocessing)
  const { graph, ...report } = await retrain(context, model.graph, options, { preprocessing })
  return { model: withPreprocessing({ ...model, graph }, preprocessing), report, stopped: report.stopped }
}

async function run(context: StepContext, options: TrainingOptions): Promise<StepResult> {
  const { model, data } = context
  const preprocessing = preprocessingFor(data, model, options.preprocessing)
  const { labelSmoothing, ignoreIndex } = options
  const loss = crossEntropy({ labelSmoothing, ...(ignoreIndex === undefined ? {} : { ignoreIndex }) })
  const { graph, ...report } = await fit(context, model.graph, {
    ...fitOptions(options),
    losses: [loss],
    preprocessing,
  })
  return { model: withPreprocessing({ ...model, graph }, preprocessing), report, stopped: report.stopped }
}

export const train = step({
  id: 'train',
  family: 'training',
  source: 'Kingma & Ba 2015, arXiv:1412.6980',
  options: TrainingOptions,
  preflight: trainingProblems,
  run,
})

export const finetune = step({
  id: 'finetune',
  family: 'training',
  source: 'Yosinski et al. 2014, arXiv:1411.1792',
  options: RetrainOptions.extend({ lr: RetrainOptions.shape.lr.default(1e-4) }),
  preflight: trainingProblems,
  run: runFinetune,
})

import type { Preprocessing } from '../../datasets/index.ts'
import type { Tensors } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import {
  fakeQuantize,
  planQuantization,
  prepareForQuantization,
  quantizeStatic,
  rangesNeeded,
  trainedQuantization,
} from '../../passes/index.ts'
import { crossEntropy, klDivergence, type LossTerm } from '../../train/losses.ts'
import { fit, type FitOptions, type FitResult } from '../fit.ts'
import type { StepContext } from '../step.ts'
import { withBatch } from '../teacher.ts'
import { schemeOf, type CalibrationOptions, type SchemeOptions } from './options.ts'
import { rangesOf } from './ranges.ts'

export interface QatOptions extends SchemeOptions, CalibrationOptions {
  /** Learn the scales too. */
  readonly learned: boolean
  readonly teacher: 'labels' | 'float' | 'both'
  readonly labelSmoothing: number
  readonly batch: number
  readonly exclude: readonly string[]
  readonly floatOutputs: boolean
  readonly fit: Omit<FitOptions, 'losses' | 'preprocessing' | 'extra'>
  readonly preprocess: Preprocessing
  readonly opset: number
}

export interface QatResult {
  readonly graph: Graph
  readonly before: Graph
  readonly fit: Omit<FitResult, 'graph'>
  readonly warnings: readonly string[]
  readonly layers: number
}

const TEACHER = 'float.logits'

/** What the float model says of a batch: its classes' probabilities are the target, and no labels are needed. */
const followFloat = (weight: number): LossTerm => ({
  name: 'float-model',
  weight,
  build: ({ g, outputs, feed }) => {
    const logits = outputs[0] ?? ''
    return klDivergence(g, feed(TEACHER, 'f32', g.dims(logits)), logits)
  },
})

const lossesOf = ({ teacher, labelSmoothing }: QatOptions): readonly LossTerm[] => [
  ...(teacher === 'float' ? [] : [crossEntropy({ labelSmoothing })]),
  ...(teacher === 'labels' ? [] : [followFloat(1)]),
]

/**
 * Quantization-aware training on a graph whose batch normalizations are folded: fake quantizers with calibrated scales
 * stand behind weights and activations, and the export has exactly what was trained. The float model is the start, and
 * the teacher where that is asked for.
 */
export async function trainQuantized(context: StepContext, options: QatOptions): Promise<QatResult> {
  const before = prepareForQuantization(context.model.graph, Math.max(18, options.opset))
  const scheme = schemeOf(options)
  const plan = planQuantization(before, {
    symmetric: scheme.symmetricActivations,
    exclude: new Set(options.exclude),
    floatOutputs: options.floatOutputs,
  })
  const affine = { symmetric: scheme.symmetricActivations }
  const calibration = await rangesOf(context, before, rangesNeeded(plan), options, { type: scheme.activations, affine })
  const fakeOptions = { scheme, ranges: calibration.ranges, learned: options.learned }
  const fake = fakeQuantize(plan, fakeOptions)
  const teacher = options.teacher === 'labels' ? undefined : await floatTeacher(context, before, options.batch)
  try {
    const { graph: trained, ...report } = await fit(context, fake.graph, {
      ...options.fit,
      losses: lossesOf(options),
      preprocessing: options.preprocess,
      ...(teacher ? { extra: teacher.feeds } : {}),
    })
    const found = trainedQuantization(plan, fake, trained, fakeOptions)
    const constants = [...plan.graph.initializers].map(
      ([name, tensor]) => [name, trained.initializers.get(name) ?? tensor] as const,
    )
    const after = { ...plan, graph: plan.graph.with({ initializers: new Map(constants) }) }
    const { graph } = quantizeStatic(after, { ranges: calibration.ranges, scheme, ...found })
    return { graph, before, fit: report, warnings: calibration.warnings, layers: plan.layers.length }
  } finally {
    await teacher?.close()
  }
}

async function floatTeacher({ executor, threads }: StepContext, graph: Graph, batch: number) {
  const program = await executor.compile(withBatch(graph, batch), threads === undefined ? {} : { threads })
  const [input, output] = [graph.requiredInputs[0]?.name ?? '', graph.outputs[0]?.name ?? '']
  return {
    feeds: async (_indices: Int32Array, x: Tensor): Promise<Tensors> => ({
      [TEACHER]: (await program.run({ [input]: x }))[output] as Tensor,
    }),
    close: () => program.dispose(),
  }
}

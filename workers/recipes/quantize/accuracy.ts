import { preprocessingFor, subset, type Split } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { evaluate, type Evaluation } from '../../measure/accuracy.ts'
import type { StepContext } from '../step.ts'
import type { QuantizeOptions } from './options.ts'

/** Labelled samples to check accuracy with: those kept out of training, else test samples. */
export interface Check {
  readonly split: Split
  readonly labels: Int32Array
  readonly evaluate: (graph: Graph) => Promise<Evaluation>
}

/** Undefined where there are no labels, or the model is no classifier. */
export function checkOf(
  context: StepContext,
  graph: Graph,
  options: Pick<QuantizeOptions, 'preprocessing' | 'checkSamples'>,
): Check | undefined {
  const { data, seed } = context
  const all = [data.splits.validation, data.splits.test].find((s) => s?.labels)
  const rank = asTensor(graph.type(graph.outputs[0]?.name ?? ''))?.shape?.length
  if (!all?.labels || graph.outputs.length !== 1 || (rank !== undefined && rank !== 2)) return undefined
  const split = all.count > options.checkSamples ? subset(all, options.checkSamples, seed) : all
  const preprocessing = preprocessingFor(data, context.model, options.preprocessing)
  return {
    split,
    labels: split.labels as Int32Array,
    evaluate: (candidate) => evaluate(candidate, split, preprocessing, context),
  }
}

/**
 * A model that does not know its data is worth a word before it is quantized: wrong preprocessing looks just so.
 * Undefined when the accuracy is more than three standard errors above guessing the most frequent class.
 */
export function chanceWarning(baseline: Evaluation, labels: Int32Array): string | undefined {
  const counts = new Map<number, number>()
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const chance = Math.max(...counts.values()) / labels.length
  if (baseline.accuracy > chance + 3 * Math.max(baseline.error, Math.sqrt((chance * (1 - chance)) / labels.length))) {
    return undefined
  }
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  return `the float model has ${percent(baseline.accuracy)} of ${baseline.n} samples right, which is no better than guessing (${percent(chance)}): check that the preprocessing is what the model was trained with`
}

import { preprocessingFor, type Dataset, type Split } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { calibrate, calibrationBatch, type Calibration } from '../../measure/calibrate/index.ts'
import { samplesOf } from '../../measure/quantization/index.ts'
import type { AffineOptions, QuantType } from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { StepContext } from '../step.ts'
import type { CalibrationOptions } from './options.ts'

/** Fewer samples than this leave ranges to chance. */
const FEW = 32

/** The split to calibrate with; any will do, labels are not needed. */
export function calibrationSplit(data: Dataset): Split {
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  if (split) return split
  throw new AlambicError('data.none', 'calibration needs samples, and there are none', {
    expected: 'a data set that fits the model',
    found: data.id,
    fix: 'Give one with --data, or use --mode dynamic, weights or fp16, which need none.',
  })
}

/** Finds the ranges of values of a graph over the context's data, and says how far it is. */
export async function rangesOf(
  context: StepContext,
  graph: Graph,
  values: readonly string[],
  options: CalibrationOptions,
  use: { readonly type: QuantType; readonly affine: AffineOptions },
): Promise<Calibration & { readonly samples: number; readonly warnings: readonly string[] }> {
  const split = calibrationSplit(context.data)
  const preprocessing = preprocessingFor(context.data, context.model, options.preprocessing)
  const batch = calibrationBatch(graph, values, options.calibrationBatch)
  const samples = Math.min(options.samples, split.count)
  const started = performance.now()
  const calibration = await calibrate(
    context.executor,
    graph,
    values,
    samplesOf(graph, split, { samples, batch, seed: context.seed, preprocessing }),
    {
      method: options.calibration,
      ...use,
      percentile: options.percentile,
      bins: options.bins,
      quantizedBins: options.quantizedBins,
      threads: context.threads,
      expected: Math.ceil(samples / batch),
      onProgress: (share) =>
        context.journal.progress({
          activity: 'calibrate',
          done: Math.round(share * samples),
          total: samples,
          elapsed: performance.now() - started,
          values: {},
        }),
    },
  )
  const dead = [...calibration.ranges].filter(([, { observed }]) => observed.min === 0 && observed.max === 0)
  return {
    ...calibration,
    samples,
    warnings: [
      ...(samples < FEW ? [`only ${samples} samples were calibrated with; ranges settle at about 100 to 300`] : []),
      ...dead.map(([name]) => `"${name}" was zero for every calibration sample: it carries nothing there`),
    ],
  }
}

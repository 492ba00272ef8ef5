import { Loader, type Preprocessing, type Split } from '../../datasets/index.ts'
import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import type { CalibrationData } from '../calibrate/index.ts'

export interface SampleOptions {
  readonly samples: number
  readonly batch: number
  readonly seed: number
  readonly preprocessing: Preprocessing
}

/** The first `samples` of a split in a seeded order, as batches for the graph's first input; the same every time. */
export function samplesOf(graph: Graph, split: Split, options: SampleOptions): CalibrationData {
  const input = graph.requiredInputs[0]
  const fixed = asTensor(input?.type)?.shape?.[0]
  const batch = Math.min(split.count, typeof fixed === 'number' ? fixed : options.batch)
  const { preprocessing, seed } = options
  const steps = Math.ceil(Math.min(options.samples, split.count) / batch)
  return async function* () {
    const loader = new Loader(split, {
      batch,
      seed,
      preprocessing,
      augmentation: {},
      shuffle: true,
      dropLast: typeof fixed === 'number',
    })
    for (let i = 0; i < Math.min(steps, loader.stepsPerEpoch); i++) {
      const { x } = await loader.batchAt(i)
      yield { feeds: { [input?.name ?? '']: x }, first: i * batch }
    }
  }
}

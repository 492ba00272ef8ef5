import { makeDataset, makeSplit, withSplits, type Dataset } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import type { Model } from '../graph/graph.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { openForRecipe } from '../recipes/open.ts'
import type { StepContext } from '../recipes/step.ts'

/** What a step wrote to its journal. */
export interface Trace {
  readonly events: { readonly kind: string; readonly data: Readonly<Record<string, unknown>> }[]
}

/** A context in which a recipe step runs in this process on onnxruntime, and leaves its trace in memory. */
export function stepContext(model: Model, data: Dataset, more: Partial<StepContext> = {}): StepContext & Trace {
  const events: Trace['events'] = []
  return {
    model,
    source: model,
    data,
    seed: 1,
    threads: 1,
    executor: ortCpu,
    journal: {
      resume: async () => undefined,
      save: async () => undefined,
      due: () => false,
      metrics: () => undefined,
      event: (kind, facts) => void events.push({ kind, data: facts }),
      progress: () => undefined,
    },
    open: (reference) => openForRecipe(reference, 1),
    stopping: () => false,
    ...more,
    events,
  }
}

/** Images of noise, each class around its own picture: easy for a net that learns, hard for one that guesses. */
export function blobs(options: { classes?: number; side?: number; count?: number; noise?: number } = {}): Dataset {
  const { classes = 4, side = 8, count = 800, noise = 60 } = options
  const random = mulberry32(9)
  const pictures = Array.from({ length: classes }, () =>
    Float32Array.from({ length: side * side }, () => 128 + 70 * gaussian(random)),
  )
  const split = (n: number) => {
    const labels = Int32Array.from({ length: n }, (_, i) => i % classes)
    const data = new Uint8Array(n * side * side)
    labels.forEach((label, i) => {
      const picture = pictures[label] as Float32Array
      for (let p = 0; p < picture.length; p++) {
        data[i * picture.length + p] = Math.min(255, Math.max(0, (picture[p] as number) + noise * gaussian(random)))
      }
    })
    return makeSplit({ sample: { height: side, width: side, channels: 1 }, data, labels }, 'blobs')
  }
  const names = Array.from({ length: classes }, (_, i) => `class ${i}`)
  const whole = makeDataset({
    id: 'blobs',
    title: 'blobs',
    classes: names,
    splits: { train: split(count), test: split(count / 2) },
  })
  return withSplits(whole, { validation: 0.2, seed: 1 })
}

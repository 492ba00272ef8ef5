import { noiseFor } from '../graph/noise.ts'
import { hashSeed, mulberry32 } from '../graph/random.ts'
import type { Tensor } from '../graph/tensor.ts'
import { keepAll } from '../train/mode.ts'
import type { StepGraph } from '../train/step.ts'

/** Noise for every batch input of a step graph, each from its own name; labels count through the classes. */
export const stepFeeds = (step: StepGraph, classes: number): Record<string, Tensor> => ({
  ...noiseFor(step.batch, { random: (name) => mulberry32(hashSeed(name)), label: (i) => i % classes }),
  ...keepAll(step.masks),
})

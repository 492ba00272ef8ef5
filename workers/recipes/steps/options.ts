import { z } from 'zod'
import { Augmentation, Preprocessing } from '../../datasets/index.ts'
import type { FitOptions } from '../fit.ts'
import { ParameterRule } from '../rules.ts'
import type { ScheduleSpec } from '../../train/schedules.ts'

/** What every step that trains can be told. Each has a default, so that `{}` is a sensible step. */
export const TrainingOptions = z.strictObject({
  epochs: z.number().int().min(0).default(3).describe('Passes over the training set'),
  batch: z.number().int().min(1).default(128).describe('Samples per step'),
  lr: z.number().positive().default(1e-3).describe('Base learning rate'),
  optimizer: z.enum(['sgd', 'adam', 'adamw', 'rmsprop']).default('adam'),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Of SGD'),
  nesterov: z.boolean().default(false),
  weightDecay: z.number().min(0).default(0),
  parameterRules: z.array(ParameterRule).default([]).describe('What is different for some parameters, by name'),
  schedule: z.enum(['constant', 'step', 'cosine', 'one-cycle']).default('cosine'),
  milestones: z.array(z.number().gt(0).lt(1)).default([0.5, 0.75]).describe('Shares of the run at which "step" falls'),
  gamma: z.number().positive().default(0.1).describe('Factor at each milestone'),
  warmup: z.number().int().min(0).default(0).describe('Steps of linear warm-up'),
  clipNorm: z.number().positive().optional().describe('Largest global gradient norm'),
  ema: z.number().gt(0).lt(1).optional().describe('Decay of the moving average of the weights'),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  ignoreIndex: z.number().int().optional(),
  frozenBatchNorm: z.boolean().default(false).describe('Keep batch-norm statistics as they are'),
  accumulate: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe(
      'Equal parts that a batch is taken in before the weights move: less memory, the same gradient where the loss is a mean over samples; batch normalization then sees a part at a time, and so do losses that compare samples',
    ),
  recompute: z
    .boolean()
    .default(false)
    .describe('Compute activations again in the backward pass instead of keeping them: less memory, more time'),
  validation: z
    .number()
    .min(0)
    .default(0.1)
    .describe('Share or number of training samples kept out to choose the best weights by; 0 keeps the last weights'),
  preprocessing: Preprocessing.optional().describe("The data set's own unless given"),
  augmentation: Augmentation.default({}),
})
export type TrainingOptions = z.output<typeof TrainingOptions>

const schedules: Readonly<Record<TrainingOptions['schedule'], (o: TrainingOptions) => ScheduleSpec>> = {
  constant: ({ warmup }) => ({ kind: 'constant', warmup }),
  step: ({ milestones, gamma, warmup }) => ({ kind: 'step', milestones, gamma, warmup }),
  cosine: ({ warmup }) => ({ kind: 'cosine', warmup }),
  'one-cycle': () => ({ kind: 'one-cycle' }),
}

/** The part of a training loop's options that does not depend on the method. */
export function fitOptions(options: TrainingOptions): Omit<FitOptions, 'losses' | 'preprocessing'> {
  const { optimizer, momentum, nesterov } = options
  return {
    epochs: options.epochs,
    batch: options.batch,
    lr: options.lr,
    optimizer,
    optimizerOptions: optimizer === 'sgd' ? { momentum, nesterov } : {},
    weightDecay: options.weightDecay,
    rules: options.parameterRules,
    schedule: schedules[options.schedule](options),
    clipNorm: options.clipNorm,
    ema: options.ema,
    frozenBatchNorm: options.frozenBatchNorm,
    accumulate: options.accumulate,
    recompute: options.recompute,
    augmentation: options.augmentation,
    validation: options.validation,
  }
}

import { cluster } from './steps/cluster.ts'
import { distil } from './steps/distil.ts'
import { insertBatchnorm } from './steps/insert-batchnorm.ts'
import { packing } from './steps/pack.ts'
import { prune } from './steps/prune.ts'
import { pruneRetrain } from './steps/prune-retrain.ts'
import { finetune, train } from './steps/train.ts'
import type { StepDescription } from './step.ts'

/** Every method that a recipe can name. A new one is a file under `steps/` and a line here. */
const descriptions: readonly Pick<StepDescription, 'id'>[] = [
  // training
  train,
  finetune,
  insertBatchnorm,
  // distillation
  distil,
  // pruning
  prune,
  pruneRetrain,
  // clustering
  cluster,
  packing,
]

export const steps: Readonly<Record<string, StepDescription>> = Object.fromEntries(
  descriptions.map((description) => [description.id, description as StepDescription]),
)

import { adaround } from './steps/adaround.ts'
import { cluster } from './steps/cluster.ts'
import { distil } from './steps/distil.ts'
import { equalize } from './steps/equalize.ts'
import { factorize } from './steps/factorize.ts'
import { insertBatchnorm } from './steps/insert-batchnorm.ts'
import { optimize } from './steps/optimize.ts'
import { packing } from './steps/pack.ts'
import { pruneRetrain } from './steps/prune-retrain.ts'
import { prune } from './steps/prune.ts'
import { qat } from './steps/qat.ts'
import { quantize } from './steps/quantize.ts'
import { slim } from './steps/slim.ts'
import { sparsify } from './steps/sparsify.ts'
import { finetune, train } from './steps/train.ts'
import type { StepDescription } from './step.ts'

/** Every method that a recipe can name. A new one is a file under `steps/` and a line here. */
export const steps: Readonly<Record<string, StepDescription>> = Object.fromEntries(
  [
    adaround,
    cluster,
    distil,
    equalize,
    factorize,
    insertBatchnorm,
    optimize,
    packing,
    pruneRetrain,
    prune,
    qat,
    quantize,
    slim,
    sparsify,
    finetune,
    train,
  ].map((description) => [description.id, description as StepDescription]),
)

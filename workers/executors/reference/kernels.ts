import type { Kernel, Kernels } from './call.ts'
import { activations } from './kernels/activations.ts'
import { alambic } from './kernels/alambic.ts'
import { attentions, contribAttentions } from './kernels/attention.ts'
import { casts } from './kernels/cast.ts'
import { contrib } from './kernels/contrib.ts'
import { controls } from './kernels/control.ts'
import { convolutions } from './kernels/conv.ts'
import { elementwise } from './kernels/elementwise.ts'
import { generators } from './kernels/generate.ts'
import { indexing } from './kernels/indexing.ts'
import { logic } from './kernels/logic.ts'
import { losses } from './kernels/losses.ts'
import { linear } from './kernels/matmul.ts'
import { normalizations } from './kernels/normalization.ts'
import { pools } from './kernels/pool.ts'
import { contribQuantizers, quantizers } from './kernels/quantize.ts'
import { recurrents } from './kernels/recurrent.ts'
import { reductions } from './kernels/reduce.ts'
import { regions } from './kernels/regions.ts'
import { resizers } from './kernels/resize.ts'
import { samplers } from './kernels/sampling.ts'
import { shapes } from './kernels/shape.ts'
import { signals } from './kernels/signal.ts'
import { slicing } from './kernels/slicing.ts'
import { texts } from './kernels/strings.ts'

const standard: Kernels = {
  ...elementwise,
  ...logic,
  ...activations,
  ...casts,
  ...linear,
  ...convolutions,
  ...pools,
  ...normalizations,
  ...reductions,
  ...shapes,
  ...slicing,
  ...indexing,
  ...generators,
  ...resizers,
  ...samplers,
  ...regions,
  ...signals,
  ...recurrents,
  ...controls,
  ...quantizers,
  ...attentions,
  ...losses,
  ...texts,
}

/** Every operator's definition, by domain and name; `''` is ONNX's default domain. */
export const kernels: Readonly<Record<string, Kernels>> = {
  '': { ...standard, SimplifiedLayerNormalization: contrib['SimplifiedLayerNormalization'] as Kernel },
  'com.microsoft': { ...contrib, ...contribQuantizers, ...contribAttentions },
  'ai.alambic': alambic,
}

/** Operators of the default domain that deliberately have no definition here, with the reason. */
export const withoutKernel: Readonly<Record<string, string>> = {
  Bernoulli: 'draws random numbers, which no two executors share',
  Multinomial: 'draws random numbers, which no two executors share',
  RandomNormal: 'draws random numbers, which no two executors share',
  RandomNormalLike: 'draws random numbers, which no two executors share',
  RandomUniform: 'draws random numbers, which no two executors share',
  RandomUniformLike: 'draws random numbers, which no two executors share',
  ImageDecoder: 'decodes image files, which is the data pipeline’s work',
  CausalConvWithState: 'is newer than opset 24',
  LinearAttention: 'is newer than opset 24',
}

/** The definition of an operator; undefined when there is none. */
export const kernelOf = (op: string, domain: string): Kernel | undefined => {
  const table = kernels[domain === 'ai.onnx' ? '' : domain]
  return table && Object.hasOwn(table, op) ? table[op] : undefined
}

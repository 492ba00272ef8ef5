import { COMPOSITES } from '../../ops/composites.ts'
import { isDefaultDomain } from '../../graph/schema.ts'
import type { Function, Functions } from './call.ts'
import { convolutionGradients, convolutions } from './functions/conv.ts'
import { elementwise, elementwiseComposites } from './functions/elementwise.ts'
import { indexing } from './functions/indexing.ts'
import { linear } from './functions/linear.ts'
import { normalizationComposites, normalizations } from './functions/norm.ts'
import { poolGradients, pools } from './functions/pool.ts'
import { quantizerComposites, quantizers } from './functions/quant.ts'
import { reductions } from './functions/reduce.ts'
import { resizers } from './functions/resize.ts'
import { shapes } from './functions/shape.ts'

/** Operators of ONNX's own domain. */
const standard: Functions = {
  ...elementwise,
  ...shapes,
  ...reductions,
  ...indexing,
  ...linear,
  ...convolutions,
  ...pools,
  ...normalizations,
  ...quantizers,
  ...resizers,
}

/** The private composites, with TensorFlow's own gradient kernels. */
const composites: Functions = {
  ...elementwiseComposites,
  ...convolutionGradients,
  ...poolGradients,
  ...normalizationComposites,
  ...quantizerComposites,
}

/** What TensorFlow does for an operator; undefined when it does nothing. */
export function functionOf(op: string, domain: string): Function | undefined {
  const table = isDefaultDomain(domain) ? standard : domain === COMPOSITES ? composites : {}
  return Object.hasOwn(table, op) ? table[op] : undefined
}

import type { DecomposeContext, Decomposition } from '../decompose.ts'
import { perChannel } from '../gradient/normalisation.ts'
import { positive, range } from '../gradient/rule.ts'
import type { Emitter } from '../emit.ts'

interface Normalised {
  readonly y: string
  readonly mean: string
  readonly inverse: string
}

/** (x − mean)/√(variance + ε) over some axes, the variance biased. */
function standardise(g: Emitter, x: string, axes: readonly number[], epsilon: number): Normalised {
  const mean = g.mean(x, axes)
  const centred = g.sub(x, mean)
  const inverse = g.reciprocal(g.sqrt(g.add(g.mean(g.square(centred), axes), epsilon)))
  return { y: g.mul(centred, inverse), mean, inverse }
}

/** Ba et al. 2016, arXiv:1607.06450. Axes from `axis` to the last. */
function layerNorm({ g, node, attr }: DecomposeContext): string[] {
  const [x = '', scale = '', bias = ''] = node.inputs
  const rank = g.rank(x)
  const axes = range(rank).slice(positive((attr['axis'] as number | undefined) ?? -1, rank))
  const { y, mean, inverse } = standardise(g, x, axes, epsilonOf(attr))
  const scaled = g.mul(y, scale)
  return [bias ? g.add(scaled, bias) : scaled, mean, inverse]
}

/** Zhang & Sennrich 2019, arXiv:1910.07467. */
function rmsNorm({ g, node, attr }: DecomposeContext): string[] {
  const [x = '', scale = ''] = node.inputs
  const rank = g.rank(x)
  const axes = range(rank).slice(positive((attr['axis'] as number | undefined) ?? -1, rank))
  const inverse = g.reciprocal(g.sqrt(g.add(g.mean(g.square(x), axes), epsilonOf(attr))))
  return [g.mul(g.mul(x, inverse), scale)]
}

function instanceNorm({ g, node, attr }: DecomposeContext): string[] {
  const [x = '', scale = '', bias = ''] = node.inputs
  const { y } = standardise(g, x, range(g.rank(x)).slice(2), epsilonOf(attr))
  return [g.add(g.mul(y, perChannel(g, scale, x)), perChannel(g, bias, x))]
}

/** Wu & He 2018, arXiv:1803.08494. Scale and bias are per group in opset 18, per channel from 21 on. */
function groupNorm({ g, node, attr }: DecomposeContext): string[] {
  const [x = '', scale = '', bias = ''] = node.inputs
  const groups = (attr['num_groups'] as number | undefined) ?? 1
  const dims = g.dims(x)
  const grouped = g.reshape(x, [dims[0] as number, groups, -1])
  const { y } = standardise(g, grouped, [2], epsilonOf(attr))
  const perGroup = g.dims(scale)[0] === groups && dims[1] !== groups
  if (perGroup) {
    const affine = g.add(g.mul(y, g.unsqueeze(scale, [1])), g.unsqueeze(bias, [1]))
    return [g.reshape(affine, dims)]
  }
  return [g.add(g.mul(g.reshape(y, dims), perChannel(g, scale, x)), perChannel(g, bias, x))]
}

function meanVariance({ g, node, attr }: DecomposeContext): string[] {
  const [x = ''] = node.inputs
  const axes = (attr['axes'] as readonly number[] | undefined) ?? [0, 2, 3]
  const centred = g.sub(x, g.mean(x, axes))
  return [g.div(centred, g.add(g.sqrt(g.mean(g.square(centred), axes)), 1e-9))]
}

const epsilonOf = (attr: DecomposeContext['attr']): number => (attr['epsilon'] as number | undefined) ?? 1e-5

export const normDecompositions: Readonly<Record<string, Decomposition>> = {
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  MeanVarianceNormalization: meanVariance,
}

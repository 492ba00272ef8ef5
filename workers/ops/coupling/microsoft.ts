import { multiHead, packedAttention, rotary } from './attention.ts'
import { fixed, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRule } from './call.ts'
import { broadcast, same } from './elementwise.ts'
import { linear } from './linear.ts'

/** γ, β and a bias of the last axis after the sum of two tensors. */
const skipNorm =
  (vectors: readonly number[]) =>
  (c: CouplingCall): Coupled => {
    const [a, b] = [c.axes(0), c.axes(1)]
    if (a?.length !== b?.length || !a || !b) return c.barrier('its ranks differ')
    const out = a.map((axis, k) => c.join(axis, b[k] as Axis, 'it adds them'))
    for (const i of vectors) c.perChannel(i, out.at(-1) as Axis, 'scale', 'it scales every channel')
    const statistic = out.map((axis, k) => (k === out.length - 1 ? fixed('a statistic') : axis))
    return { outputs: c.node.outputs.map((_, k) => (k === 0 || k === 3 ? out : statistic)) }
  }

const lastAxis =
  (vectors: readonly number[]) =>
  (c: CouplingCall): Coupled => {
    const axes = c.axes(0)
    if (!axes) return c.barrier('its rank is not known')
    for (const i of vectors) c.perChannel(i, axes.at(-1) as Axis, 'scale', 'it scales every channel')
    const statistic = axes.map((axis, k) => (k === axes.length - 1 ? fixed('a statistic') : axis))
    return { outputs: c.node.outputs.map((_, k) => (k === 0 ? axes : statistic)) }
  }

const biased = (c: CouplingCall): Coupled =>
  broadcast(
    c,
    [0, 1].filter((i) => c.has(i)),
  )

const fusedConv = (c: CouplingCall): Coupled => {
  const result = (linear.Conv as CouplingRule<never>)(c as never)
  const [out] = result.outputs
  if (c.has(3) && out) c.axes(3)?.forEach((axis, k) => c.join(out[k] as Axis, axis, 'it adds them'))
  return result
}

const fusedMatMul = (c: CouplingCall): Coupled => {
  const moves = ['transA', 'transB', 'transBatchA', 'transBatchB'].some((name) => c.int(name))
  return moves ? c.barrier('a transposed product') : (linear.MatMul as CouplingRule<never>)(c as never)
}

/** Operators that onnxruntime adds (docs/ContribOperators.md); those that are not here are barriers. */
export const microsoft: Readonly<Record<string, CouplingRule>> = {
  Attention: packedAttention,
  MultiHeadAttention: multiHead,
  RotaryEmbedding: rotary,
  BiasAdd: biased,
  BiasGelu: biased,
  FastGelu: biased,
  Gelu: same,
  QuickGelu: same,
  FusedConv: fusedConv,
  FusedGemm: linear.Gemm,
  FusedMatMul: fusedMatMul,
  LayerNormalization: lastAxis([1, 2]),
  SimplifiedLayerNormalization: lastAxis([1]),
  SkipLayerNormalization: skipNorm([2, 3, 4]),
  SkipSimplifiedLayerNormalization: skipNorm([2, 3]),
}

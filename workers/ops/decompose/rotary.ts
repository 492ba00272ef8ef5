import { attributesOf } from '../../graph/attributes.ts'
import type { DecomposeContext, Decomposition } from '../decompose.ts'
import type { Emitter } from '../emit.ts'

/**
 * Su et al. 2021, arXiv:2104.09864, eq. 34: pairs of features are turned by an angle of their position. Pairs are
 * neighbours where `interleaved`, else a feature of the first half and one of the second. x `[B, S, heads·d]` or
 * `[B, heads, S, d]`; cos and sin `[positions, d/2]` read at `position_ids`, or `[B, S, d/2]`.
 */
export const rotaryEmbedding: Decomposition = ({ g, node }: DecomposeContext) => {
  const [input = '', cosines = '', sines = '', positions = ''] = node.inputs
  const {
    num_heads: heads = 1,
    rotary_embedding_dim: partly = 0,
    interleaved = 0,
  } = attributesOf(node, 'RotaryEmbedding')
  const flat = g.rank(input) === 3
  const x = flat ? g.transpose(g.reshape(input, [0, 0, heads, -1]), [0, 2, 1, 3]) : input
  const dims = g.dims(x)
  const size = dims[3] as number
  const rotated = partly === 0 ? size : partly
  const angle = (table: string) => g.unsqueeze(positions === '' ? table : g.op('Gather', [table, positions]), [1])
  const turned = turn(g, g.slice(x, [3], [0], [rotated]), [angle(cosines), angle(sines)], interleaved === 1)
  const y = rotated === size ? turned : g.concat([turned, g.slice(x, [3], [rotated], [size])], 3)
  return [flat ? g.reshape(g.transpose(y, [0, 2, 1, 3]), g.dims(input)) : y]
}

function turn(g: Emitter, x: string, [cos, sin]: readonly [string, string], interleaved: boolean): string {
  const dims = g.dims(x)
  const half = (dims[3] as number) / 2
  const pairs = g.reshape(x, [...dims.slice(0, 3), ...(interleaved ? [half, 2] : [2, half])])
  const axis = interleaved ? 4 : 3
  const [a, b] = [0, 1].map((i) => g.squeeze(g.slice(pairs, [axis], [i], [i + 1]), [axis])) as [string, string]
  const turned = [g.sub(g.mul(a, cos), g.mul(b, sin)), g.add(g.mul(a, sin), g.mul(b, cos))]
  return g.reshape(
    g.concat(
      turned.map((part) => g.unsqueeze(part, [axis])),
      axis,
    ),
    dims,
  )
}

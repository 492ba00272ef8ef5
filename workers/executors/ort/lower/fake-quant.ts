import { alignedScale, boundsOf } from '../../../ops/gradient/fake-quant.ts'
import type { Names } from '../../../ops/gradient/rule.ts'
import type { Lowering } from '../lower.ts'

/** s·clamp(rhe(x/s), low, high), four operators that each run over the tensor once. */
export const fakeQuant: Lowering = ({ g, node, attr }) => {
  const [x = ''] = node.inputs
  const [low, high] = boundsOf(attr)
  const scale = alignedScale({ g, x, inputs: node.inputs as Names, attr })
  const rounded = g.op('Round', [g.div(x, scale)])
  const clamped = g.op('Clip', [rounded, g.scalar(low, 'f32'), g.scalar(high, 'f32')])
  return [g.mul(clamped, scale)]
}

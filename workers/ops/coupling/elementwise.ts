import type { OpType } from '../../graph/schema.ts'
import { fixed, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules } from './call.ts'

/** Every output has the axes of input 0; further inputs are scalars. */
export const same = <A>(c: CouplingCall<A>): Coupled => ({ outputs: c.node.outputs.map(() => c.axes(0)) })

/** Broadcasting arithmetic: operands share what they do not repeat (ONNX broadcasting, aligned from the right). */
export function broadcast<A>(c: CouplingCall<A>, inputs: readonly number[] = c.inputsFrom(0)): Coupled {
  const shape = c.outShape()
  if (!shape || inputs.some((i) => !c.axes(i))) return c.barrier('its shapes are not known')
  const why = `${c.node.op} combines them element by element`
  const out = shape.map((dim, k): Axis => {
    const parts = inputs.flatMap((i) => {
      const axes = c.axes(i) ?? []
      const at = k - shape.length + axes.length
      const axis = axes[at]
      return axis && (c.shape(i)?.[at] === dim || dim === '?') ? [axis] : []
    })
    return parts.length > 0 ? c.joinAll(parts, why) : fixed(`${c.label}: its size is open`)
  })
  for (const i of inputs) c.weight(i, ...(c.axes(i) ?? []).map(() => 'operand' as const))
  return { outputs: c.node.outputs.map(() => out) }
}

/** Elementwise but along one axis, whose elements depend on each other. */
const exceptAxis =
  (what: string, fallback: number) =>
  (c: CouplingCall<{ readonly axis?: number }>): Coupled => {
    const axes = c.axes(0)
    if (!axes) return c.barrier('the rank of its input is not known')
    const axis = c.attr.axis ?? fallback
    // Before opset 13 Softmax flattened everything from its axis on.
    const flattened = c.opset < 13 && ['Softmax', 'LogSoftmax', 'Hardmax'].includes(c.node.op)
    const first = axis < 0 ? axis + axes.length : axis
    axes.forEach((a, k) => (flattened ? k >= first : k === first) && c.pin(a, what))
    return { outputs: [axes] }
  }

const unary = [
  ...(['Abs', 'Acos', 'Acosh', 'Asin', 'Asinh', 'Atan', 'Atanh', 'Bernoulli', 'BitwiseNot', 'Cast', 'Ceil'] as const),
  ...(['Celu', 'Clip', 'Cos', 'Cosh', 'Dropout', 'Elu', 'Erf', 'Exp', 'Floor', 'Gelu', 'HardSigmoid'] as const),
  ...(['HardSwish', 'Identity', 'IsInf', 'IsNaN', 'LeakyRelu', 'Log', 'Mish', 'Neg', 'Not', 'Reciprocal'] as const),
  ...(['RandomNormalLike', 'RandomUniformLike', 'Relu', 'Round', 'Selu', 'Shrink', 'Sigmoid', 'Sign', 'Sin'] as const),
  ...(['Sinh', 'Softplus', 'Softsign', 'Sqrt', 'Swish', 'Tan', 'Tanh', 'ThresholdedRelu'] as const),
] as const satisfies readonly OpType[]

const arithmetic = [
  ...(['Add', 'And', 'BitShift', 'BitwiseAnd', 'BitwiseOr', 'BitwiseXor', 'Div', 'Equal', 'Greater'] as const),
  ...(['GreaterOrEqual', 'Less', 'LessOrEqual', 'Max', 'Mean', 'Min', 'Mod', 'Mul', 'Or', 'Pow', 'Sub'] as const),
  ...(['Sum', 'Where', 'Xor'] as const),
] as const satisfies readonly OpType[]

/** One rule for many operators. */
export const all = <Op extends OpType, Rule>(ops: readonly Op[], rule: Rule): Record<Op, Rule> =>
  Object.fromEntries(ops.map((op) => [op, rule])) as Record<Op, Rule>

export const elementwise = {
  ...all(unary, same),
  ...all(arithmetic, <A>(c: CouplingCall<A>) => broadcast(c)),
  CastLike: same,
  PRelu: (c) => {
    const result = broadcast(c, [0, 1])
    c.weight(1, ...(c.axes(1) ?? []).map(() => 'operand' as const))
    return result
  },
  Softmax: exceptAxis('the softmax runs over these channels', -1),
  LogSoftmax: exceptAxis('the softmax runs over these channels', -1),
  Hardmax: exceptAxis('the maximum runs over these channels', -1),
  LpNormalization: exceptAxis('it normalizes over these channels', -1),
} satisfies CouplingRules

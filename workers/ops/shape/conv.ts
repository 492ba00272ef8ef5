import { tensorType, type Dim, type Shape } from '../../graph/types.ts'
import { add, exactDivide, isNumber, multiply, subtract, unify } from '../dims.ts'
import { likeInput, spellShape, type Call, type TypeRules } from './call.ts'
import { isSame, slidShape, windowsOf, extent, type WindowAttributes } from './window.ts'

interface ConvAttributes extends WindowAttributes {
  readonly group?: number | undefined
}

/** The output shape of a convolution of input `x` with weight `w` ([M, C/group, …kernel]). */
export function convShape<A extends ConvAttributes>(c: Call<A>, x = 0, w = 1): Shape | undefined {
  const [input, weight] = [c.shape(x), c.shape(w)]
  const kernel = c.attr.kernel_shape ?? weight?.slice(2)
  if (!input || !kernel) {
    const rank = input?.length ?? weight?.length
    return rank === undefined
      ? undefined
      : [input?.[0] ?? '?', weight?.[0] ?? '?', ...new Array<Dim>(Math.max(0, rank - 2)).fill('?')]
  }
  checkRanks(c, input, weight, kernel)
  checkGroups(c, input[1] ?? '?', weight)
  return [input[0] ?? '?', weight?.[0] ?? '?', ...slidShape(c, input.slice(2), windowsOf(c, kernel))]
}

function checkRanks<A>(c: Call<A>, input: Shape, weight: Shape | undefined, kernel: Shape): void {
  if (input.length !== kernel.length + 2 || (weight && weight.length !== input.length)) {
    throw c.contradiction(
      `input, weight and kernel have different numbers of spatial axes`,
      `input of rank ${kernel.length + 2}`,
      `input ${spellShape(input)}, weight ${spellShape(weight)}`,
    )
  }
  for (const [i, size] of kernel.entries()) {
    if (weight && unify(size, weight[i + 2] ?? '?') === undefined) {
      throw c.contradiction(`kernel_shape differs from the weight`, spellShape(weight.slice(2)), spellShape(kernel))
    }
  }
}

function checkGroups<A extends ConvAttributes>(c: Call<A>, channels: Dim, weight: Shape | undefined): void {
  const group = c.attr.group ?? 1
  const [outputs, inputs] = [weight?.[0] ?? '?', weight?.[1] ?? '?']
  if (isNumber(outputs) && outputs % group !== 0) {
    throw c.contradiction(
      `group=${group} does not divide ${outputs} output channels`,
      `a multiple of ${group}`,
      `${outputs}`,
    )
  }
  if (isNumber(channels) && channels % group !== 0) {
    throw c.contradiction(
      `group=${group} does not divide ${channels} input channels`,
      `a multiple of ${group}`,
      `${channels}`,
    )
  }
  if (unify(channels, multiply(inputs, group)) === undefined) {
    throw c.contradiction(
      `its weight is made for ${multiply(inputs, group)} input channels (group=${group}), its input has ${channels}`,
      `${multiply(inputs, group)} input channels`,
      `${channels}`,
    )
  }
}

interface TransposeAttributes extends ConvAttributes {
  readonly output_padding?: readonly number[] | undefined
  readonly output_shape?: readonly number[] | undefined
}

/** Weight of a transposed convolution: [C, M/group, …kernel]. */
export function convTransposeShape<A extends TransposeAttributes>(c: Call<A>): Shape | undefined {
  const [input, weight] = [c.shape(0), c.shape(1)]
  const kernel = c.attr.kernel_shape ?? weight?.slice(2)
  if (!input || !kernel) return undefined
  checkRanks(c, input, weight, kernel)
  const channels = unify(input[1] ?? '?', weight?.[0] ?? '?')
  if (channels === undefined) {
    throw c.contradiction(
      `its weight is made for ${weight?.[0]} input channels, its input has ${input[1]}`,
      `${weight?.[0]}`,
      `${input[1]}`,
    )
  }
  const outputs = multiply(weight?.[1] ?? '?', c.attr.group ?? 1)
  return [input[0] ?? '?', outputs, ...transposedSpatial(c, input.slice(2), kernel)]
}

function transposedSpatial<A extends TransposeAttributes>(c: Call<A>, spatial: Shape, kernel: Shape): Shape {
  const { output_shape: given, output_padding: extra, auto_pad } = c.attr
  // Some exporters write the whole shape, batch and channels too.
  if (given) return given.slice(-spatial.length)
  const windows = windowsOf(c, kernel)
  return spatial.map((size, i) => {
    const window = windows[i]
    if (!window) return '?'
    if (isSame(auto_pad)) return multiply(size, window.stride)
    const covered = add(multiply(subtract(size, 1), window.stride), extent(window))
    return subtract(add(covered, extra?.[i] ?? 0), window.begin + window.end)
  })
}

function col2imShape(c: Call<{ readonly dilations?: readonly number[] | undefined }>): Shape | undefined {
  const [image, block] = [c.sizes(1), c.sizes(2)]
  const axes = image?.length ?? block?.length
  if (axes === undefined) return undefined
  const channels = block ? exactDivide(c.dim(0, 1), block.reduce(multiply, 1)) : '?'
  return [c.dim(0, 0), channels, ...(image ?? new Array<Dim>(axes).fill('?'))]
}

export const conv = {
  Conv: (c) => c.out(c.dtype(0), convShape(c)),
  ConvInteger: (c) => c.out('i32', convShape(c)),
  ConvTranspose: (c) => c.out(c.dtype(0), convTransposeShape(c)),
  DeformConv: (c) => c.out(c.dtype(0), convShape(c)),
  /** x, scale, zero point, w, scale, zero point, scale, zero point of the output, bias. */
  QLinearConv: (c) => c.out(c.dtype(7), convShape(c, 0, 3)),
  Col2Im: (c) => c.out(c.dtype(0), col2imShape(c)),
  CausalConvWithState: (c) => [
    ...likeInput(c),
    tensorType(c.dtype(0), c.shape(0) && [c.dim(0, 0), c.dim(0, 1), subtract(c.dim(1, 2), 1)]),
  ],
} satisfies TypeRules

import { AlambicError } from '../../protocol/errors.ts'
import type { Emitter } from '../emit.ts'
import {
  constantNumbers,
  positive,
  range,
  stops,
  unsupported,
  type GradientContext,
  type GradientTable,
} from './rule.ts'
import { alongAxis } from './shape.ts'
import { resizeMatrix } from './resize.ts'

/** Rows that were read more than once add up their gradients. */
function gather({ g, inputs: [data, indices], dy, attr }: GradientContext<'Gather'>): (string | undefined)[] {
  const rank = g.rank(data)
  const axis = positive(attr.axis ?? 0, rank)
  const wide = g.rank(indices)
  // Bring the indexed axis to the front of both, scatter whole rows, and put it back.
  const toFront = [axis, ...range(rank).filter((i) => i !== axis)]
  const dyToFront = [
    ...range(wide).map((i) => axis + i),
    ...range(axis),
    ...range(rank - axis - 1).map((i) => axis + wide + i),
  ]
  const zeros = g.transpose(g.zerosLike(data), toFront)
  const rows = g.unsqueeze(nonNegative(g, indices, data, axis), [-1])
  const summed = g.op('ScatterND', [zeros, rows, g.transpose(dy, dyToFront)], { reduction: 'add' })
  const back = range(rank).map((i) => toFront.indexOf(i))
  return [g.transpose(summed, back), undefined]
}

/** ScatterND takes negative indices in the specification, but not in every engine. */
function nonNegative(g: Emitter, indices: string, data: string, axis: number): string {
  const wide = g.cast(indices, 'i64')
  return g.where(g.less(wide, 0), g.add(wide, g.dims(data)[axis] as number), wide)
}

function gatherElements({
  g,
  inputs: [data, indices],
  dy,
  attr,
}: GradientContext<'GatherElements'>): (string | undefined)[] {
  return [
    g.op('ScatterElements', [g.zerosLike(data), indices, dy], { axis: attr.axis ?? 0, reduction: 'add' }),
    undefined,
  ]
}

function gatherND({ g, node, inputs: [data, indices], dy, attr }: GradientContext<'GatherND'>): (string | undefined)[] {
  const batch = attr.batch_dims ?? 0
  if (batch === 0) return [g.op('ScatterND', [g.zerosLike(data), indices, dy], { reduction: 'add' }), undefined]
  // Prefix every index with its batch position: then it addresses the whole tensor.
  const dims = g.dims(indices)
  const positions = range(batch).map((axis) => {
    const size = dims[axis] as number
    const ramp = g.reshape(
      g.ints(range(size)),
      [...range(dims.length)].map((i) => (i === axis ? size : 1)),
    )
    return g.expand(ramp, [...dims.slice(0, -1), 1])
  })
  void node
  const full = g.concat([...positions, g.cast(indices, 'i64')], dims.length - 1)
  return [g.op('ScatterND', [g.zerosLike(data), full, dy], { reduction: 'add' }), undefined]
}

function scatterElements(c: GradientContext<'ScatterElements'>): (string | undefined)[] {
  const { g, inputs, dy, attr } = c
  const [, indices, updates] = inputs
  const axis = attr.axis ?? 0
  onlyAssignOrAdd(c, attr.reduction)
  const kept = attr.reduction === 'add' ? dy : g.op('ScatterElements', [dy, indices, g.zerosLike(updates)], { axis })
  return [kept, undefined, g.op('GatherElements', [dy, indices], { axis })]
}

function scatterND(c: GradientContext<'ScatterND'>): (string | undefined)[] {
  const { g, inputs, dy, attr } = c
  const [, indices, updates] = inputs
  onlyAssignOrAdd(c, attr.reduction)
  const kept = attr.reduction === 'add' ? dy : g.op('ScatterND', [dy, indices, g.zerosLike(updates)])
  return [kept, undefined, g.op('GatherND', [dy, indices])]
}

function onlyAssignOrAdd({ node }: GradientContext, reduction: string | undefined): void {
  if (reduction === undefined || reduction === 'none' || reduction === 'add') return
  throw new AlambicError(
    'gradient.scatter',
    `node "${node.name}" (${node.op}): no gradient for reduction "${reduction}"`,
    { subject: node.name, expected: '"none" or "add"', found: reduction },
  )
}

/** Resampling is linear and separable: its gradient goes through the transposed matrix of every axis. */
function resize(c: GradientContext<'Resize'>): (string | undefined)[] {
  const { g, x, y, dy, attr } = c
  const [from, to] = [g.dims(x), g.dims(y)]
  const axes = attr.axes?.map((a) => positive(a, from.length)) ?? range(from.length)
  const scales = constantNumbers(c, 2) ?? []
  const roi = attr.coordinate_transformation_mode === 'tf_crop_and_resize' ? (constantNumbers(c, 1) ?? []) : []
  let grad = dy
  axes.forEach((axis, i) => {
    const [size, out] = [from[axis] as number, to[axis] as number]
    const scale = scales.length > 0 ? (scales[i] as number) : out / size
    if (size === out && scale === 1 && roi.length === 0) return
    const matrix = resizeMatrix(size, out, scale, attr, [roi[i] ?? 0, roi[i + axes.length] ?? 1])
    grad = alongAxis(g, grad, axis, matrix)
  })
  return [grad]
}

/** The k chosen values get their gradients back where they were; indices have none. */
function topK({ g, x, outputs, dy, attr }: GradientContext<'TopK'>): (string | undefined)[] {
  return [g.op('ScatterElements', [g.zerosLike(x), outputs[1], dy], { axis: attr.axis ?? -1 }), undefined]
}

export const indexing = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  Scatter: unsupported('it was replaced by ScatterElements in opset 11; upgrade the model'),
  TensorScatter: unsupported('it updates a cache in place'),
  TopK: topK,
  Resize: resize,
  Upsample: unsupported('it was replaced by Resize in opset 10; upgrade the model'),
  Compress: unsupported('the size of its output depends on values'),
  NonZero: stops('its output is indices'),
  OneHot: stops('its input is indices'),
  Unique: unsupported('the size of its output depends on values'),
} satisfies GradientTable

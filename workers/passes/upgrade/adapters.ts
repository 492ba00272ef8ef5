import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { helper, rewrite, trimmed, type Adapter } from './context.ts'
import { resizeAdapters } from './resize.ts'

const isNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && typeof value[0] === 'number'

/** A list attribute becomes an int64 input behind the first; absent or empty, it is just dropped. */
const listToInput =
  (attribute: string): Adapter =>
  (node, scope) => {
    const values = attributesOf(node)[attribute]
    const [x = ''] = node.inputs
    const inputs = isNumbers(values) ? [x, scope.ints(hint(node, attribute), values)] : [x]
    return rewrite(node, { inputs, attributes: { [attribute]: undefined } })
  }

const hint = (node: Node, what: string): string => `${node.outputs.find((o) => o !== '') ?? node.name}.${what}`

/** Clip's limits become inputs of the data's type. */
const clip11: Adapter = (node, scope) => {
  const { min, max } = attributesOf(node, 'Clip')
  const [x = ''] = node.inputs
  const limit = (name: string, value: number | undefined) =>
    value === undefined ? '' : scope.scalar(hint(node, name), value, scope.dtype(x))
  const inputs = trimmed([x, limit('min', min), limit('max', max)])
  return rewrite(node, { inputs, attributes: { min: undefined, max: undefined } })
}

const pad11: Adapter = (node, scope) => {
  const { pads = [], value = 0, mode = 'constant' } = attributesOf(node, 'Pad')
  const [x = ''] = node.inputs
  const inputs = [x, scope.ints(hint(node, 'pads'), pads)]
  if (mode === 'constant' && value !== 0) inputs.push(scope.scalar(hint(node, 'value'), value, scope.dtype(x)))
  return rewrite(node, { inputs, attributes: { pads: undefined, value: undefined } })
}

const slice10: Adapter = (node, scope) => {
  const { starts = [], ends = [], axes } = attributesOf(node, 'Slice')
  const [x = ''] = node.inputs
  const inputs = [x, scope.ints(hint(node, 'starts'), starts), scope.ints(hint(node, 'ends'), ends)]
  if (axes) inputs.push(scope.ints(hint(node, 'axes'), axes))
  return rewrite(node, { inputs, attributes: { starts: undefined, ends: undefined, axes: undefined } })
}

const topK10: Adapter = (node, scope) => {
  const { k = 1 } = attributesOf(node, 'TopK')
  const inputs = [node.inputs[0] ?? '', scope.ints(hint(node, 'k'), [k])]
  return rewrite(node, { inputs, attributes: { k: undefined } })
}

/** Before 10 the mask had the data's type; now it is boolean. */
const dropout10: Adapter = (node, scope) => {
  const [y = '', mask] = node.outputs
  if (!scope.isRead(mask)) return rewrite(node, { outputs: [y] })
  const bool = scope.fresh(hint(node, 'mask'))
  const to = scope.dtype(node.inputs[0] ?? '') === 'f64' ? 11 : scope.dtype(node.inputs[0] ?? '') === 'f16' ? 10 : 1
  return [rewrite(node, { outputs: [y, bool] }), helper('Cast', [bool], mask as string, { to })]
}

/** The ratio becomes an input. Dropout without `training_mode` stays the identity that it was. */
const dropout12: Adapter = (node, scope) => {
  const { ratio = 0.5 } = attributesOf(node, 'Dropout')
  const inputs = [node.inputs[0] ?? '', scope.scalar(hint(node, 'ratio'), ratio, 'f32')]
  return rewrite(node, { inputs, attributes: { ratio: undefined } })
}

/** `spatial=0` normalized every element by its own statistics; that is plain arithmetic on `[C, D1, …]` parameters. */
const batchNorm9: Adapter = (node, scope) => {
  const { spatial = 1, epsilon = 1e-5 } = attributesOf(node, 'BatchNormalization')
  if (spatial === 1) return rewrite(node, { attributes: { spatial: undefined } })
  if (node.outputs.slice(1).some((o) => scope.isRead(o))) return impossible(node, 'training statistics with spatial=0')
  const [x = '', scale = '', bias = '', mean = '', variance = ''] = node.inputs
  const value = (name: string) => scope.fresh(hint(node, name))
  const [centred, shifted, deviation, normal, scaled] = ['centred', 'shifted', 'deviation', 'normal', 'scaled'].map(
    value,
  ) as [string, string, string, string, string]
  return [
    helper('Sub', [x, mean], centred),
    helper('Add', [variance, scope.scalar(hint(node, 'epsilon'), epsilon, scope.dtype(x))], shifted),
    helper('Sqrt', [shifted], deviation),
    helper('Div', [centred, deviation], normal),
    helper('Mul', [normal, scale], scaled),
    helper('Add', [scaled, bias], node.outputs[0] ?? ''),
  ]
}

/**
 * Up to 9 extra outputs meant training; from 14 on an attribute says so, and the saved statistics are gone. Extra
 * outputs that nothing reads are what exporters left behind on inference graphs.
 */
const batchNorm14: Adapter = (node, scope) => {
  const [y = '', mean = '', variance = '', ...saved] = node.outputs
  if (saved.some((o) => scope.isRead(o))) return impossible(node, 'saved mean and variance')
  if (!scope.isRead(mean) && !scope.isRead(variance)) return rewrite(node, { outputs: [y] })
  return rewrite(node, { outputs: trimmed([y, mean, variance]), attributes: { training_mode: 1 } })
}

/**
 * Until 12 a softmax ran over everything from `axis` on, flattened to one axis. It stays one node where only one of
 * those axes is longer than 1; else it goes through a matrix and back.
 */
const softmax13: Adapter = (node, scope) => {
  const [x = ''] = node.inputs
  const [y = ''] = node.outputs
  const axis = (attributesOf(node)['axis'] as number | undefined) ?? 1
  const shape = scope.type(x)?.shape
  if (shape) {
    const first = axis < 0 ? axis + shape.length : axis
    const long = shape.flatMap((dim, i) => (i >= first && dim !== 1 ? [i] : []))
    if (long.length <= 1 && first < shape.length)
      return rewrite(node, { attributes: { axis: long[0] ?? shape.length - 1 } })
  }
  const [dims, matrix, result] = ['dims', 'matrix', 'result'].map((name) => scope.fresh(hint(node, name))) as [
    string,
    string,
    string,
  ]
  return [
    helper('Shape', [x], dims),
    helper('Flatten', [x], matrix, { axis }),
    rewrite(node, { inputs: [matrix], outputs: [result], attributes: { axis: -1 } }),
    helper('Reshape', [result, dims], y),
  ]
}

/** From 18 on a Split without sizes says how many parts it makes. */
const split18: Adapter = (node) =>
  (node.inputs[1] ?? '') === '' ? rewrite(node, { attributes: { num_outputs: node.outputs.length } }) : node

/** What RoiAlign did before it had a choice. */
const roiAlign16: Adapter = (node) =>
  rewrite(node, { attributes: { coordinate_transformation_mode: 'output_half_pixel' } })

const gridSample20: Adapter = (node) => {
  const { mode = 'bilinear' } = attributesOf(node, 'GridSample')
  const renamed: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' }
  return rewrite(node, { attributes: { mode: renamed[mode] ?? mode } })
}

const dft20: Adapter = (node, scope) => {
  const { axis = 1 } = attributesOf(node, 'DFT')
  const inputs = [node.inputs[0] ?? '', node.inputs[1] ?? '', scope.int(hint(node, 'axis'), axis)]
  return rewrite(node, { inputs, attributes: { axis: undefined } })
}

/** Scale and bias of a group become those of each of its channels. */
const groupNorm21: Adapter = (node, scope) => {
  const { num_groups: groups = 1 } = attributesOf(node, 'GroupNormalization')
  const [x = '', ...affine] = node.inputs
  const channels = scope.type(x)?.shape?.[1]
  if (typeof channels !== 'number') return impossible(node, 'an unknown number of channels')
  if (channels === groups) return node
  const sizes = scope.ints(hint(node, 'sizes'), [groups, channels / groups])
  const one = scope.ints(hint(node, 'axes'), [1])
  const flat = scope.ints(hint(node, 'channels'), [channels])
  const nodes = affine.flatMap((value, i) => {
    const [column, wide] = [scope.fresh(`${value}.column`), scope.fresh(`${value}.wide`)]
    const output = scope.fresh(hint(node, i === 0 ? 'scale' : 'bias'))
    return [
      helper('Unsqueeze', [value, one], column),
      helper('Expand', [column, sizes], wide),
      helper('Reshape', [wide, flat], output),
    ]
  })
  const inputs = [x, nodes[2]?.outputs[0] ?? '', nodes[5]?.outputs[0] ?? '']
  return [...nodes, rewrite(node, { inputs })]
}

function impossible(node: Node, what: string): never {
  throw new AlambicError(
    'upgrade.node',
    `node "${node.name}" (${node.op}): ${what} can not be brought to a newer opset`,
    {
      subject: node.name,
      found: what,
      fix: 'Export the model again with a newer opset.',
    },
  )
}

const axesToInput = listToInput('axes')
const reductions = ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map(
  (kind) => `Reduce${kind}`,
)

/**
 * What changed, by operator and by the version that changed it. An operator or version that is not here went on as it
 * was: it took more element types, negative axes, or an optional input or attribute whose default is the old meaning.
 */
export const adapters: Readonly<Record<string, Readonly<Record<number, Adapter>>>> = {
  ...Object.fromEntries(reductions.map((op) => [op, { 18: axesToInput }])),
  ...resizeAdapters,
  BatchNormalization: { 9: batchNorm9, 14: batchNorm14 },
  Clip: { 11: clip11 },
  DFT: { 20: dft20 },
  Dropout: { 10: dropout10, 12: dropout12 },
  GridSample: { 20: gridSample20 },
  GroupNormalization: { 21: groupNorm21 },
  Hardmax: { 13: softmax13 },
  LogSoftmax: { 13: softmax13 },
  Pad: { 11: pad11 },
  ReduceSum: { 13: axesToInput },
  RoiAlign: { 16: roiAlign16 },
  Scan: { 9: (node) => impossible(node, 'a Scan over batched sequences') },
  Scatter: { 11: (node) => rewrite(node, { op: 'ScatterElements' }) },
  Slice: { 10: slice10 },
  Softmax: { 13: softmax13 },
  Split: { 13: listToInput('split'), 18: split18 },
  Squeeze: { 13: axesToInput },
  TopK: { 10: topK10 },
  Unsqueeze: { 13: axesToInput },
}

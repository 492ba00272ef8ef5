import fc from 'fast-check'
import type { Tensors } from '../executors/executor.ts'
import { Builder } from '../graph/builder.ts'
import type { Graph } from '../graph/graph.ts'
import { mulberry32, type Random } from '../graph/random.ts'
import { i64, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { staticShape, tensorType } from '../graph/types.ts'

export interface RandomGraphOptions {
  /** How many random steps make the graph; most add one node. 8 unless told. */
  readonly steps?: number
  /** f64 for comparison with finite differences. f32 unless told. */
  readonly dtype?: 'f32' | 'f64'
  /** Also operators that have a kink (Relu, Abs, Max …), where finite differences can be off. */
  readonly kinks?: boolean
}

/** A value of known static shape. */
interface Piece {
  readonly name: string
  readonly shape: readonly number[]
}

/** What a step works with. */
interface Draft {
  readonly builder: Builder
  readonly dtype: 'f32' | 'f64'
  readonly pieces: Piece[]
  /** An integer in [0, below). */
  readonly pick: (below: number) => number
  readonly random: Random
}

/** Adds to a draft what continues `x`; undefined where it does not apply. */
type Step = (draft: Draft, x: Piece) => Piece | undefined

/** More elements than this make the checks slow and show nothing new. */
const mostElements = 192

/**
 * A random graph of element-wise, matrix, moving and reducing operators with valid static shapes (opset 17), some
 * values read several times. Every value that nothing reads is an output. The same seed gives the same graph, and
 * fewer steps its beginning, so that a failing property shrinks.
 */
export function randomGraph(seed: number, options: RandomGraphOptions = {}): Graph {
  const random = mulberry32(seed)
  const builder = new Builder()
  const pick = (below: number) => Math.floor(random() * below)
  const draft: Draft = { builder, dtype: options.dtype ?? 'f32', pieces: [], pick, random }
  for (const name of ['x', 'z']) draft.pieces.push(input(draft, name))
  const table = options.kinks ? [...smoothSteps, ...kinkedSteps] : smoothSteps
  for (let i = 0; i < (options.steps ?? 8); i++) {
    const step = table[pick(table.length)] as Step
    // Recent values are likelier, which makes graphs deep.
    const back = Math.min(pick(draft.pieces.length), pick(draft.pieces.length))
    const piece = step(draft, draft.pieces[draft.pieces.length - 1 - back] as Piece)
    if (piece) draft.pieces.push(piece)
  }
  return withOutputs(builder.build(), draft.pieces)
}

/** `randomGraph` over random seeds and 1 to 12 steps. */
export const randomGraphs = (options: Omit<RandomGraphOptions, 'steps'> = {}): fc.Arbitrary<Graph> =>
  fc
    .record({ seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }), steps: fc.integer({ min: 1, max: 12 }) })
    .map(({ seed, steps }) => randomGraph(seed, { ...options, steps }))

/** Random values in [-1, 1) for all inputs of a graph that have static shapes and a dtype of f32 or f64. */
export function randomFeeds(graph: Graph, seed: number): Tensors {
  const random = mulberry32(seed)
  const feeds = graph.requiredInputs.map(({ name, type }): [string, Tensor] => {
    const dtype = type.kind === 'tensor' && type.dtype === 'f64' ? 'f64' : 'f32'
    return [name, randomTensor(random, dtype, staticShape(type) ?? [])]
  })
  return Object.fromEntries(feeds)
}

function randomTensor(random: Random, dtype: 'f32' | 'f64', dims: readonly number[], scale = 1): Tensor {
  const values = Array.from({ length: sizeOf(dims) }, () => scale * (2 * random() - 1))
  return tensorOf(dtype, dims, dtype === 'f64' ? Float64Array.from(values) : Float32Array.from(values))
}

function withOutputs(graph: Graph, pieces: readonly Piece[]): Graph {
  const leaves = pieces.filter(({ name }) => graph.uses(name).length === 0 && graph.producer(name))
  const shown = leaves.length > 0 ? leaves : pieces.slice(0, 1)
  return graph.with({ outputs: shown.map(({ name }) => ({ name, type: graph.type(name) ?? { kind: 'unknown' } })) })
}

function input({ builder, dtype, pick }: Draft, name: string): Piece {
  const shape = Array.from({ length: 1 + pick(3) }, () => 1 + pick(4))
  return { name: builder.input(name, dtype, shape), shape }
}

const constant = ({ builder, dtype, random }: Draft, shape: readonly number[], scale = 1): string =>
  builder.constant('w', randomTensor(random, dtype, shape, scale))

/** Notes the type of a new value. */
function piece({ builder, dtype }: Draft, name: string, shape: readonly number[]): Piece {
  builder.types.set(name, tensorType(dtype, shape))
  return { name, shape }
}

const unary =
  (op: 'Tanh' | 'Sigmoid' | 'Neg' | 'Softplus' | 'Sin' | 'Erf' | 'Identity' | 'Relu' | 'Abs' | 'HardSwish'): Step =>
  (draft, x) =>
    piece(draft, draft.builder.op(op, [x.name]), x.shape)

/** Another value that broadcasts with `x`, else a constant that does: some sizes 1, some leading ones left out. */
function partner(draft: Draft, { name, shape }: Piece): Piece {
  const same = draft.pieces.filter((p) => p.name !== name && String(p.shape) === String(shape))
  if (same.length > 0 && draft.pick(3) > 0) return same[draft.pick(same.length)] as Piece
  const dims = shape.map((d) => (draft.pick(3) === 0 ? 1 : d)).slice(draft.pick(shape.length + 1))
  return { name: constant(draft, dims), shape: dims }
}

const binary =
  (op: 'Add' | 'Sub' | 'Mul' | 'Max' | 'Min'): Step =>
  (draft, x) => {
    const inputs = [x.name, partner(draft, x).name]
    return piece(draft, draft.builder.op(op, draft.pick(2) ? inputs : inputs.reverse()), x.shape)
  }

/** x / (1 + y²): the divisor stays away from zero. */
const divide: Step = (draft, x) => {
  const { builder, dtype } = draft
  const y = partner(draft, x)
  const one = builder.constant('one', tensorOf(dtype, [], dtype === 'f64' ? Float64Array.of(1) : Float32Array.of(1)))
  const square = piece(draft, builder.op('Mul', [y.name, y.name]), y.shape)
  const divisor = piece(draft, builder.op('Add', [square.name, one]), y.shape)
  return piece(draft, builder.op('Div', [x.name, divisor.name]), x.shape)
}

const matMul: Step = (draft, x) => {
  const depth = x.shape.at(-1)
  if (x.shape.length < 2 || depth === undefined) return undefined
  const width = 1 + draft.pick(4)
  const w = constant(draft, [depth, width], 1 / Math.sqrt(depth))
  return piece(draft, draft.builder.op('MatMul', [x.name, w]), [...x.shape.slice(0, -1), width])
}

const gemm: Step = (draft, x) => {
  const [rows, depth] = x.shape
  if (x.shape.length !== 2 || rows === undefined || depth === undefined) return undefined
  const width = 1 + draft.pick(4)
  const [transA, transB] = [draft.pick(2), draft.pick(2)]
  const [m, k] = transA ? [depth, rows] : [rows, depth]
  const w = constant(draft, transB ? [width, k] : [k, width], 1 / Math.sqrt(k))
  const attributes = { transA, transB, alpha: 0.5, beta: 2 }
  return piece(draft, draft.builder.op('Gemm', [x.name, w, constant(draft, [width])], attributes), [m, width])
}

const transpose: Step = (draft, x) => {
  const perm = x.shape.map((_, i) => i)
  for (let i = perm.length - 1; i > 0; i--) {
    const j = draft.pick(i + 1)
    ;[perm[i], perm[j]] = [perm[j] as number, perm[i] as number]
  }
  const shape = perm.map((axis) => x.shape[axis] as number)
  return piece(draft, draft.builder.op('Transpose', [x.name], { perm }), shape)
}

/** Joins the sizes on both sides of a random axis, or puts a size of 1 in. */
const reshape: Step = (draft, x) => {
  const axis = draft.pick(x.shape.length + 1)
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis)]
  const shape = draft.pick(2) ? [...before, 1, ...after] : [sizeOf(before), sizeOf(after)]
  if (shape.length > 4) return undefined
  return piece(draft, draft.builder.op('Reshape', [x.name, draft.builder.constant('shape', i64(shape))]), shape)
}

const reduce: Step = (draft, x) => {
  if (x.shape.length < 2) return undefined
  const axis = draft.pick(x.shape.length)
  const keepdims = draft.pick(2)
  const shape = x.shape.flatMap((d, i) => (i !== axis ? [d] : keepdims ? [1] : []))
  const { builder } = draft
  const name = draft.pick(2)
    ? builder.op('ReduceSum', [x.name, builder.constant('axes', i64([axis]))], { keepdims })
    : builder.op('ReduceMean', [x.name], { axes: [axis], keepdims })
  return piece(draft, name, shape)
}

const concat: Step = (draft, x) => {
  if (2 * sizeOf(x.shape) > mostElements || x.shape.length === 0) return undefined
  const axis = draft.pick(x.shape.length)
  const shape = x.shape.map((d, i) => (i === axis ? 2 * d : d))
  const same = draft.pieces.filter((p) => String(p.shape) === String(x.shape))
  const other = same[draft.pick(same.length)] ?? x
  return piece(draft, draft.builder.op('Concat', [x.name, other.name], { axis }), shape)
}

const softmax =
  (op: 'Softmax' | 'LogSoftmax'): Step =>
  (draft, x) =>
    x.shape.length === 0 ? undefined : piece(draft, draft.builder.op(op, [x.name], { axis: -1 }), x.shape)

/** A convolution over all axes but the first two, kernel 2, padded at the end so that sizes stay. */
const conv: Step = (draft, x) => {
  const [, channels, ...spatial] = x.shape
  if (channels === undefined || spatial.length === 0) return undefined
  const group = draft.pick(2) ? channels : 1
  const filters = group * (1 + draft.pick(2))
  const w = constant(draft, [filters, channels / group, ...spatial.map(() => 2)], 0.5)
  const pads = [...spatial.map(() => 0), ...spatial.map(() => 1)]
  const name = draft.builder.op('Conv', [x.name, w, constant(draft, [filters])], { group, pads })
  return piece(draft, name, [x.shape[0] as number, filters, ...spatial])
}

const averagePool: Step = (draft, x) => {
  const [n, channels, ...spatial] = x.shape
  if (n === undefined || channels === undefined || spatial.length === 0 || spatial.some((d) => d < 2)) return undefined
  const window = { kernel_shape: spatial.map(() => 2), count_include_pad: draft.pick(2) }
  const pads = [...spatial.map(() => 0), ...spatial.map(() => 1)]
  return piece(draft, draft.builder.op('AveragePool', [x.name], { ...window, pads }), x.shape)
}

const layerNorm: Step = (draft, x) => {
  const size = x.shape.at(-1)
  // A single number minus its own mean is zero: no gradient, and a division by √ε.
  if (size === undefined || size < 2) return undefined
  const [scale, bias] = [constant(draft, [size]), constant(draft, [size])]
  return piece(draft, draft.builder.op('LayerNormalization', [x.name, scale, bias], { epsilon: 0.1 }), x.shape)
}

/** Part of an axis, sometimes backwards. */
const slice: Step = (draft, x) => {
  if (x.shape.length === 0) return undefined
  const axis = draft.pick(x.shape.length)
  const size = x.shape[axis] as number
  const back = draft.pick(2) === 1
  const start = draft.pick(size)
  const count = back ? start + 1 : size - start
  const at = (hint: string, value: number) => draft.builder.constant(hint, i64([value]))
  const end = back ? -size - 1 : size
  const inputs = [x.name, at('starts', start), at('ends', end), at('axes', axis), at('steps', back ? -1 : 1)]
  return piece(draft, draft.builder.op('Slice', inputs), x.shape.with(axis, count))
}

const pad: Step = (draft, x) => {
  if (x.shape.length === 0) return undefined
  const axis = draft.pick(x.shape.length)
  const size = x.shape[axis] as number
  const [before, after] = [draft.pick(2), draft.pick(2)]
  if (sizeOf(x.shape.with(axis, size + before + after)) > mostElements) return undefined
  const zeros = x.shape.map(() => 0)
  const pads = draft.builder.constant('pads', i64([...zeros.with(axis, before), ...zeros.with(axis, after)]))
  const mode = ['constant', 'edge', ...(size > 1 ? ['reflect'] : [])][draft.pick(size > 1 ? 3 : 2)] as string
  return piece(draft, draft.builder.op('Pad', [x.name, pads], { mode }), x.shape.with(axis, size + before + after))
}

/** Rows of an axis, some of them twice. */
const gather: Step = (draft, x) => {
  if (x.shape.length === 0) return undefined
  const axis = draft.pick(x.shape.length)
  const size = x.shape[axis] as number
  const indices = Array.from({ length: 1 + draft.pick(4) }, () => draft.pick(size))
  const shape = x.shape.with(axis, indices.length)
  if (sizeOf(shape) > mostElements) return undefined
  const inputs = [x.name, draft.builder.constant('indices', i64(indices))]
  return piece(draft, draft.builder.op('Gather', inputs, { axis }), shape)
}

const smoothSteps: readonly Step[] = [
  ...(['Tanh', 'Sigmoid', 'Neg', 'Softplus', 'Sin', 'Erf', 'Identity'] as const).map(unary),
  ...(['Add', 'Sub', 'Mul'] as const).map(binary),
  ...[divide, matMul, matMul, gemm, gemm, transpose, reshape, reduce, concat],
  ...[softmax('Softmax'), softmax('LogSoftmax'), conv, conv, averagePool, layerNorm, slice, pad, gather],
]

const kinkedSteps: readonly Step[] = [
  ...(['Relu', 'Abs', 'HardSwish'] as const).map(unary),
  ...(['Max', 'Min'] as const).map(binary),
]

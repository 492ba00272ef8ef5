import { describe, expect, test } from 'vitest'
import { gradientError, type CheckOptions } from '../testing/gradient-check.ts'

/** A graph at opset 18 in one line, and how to feed it. */
type Case = readonly [name: string, text: string, options?: CheckOptions]

const away: CheckOptions = { map: (v) => v + Math.sign(v) * 0.2 }
const positive: CheckOptions = { map: (v) => Math.abs(v) + 0.3 }
const inside: CheckOptions = { map: (v) => Math.tanh(v) * 0.8 }

const unary = (op: string, options: CheckOptions = {}, attributes = ''): Case => [
  `${op}${attributes}`,
  `graph (x: f32[2,3,4]) -> (y) opset 20 { y = ${op}(x) ${attributes} }`,
  options,
]

const cases: readonly Case[] = [
  ...[
    'Neg',
    'Exp',
    'Sigmoid',
    'Tanh',
    'Softplus',
    'Erf',
    'Sin',
    'Cos',
    'Sinh',
    'Cosh',
    'Atan',
    'Asinh',
    'Identity',
    'Mish',
  ].map((op) => unary(op)),
  ...['Relu', 'LeakyRelu', 'Elu', 'Selu', 'Celu', 'Abs', 'Softsign', 'ThresholdedRelu', 'Shrink'].map((op) =>
    unary(op, away),
  ),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => unary(op, positive)),
  ...['Asin', 'Acos', 'Atanh', 'Tan'].map((op) => unary(op, inside)),
  unary('Acosh', { map: (v) => Math.abs(v) + 1.2 }),
  unary('HardSwish', { map: (v) => 2 * v }),
  unary('HardSigmoid', { map: (v) => v }),
  unary('Gelu'),
  unary('Gelu', {}, '{approximate = "tanh"}'),
  unary('Softmax', {}, '{axis = 1}'),
  unary('LogSoftmax', {}, '{axis = -1}'),
  ['Clip', 'graph (x: f32[5]) -> (y) opset 18 { const a: f32[] = [-0.5] const b: f32[] = [0.6] y = Clip(x, a, b) }'],
  ['Add broadcast', 'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Add(a, b) }'],
  ['Sub broadcast', 'graph (a: f32[2,1,3], b: f32[4,1]) -> (y) opset 18 { y = Sub(a, b) }'],
  ['Mul broadcast', 'graph (a: f32[2,3,1], b: f32[1,4]) -> (y) opset 18 { y = Mul(a, b) }'],
  ['Div broadcast', 'graph (a: f32[2,3], b: f32[2,1]) -> (y) opset 18 { y = Div(a, b) }', away],
  ['Pow', 'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Pow(a, b) }', positive],
  ['Max', 'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Max(a, b) }'],
  ['Min', 'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Min(a, b) }'],
  ['Sum', 'graph (a: f32[2,3], b: f32[3], c: f32[1]) -> (y) opset 18 { y = Sum(a, b, c) }'],
  ['Mean', 'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Mean(a, b) }'],
  [
    'Where',
    'graph (c: bool[3], a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Where(c, a, b) }',
    { feeds: { c: [1, 0, 1] } },
  ],
  ['PRelu', 'graph (x: f32[2,3,4], s: f32[3,1]) -> (y) opset 18 { y = PRelu(x, s) }', away],
  ['MatMul', 'graph (a: f32[3,4], b: f32[4,2]) -> (y) opset 18 { y = MatMul(a, b) }'],
  ['MatMul batched', 'graph (a: f32[2,3,4], b: f32[4,2]) -> (y) opset 18 { y = MatMul(a, b) }'],
  ['MatMul broadcast', 'graph (a: f32[2,1,3,4], b: f32[5,4,2]) -> (y) opset 18 { y = MatMul(a, b) }'],
  ['MatMul vector', 'graph (a: f32[4], b: f32[4,2]) -> (y) opset 18 { y = MatMul(a, b) }'],
  ...[0, 1].flatMap((ta) =>
    [0, 1].map((tb): Case => {
      const a = ta ? 'f32[4,3]' : 'f32[3,4]'
      const b = tb ? 'f32[2,4]' : 'f32[4,2]'
      return [
        `Gemm ${ta}${tb}`,
        `graph (a: ${a}, b: ${b}, c: f32[2]) -> (y) opset 18 { y = Gemm(a, b, c) {alpha = 0.5, beta = 2.0, transA = ${ta}, transB = ${tb}} }`,
      ]
    }),
  ),
  [
    'Conv',
    'graph (x: f32[2,3,6,5], w: f32[4,3,3,3], b: f32[4]) -> (y) opset 18 { y = Conv(x, w, b) {pads = [1,1,1,1]} }',
  ],
  [
    'Conv stride',
    'graph (x: f32[2,2,7,8], w: f32[4,2,3,2]) -> (y) opset 18 { y = Conv(x, w) {strides = [2,3], pads = [1,0,0,1], dilations = [2,1]} }',
  ],
  [
    'Conv groups',
    'graph (x: f32[2,4,5,5], w: f32[6,2,3,3]) -> (y) opset 18 { y = Conv(x, w) {group = 2, auto_pad = "SAME_UPPER"} }',
  ],
  [
    'Conv depthwise',
    'graph (x: f32[2,3,6,6], w: f32[3,1,3,3]) -> (y) opset 18 { y = Conv(x, w) {group = 3, strides = [2,2], pads = [1,1,1,1]} }',
  ],
  ['Conv 1-d', 'graph (x: f32[2,3,9], w: f32[4,3,3]) -> (y) opset 18 { y = Conv(x, w) {strides = [2]} }'],
  [
    'ConvTranspose',
    'graph (x: f32[2,3,4,4], w: f32[3,2,3,3], b: f32[2]) -> (y) opset 18 { y = ConvTranspose(x, w, b) {strides = [2,2], pads = [1,1,1,1], output_padding = [1,1]} }',
  ],
  [
    'MaxPool',
    'graph (x: f32[2,2,5,5]) -> (y) opset 18 { y = MaxPool(x) {kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]} }',
  ],
  [
    'AveragePool',
    'graph (x: f32[2,2,5,5]) -> (y) opset 18 { y = AveragePool(x) {kernel_shape = [3,3], strides = [2,2], pads = [1,1,1,1]} }',
  ],
  ['LpPool', 'graph (x: f32[1,2,4,4]) -> (y) opset 18 { y = LpPool(x) {kernel_shape = [2,2], p = 3} }', positive],
  ['GlobalAveragePool', 'graph (x: f32[2,3,4,4]) -> (y) opset 18 { y = GlobalAveragePool(x) }'],
  ['GlobalMaxPool', 'graph (x: f32[2,3,4,4]) -> (y) opset 18 { y = GlobalMaxPool(x) }'],
  [
    'BatchNormalization',
    'graph (x: f32[2,3,4], s: f32[3], b: f32[3]) -> (y) opset 18 { const m: f32[3] = [0.1,-0.2,0.3] const v: f32[3] = [1,2,0.5] y = BatchNormalization(x, s, b, m, v) }',
  ],
  [
    'BatchNormTraining',
    'graph (x: f32[3,2,4], s: f32[2], b: f32[2]) -> (y) opset 18, ai.alambic 1 { const m: f32[2] = [0,0] const v: f32[2] = [1,1] y, a, c, d, e = ai.alambic.BatchNormTraining(x, s, b, m, v) {epsilon = 1e-5, momentum = 0.9} }',
  ],
  [
    'LayerNormalization',
    'graph (x: f32[2,3,4], s: f32[4], b: f32[4]) -> (y) opset 18 { y = LayerNormalization(x, s, b) }',
  ],
  [
    'InstanceNormalization',
    'graph (x: f32[2,3,4], s: f32[3], b: f32[3]) -> (y) opset 18 { y = InstanceNormalization(x, s, b) }',
  ],
  ['LRN', 'graph (x: f32[2,5,3,3]) -> (y) opset 18 { y = LRN(x) {size = 3, alpha = 0.5} }'],
  ...[
    'ReduceSum',
    'ReduceMean',
    'ReduceSumSquare',
    'ReduceL2',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMin',
    'ReduceProd',
  ].map((op): Case => [
    op,
    `graph (x: f32[2,3,4]) -> (y) opset 18 { const a: i64[1] = [1] y = ${op}(x, a) {keepdims = 0} }`,
  ]),
  ['ReduceL1', 'graph (x: f32[2,3]) -> (y) opset 18 { y = ReduceL1(x) }', away],
  ['ReduceLogSum', 'graph (x: f32[2,3]) -> (y) opset 18 { const a: i64[1] = [-1] y = ReduceLogSum(x, a) }', positive],
  ['CumSum', 'graph (x: f32[2,4]) -> (y) opset 18 { const a: i64[] = [1] y = CumSum(x, a) {exclusive = 1} }'],
  ['Reshape', 'graph (x: f32[2,6]) -> (y) opset 18 { const s: i64[2] = [3,4] y = Reshape(x, s) }'],
  ['Flatten', 'graph (x: f32[2,3,2]) -> (y) opset 18 { y = Flatten(x) }'],
  ['Transpose', 'graph (x: f32[2,3,4]) -> (y) opset 18 { y = Transpose(x) {perm = [2,0,1]} }'],
  ['Concat', 'graph (a: f32[2,3], b: f32[2,1]) -> (y) opset 18 { y = Concat(a, b) {axis = 1} }'],
  [
    'Split',
    'graph (x: f32[2,5]) -> (y) opset 18 { const s: i64[2] = [2,3] a, b = Split(x, s) {axis = 1} y = Sigmoid(b) }',
  ],
  [
    'Slice',
    'graph (x: f32[6,7]) -> (y) opset 18 { const s: i64[2] = [4,1] const e: i64[2] = [-9,6] const a: i64[2] = [0,1] const t: i64[2] = [-2,2] y = Slice(x, s, e, a, t) }',
  ],
  ['Pad constant', 'graph (x: f32[2,3]) -> (y) opset 18 { const p: i64[4] = [1,0,0,2] y = Pad(x, p) }'],
  [
    'Pad reflect',
    'graph (x: f32[3,4]) -> (y) opset 18 { const p: i64[4] = [1,2,0,1] y = Pad(x, p) {mode = "reflect"} }',
  ],
  ['Pad edge', 'graph (x: f32[3,4]) -> (y) opset 18 { const p: i64[4] = [1,2,0,1] y = Pad(x, p) {mode = "edge"} }'],
  ['Expand', 'graph (x: f32[3,1]) -> (y) opset 18 { const s: i64[3] = [2,3,4] y = Expand(x, s) }'],
  ['Tile', 'graph (x: f32[2,3]) -> (y) opset 18 { const r: i64[2] = [2,3] y = Tile(x, r) }'],
  ['DepthToSpace', 'graph (x: f32[1,8,2,3]) -> (y) opset 18 { y = DepthToSpace(x) {blocksize = 2} }'],
  ['DepthToSpace CRD', 'graph (x: f32[1,8,2,3]) -> (y) opset 18 { y = DepthToSpace(x) {blocksize = 2, mode = "CRD"} }'],
  ['SpaceToDepth', 'graph (x: f32[1,2,4,6]) -> (y) opset 18 { y = SpaceToDepth(x) {blocksize = 2} }'],
  ['Gather', 'graph (x: f32[4,3]) -> (y) opset 18 { const i: i64[2,2] = [0,2,2,-1] y = Gather(x, i) }'],
  ['Gather axis', 'graph (x: f32[2,4,3]) -> (y) opset 18 { const i: i64[3] = [1,1,3] y = Gather(x, i) {axis = 1} }'],
  [
    'GatherElements',
    'graph (x: f32[3,3]) -> (y) opset 18 { const i: i64[2,3] = [0,1,2,2,1,0] y = GatherElements(x, i) }',
  ],
  ['GatherND', 'graph (x: f32[3,3]) -> (y) opset 18 { const i: i64[3,1] = [0,2,2] y = GatherND(x, i) }'],
  ['ScatterND', 'graph (x: f32[4], u: f32[2]) -> (y) opset 18 { const i: i64[2,1] = [1,3] y = ScatterND(x, i, u) }'],
  [
    'Resize linear',
    'graph (x: f32[1,2,3,4]) -> (y) opset 18 { const s: f32[4] = [1,1,2,1.5] y = Resize(x, , s) {mode = "linear"} }',
  ],
  [
    'Resize cubic',
    'graph (x: f32[1,1,4,4]) -> (y) opset 18 { const s: f32[4] = [1,1,1.5,2] y = Resize(x, , s) {mode = "cubic", coordinate_transformation_mode = "align_corners"} }',
  ],
  ['Einsum', 'graph (a: f32[2,3,4], b: f32[4,5]) -> (y) opset 18 { y = Einsum(a, b) {equation = "bij,jk->bik"} }'],
  [
    'LSTM',
    'graph (x: f32[3,2,4], w: f32[1,12,4], r: f32[1,12,3], b: f32[1,24]) -> (y) opset 18 { y = LSTM(x, w, r, b) {hidden_size = 3} }',
  ],
  [
    'GRU',
    'graph (x: f32[3,2,4], w: f32[2,9,4], r: f32[2,9,3], b: f32[2,18]) -> (y) opset 18 { y = GRU(x, w, r, b) {hidden_size = 3, direction = "bidirectional", linear_before_reset = 1} }',
  ],
]

describe('gradient rules agree with central finite differences in float64', () => {
  test.each(cases.map(([name, text, options]) => ({ name, text, options })))('$name', ({ text, options }) => {
    expect(gradientError(text, options)).toBeLessThan(1e-4)
  })
})

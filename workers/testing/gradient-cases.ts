import type { CheckOptions } from './gradient-check.ts'

/** A graph at opset 18 in one line, and how to feed it. */
export type GradientCase = readonly [name: string, text: string, options?: CheckOptions]

const away: CheckOptions = { map: (v) => v + Math.sign(v) * 0.2 }
const positive: CheckOptions = { map: (v) => Math.abs(v) + 0.3 }
const inside: CheckOptions = { map: (v) => Math.tanh(v) * 0.8 }

const unary = (op: string, options: CheckOptions = {}, attributes = ''): GradientCase => [
  `${op}${attributes}`,
  `graph (x: f32[2,3,4]) -> (y) opset 20 { y = ${op}(x) ${attributes} }`,
  options,
]

export const gradientCases: readonly GradientCase[] = [
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
    [0, 1].map((tb): GradientCase => {
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
  ].map((op): GradientCase => [
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
  [
    'Conv 3-d',
    'graph (x: f32[1,2,4,5,4], w: f32[3,2,2,3,2], b: f32[3]) -> (y) opset 18 { y = Conv(x, w, b) {strides = [1,2,1], pads = [1,0,1,0,1,0]} }',
  ],
  [
    'Conv VALID',
    'graph (x: f32[1,2,6,5], w: f32[3,2,3,2]) -> (y) opset 18 { y = Conv(x, w) {auto_pad = "VALID", strides = [2,2]} }',
  ],
  [
    'Conv SAME_LOWER',
    'graph (x: f32[1,2,5,6], w: f32[3,2,2,3]) -> (y) opset 18 { y = Conv(x, w) {auto_pad = "SAME_LOWER", strides = [2,1]} }',
  ],
  [
    'Conv groups and dilations',
    'graph (x: f32[2,4,7,7], w: f32[4,2,3,3]) -> (y) opset 18 { y = Conv(x, w) {group = 2, dilations = [2,2], pads = [2,1,0,1]} }',
  ],
  [
    'ConvTranspose groups',
    'graph (x: f32[1,4,3,4], w: f32[4,3,2,3]) -> (y) opset 18 { y = ConvTranspose(x, w) {group = 2, strides = [2,1], dilations = [1,2]} }',
  ],
  [
    'ConvTranspose SAME_UPPER',
    'graph (x: f32[1,2,3,3], w: f32[2,2,3,3]) -> (y) opset 18 { y = ConvTranspose(x, w) {auto_pad = "SAME_UPPER", strides = [2,2]} }',
  ],
  [
    'ConvTranspose output_shape',
    'graph (x: f32[1,2,3,3], w: f32[2,2,3,3]) -> (y) opset 18 { y = ConvTranspose(x, w) {output_shape = [6,6], strides = [2,2]} }',
  ],
  [
    'ConvTranspose 1-d',
    'graph (x: f32[2,3,4], w: f32[3,2,3]) -> (y) opset 18 { y = ConvTranspose(x, w) {strides = [2]} }',
  ],
  [
    'ConvTranspose 3-d',
    'graph (x: f32[1,2,2,3,2], w: f32[2,2,2,2,2]) -> (y) opset 18 { y = ConvTranspose(x, w) {strides = [2,1,1]} }',
  ],
  [
    'MaxPool ceil and dilations',
    'graph (x: f32[1,2,7,6]) -> (y) opset 18 { y = MaxPool(x) {kernel_shape = [2,2], strides = [2,2], dilations = [2,1], ceil_mode = 1} }',
  ],
  ['MaxPool 1-d', 'graph (x: f32[2,2,7]) -> (y) opset 18 { y = MaxPool(x) {kernel_shape = [3], strides = [2]} }'],
  [
    'MaxPool 3-d',
    'graph (x: f32[1,2,4,4,3]) -> (y) opset 18 { y = MaxPool(x) {kernel_shape = [2,2,2], strides = [2,2,1]} }',
  ],
  [
    'AveragePool with its padding',
    'graph (x: f32[2,2,5,6]) -> (y) opset 18 { y = AveragePool(x) {kernel_shape = [3,2], strides = [2,2], pads = [1,1,1,0], count_include_pad = 1} }',
  ],
  [
    'AveragePool ceil',
    'graph (x: f32[1,2,6,6]) -> (y) opset 18 { y = AveragePool(x) {kernel_shape = [3,3], strides = [2,2], ceil_mode = 1} }',
  ],
  [
    'AveragePool SAME_UPPER',
    'graph (x: f32[1,2,5,5]) -> (y) opset 18 { y = AveragePool(x) {kernel_shape = [2,2], strides = [2,2], auto_pad = "SAME_UPPER"} }',
  ],
  ['LpPool of 2', 'graph (x: f32[1,2,4,5]) -> (y) opset 18 { y = LpPool(x) {kernel_shape = [2,3], strides = [2,1]} }'],
  ['GlobalLpPool', 'graph (x: f32[2,3,4,4]) -> (y) opset 18 { y = GlobalLpPool(x) }'],
  ['GlobalLpPool of 3', 'graph (x: f32[2,3,4]) -> (y) opset 18 { y = GlobalLpPool(x) {p = 3} }', positive],
  ['LpNormalization', 'graph (x: f32[2,3,4]) -> (y) opset 18 { y = LpNormalization(x) {axis = 1} }'],
  ['LpNormalization of 1', 'graph (x: f32[3,4]) -> (y) opset 18 { y = LpNormalization(x) {p = 1} }', away],
  [
    'GroupNormalization per group',
    'graph (x: f32[2,4,3], s: f32[2], b: f32[2]) -> (y) opset 18 { y = GroupNormalization(x, s, b) {num_groups = 2} }',
  ],
  [
    'GroupNormalization per channel',
    'graph (x: f32[2,4,3,2], s: f32[4], b: f32[4]) -> (y) opset 21 { y = GroupNormalization(x, s, b) {num_groups = 2} }',
  ],
  ['RMSNormalization', 'graph (x: f32[2,3,4], s: f32[3,4]) -> (y) opset 23 { y = RMSNormalization(x, s) {axis = 1} }'],
  ['MeanVarianceNormalization', 'graph (x: f32[2,3,2,2]) -> (y) opset 18 { y = MeanVarianceNormalization(x) }'],
  [
    'RMS by hand',
    'graph (x: f32[2,4], s: f32[4]) -> (y) opset 18 { const a: i64[1] = [-1] const two: f32[] = 2 const e: f32[] = 1e-5 q = Pow(x, two) m = ReduceMean(q, a) n = Add(m, e) r = Sqrt(n) h = Div(x, r) y = Mul(h, s) }',
  ],
  [
    'Mod',
    'graph (a: f32[2,3], b: f32[3]) -> (y) opset 18 { y = Mod(a, b) {fmod = 1} }',
    { map: (v) => Math.abs(v) + 0.4 },
  ],
  ['Swish', 'graph (x: f32[2,3]) -> (y) opset 24 { y = Swish(x) {alpha = 1.5} }'],
  [
    'Cast there and back',
    'graph (x: f32[2,3]) -> (y) opset 18 { h = Cast(x) {to = 11} i = Tanh(h) y = Cast(i) {to = 1} }',
  ],
  ['CastLike', 'graph (x: f32[2,3]) -> (y) opset 18 { const d: f64[] = 0 h = CastLike(x, d) y = Sin(h) }'],
  ['Squeeze', 'graph (x: f32[2,1,3]) -> (y) opset 18 { const a: i64[1] = [1] y = Squeeze(x, a) }'],
  ['Unsqueeze', 'graph (x: f32[2,3]) -> (y) opset 18 { const a: i64[2] = [0,-1] y = Unsqueeze(x, a) }'],
  ['Trilu', 'graph (x: f32[3,4]) -> (y) opset 18 { const k: i64[] = 1 y = Trilu(x, k) }'],
  ['Trilu lower', 'graph (x: f32[2,3,4]) -> (y) opset 18 { y = Trilu(x) {upper = 0} }'],
  ['ReverseSequence', 'graph (x: f32[4,3,2]) -> (y) opset 18 { const l: i64[3] = [4,2,3] y = ReverseSequence(x, l) }'],
  [
    'ScatterElements',
    'graph (x: f32[3,3], u: f32[2,3]) -> (y) opset 18 { const i: i64[2,3] = [1,0,2,0,2,1] y = ScatterElements(x, i, u) }',
  ],
  [
    'ScatterElements add',
    'graph (x: f32[2,4], u: f32[2,2]) -> (y) opset 18 { const i: i64[2,2] = [1,1,-1,0] y = ScatterElements(x, i, u) {axis = 1, reduction = "add"} }',
  ],
  [
    'ScatterND add',
    'graph (x: f32[4,2], u: f32[3,2]) -> (y) opset 18 { const i: i64[3,1] = [1,3,1] y = ScatterND(x, i, u) {reduction = "add"} }',
  ],
  [
    'GatherND with batches',
    'graph (x: f32[2,3,2]) -> (y) opset 18 { const i: i64[2,1] = [2,0] y = GatherND(x, i) {batch_dims = 1} }',
  ],
  ['TopK', 'graph (x: f32[2,5]) -> (y) opset 18 { const k: i64[1] = [2] y, i = TopK(x, k) }'],
  ['Pad wrap', 'graph (x: f32[3,4]) -> (y) opset 19 { const p: i64[4] = [1,2,0,1] y = Pad(x, p) {mode = "wrap"} }'],
  [
    'Pad of some axes, cropping',
    'graph (x: f32[2,3,4]) -> (y) opset 18 { const p: i64[4] = [1,-1,0,2] const v: f32[] = 3 const a: i64[2] = [0,2] y = Pad(x, p, v, a) }',
  ],
  [
    'Resize nearest',
    'graph (x: f32[1,2,3,4]) -> (y) opset 18 { const s: f32[4] = [1,1,2,1.5] y = Resize(x, , s) {mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"} }',
  ],
  [
    'Resize to sizes',
    'graph (x: f32[1,1,4,5]) -> (y) opset 18 { const z: i64[4] = [1,1,3,7] y = Resize(x, , , z) {mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"} }',
  ],
  ['Einsum of one operand', 'graph (a: f32[2,3,4]) -> (y) opset 18 { y = Einsum(a) {equation = "bij->jb"} }'],
  [
    'Einsum attention',
    'graph (a: f32[2,3,2,4], b: f32[2,5,2,4]) -> (y) opset 18 { y = Einsum(a, b) {equation = "bqhd,bkhd->bhqk"} }',
  ],
  ['CumSum reverse', 'graph (x: f32[3,4]) -> (y) opset 18 { const a: i64[] = 0 y = CumSum(x, a) {reverse = 1} }'],
  [
    'RotaryEmbedding',
    'graph (x: f32[1,2,3,6], c: f32[4,2], s: f32[4,2]) -> (y) opset 23 { const p: i64[1,3] = [2,0,3] y = RotaryEmbedding(x, c, s, p) {rotary_embedding_dim = 4} }',
  ],
  [
    'RotaryEmbedding, interleaved',
    'graph (x: f32[1,3,8], c: f32[1,3,2], s: f32[1,3,2]) -> (y) opset 23 { y = RotaryEmbedding(x, c, s) {interleaved = 1, num_heads = 2} }',
  ],
  [
    'Attention',
    'graph (q: f32[2,3,4], k: f32[2,5,4], v: f32[2,5,6]) -> (y) opset 23 { y = Attention(q, k, v) {q_num_heads = 2, kv_num_heads = 2} }',
  ],
  [
    'Attention, causal, grouped heads, capped',
    'graph (q: f32[1,4,3,2], k: f32[1,2,3,2], v: f32[1,2,3,2]) -> (y) opset 23 { y = Attention(q, k, v) {is_causal = 1, softcap = 2, scale = 0.7} }',
  ],
  [
    'Attention, masked',
    'graph (q: f32[1,2,2,3], k: f32[1,2,3,3], v: f32[1,2,3,3], m: bool[2,3]) -> (y) opset 23 { y = Attention(q, k, v, m) }',
    { feeds: { m: [1, 0, 1, 0, 0, 0] } },
  ],
  [
    'Attention, with a bias',
    'graph (q: f32[1,2,2,3], k: f32[1,2,3,3], v: f32[1,2,3,3], m: f32[1,2,2,3]) -> (y) opset 23 { y = Attention(q, k, v, m) }',
  ],
  [
    'RNN',
    'graph (x: f32[3,2,4], w: f32[1,3,4], r: f32[1,3,3], b: f32[1,6]) -> (y) opset 18 { y = RNN(x, w, r, b) {hidden_size = 3} }',
  ],
  [
    'LSTM both ways, peepholes',
    'graph (x: f32[2,2,3], w: f32[2,8,3], r: f32[2,8,2], b: f32[2,16], h: f32[2,2,2], c: f32[2,2,2], p: f32[2,6]) -> (y) opset 18 { y = LSTM(x, w, r, b, , h, c, p) {hidden_size = 2, direction = "bidirectional"} }',
  ],
  [
    'LSTM, last cell',
    'graph (x: f32[3,2,3], w: f32[1,8,3], r: f32[1,8,2]) -> (z) opset 18 { y, h, z = LSTM(x, w, r) {hidden_size = 2, direction = "reverse"} }',
  ],
  [
    'GRU',
    'graph (x: f32[3,2,4], w: f32[1,9,4], r: f32[1,9,3], b: f32[1,18]) -> (y) opset 18 { y = GRU(x, w, r, b) {hidden_size = 3} }',
  ],
]

const fused = (name: string, inputs: string, body: string, options: CheckOptions = {}): GradientCase => [
  name,
  `graph (${inputs}) -> (y) opset 18, com.microsoft 1 { ${body} }`,
  options,
]

/** onnxruntime's fused operators, each once at least. */
export const fusedGradientCases: readonly GradientCase[] = [
  fused('Attention', 'x: f32[1,3,4], w: f32[4,12], b: f32[12]', 'y = com.microsoft.Attention(x, w, b) {num_heads = 2}'),
  fused(
    'Attention, causal',
    'x: f32[1,3,4], w: f32[4,12], b: f32[12]',
    'y = com.microsoft.Attention(x, w, b) {num_heads = 2, unidirectional = 1}',
  ),
  fused(
    'MultiHeadAttention',
    'q: f32[1,2,4], k: f32[1,3,4], v: f32[1,3,4], b: f32[12]',
    'y = com.microsoft.MultiHeadAttention(q, k, v, b) {num_heads = 2}',
  ),
  fused(
    'EmbedLayerNormalization',
    'w: f32[5,4], p: f32[3,4], t: f32[2,4], g: f32[4], b: f32[4]',
    'const i: i32[1,3] = [1,4,1] const k: i32[1,3] = [0,1,1] y, m = com.microsoft.EmbedLayerNormalization(i, k, w, p, t, g, b) {epsilon = 1e-5}',
  ),
  fused('BiasAdd', 'x: f32[1,2,3], b: f32[3], z: f32[1,2,3]', 'y = com.microsoft.BiasAdd(x, b, z)'),
  fused('BiasGelu', 'x: f32[2,3], b: f32[3]', 'y = com.microsoft.BiasGelu(x, b)'),
  fused('FastGelu', 'x: f32[2,3], b: f32[3]', 'y = com.microsoft.FastGelu(x, b)'),
  fused('Gelu', 'x: f32[2,3]', 'y = com.microsoft.Gelu(x)'),
  fused('QuickGelu', 'x: f32[2,3]', 'y = com.microsoft.QuickGelu(x)'),
  fused(
    'FusedConv',
    'x: f32[1,2,5,5], w: f32[3,2,3,3], b: f32[3]',
    'y = com.microsoft.FusedConv(x, w, b) {activation = "Tanh", pads = [1,1,1,1]}',
  ),
  fused(
    'FusedConv with a sum',
    'x: f32[1,2,4,4], w: f32[3,2,3,3], b: f32[3], z: f32[1,3,2,2]',
    'y = com.microsoft.FusedConv(x, w, b, z) {activation = "Sigmoid"}',
  ),
  fused(
    'FusedGemm',
    'a: f32[2,3], b: f32[3,4], c: f32[4]',
    'y = com.microsoft.FusedGemm(a, b, c) {activation = "Tanh", alpha = 0.5}',
  ),
  fused('FusedMatMul', 'a: f32[2,4,3], b: f32[2,4,2]', 'y = com.microsoft.FusedMatMul(a, b) {transA = 1, alpha = 0.5}'),
  fused('TransposeMatMul', 'a: f32[2,3], b: f32[4,3]', 'y = com.microsoft.TransposeMatMul(a, b) {transB = 1}'),
  fused(
    'SkipLayerNormalization',
    'x: f32[1,2,4], z: f32[1,2,4], s: f32[4], b: f32[4], c: f32[4]',
    'y = com.microsoft.SkipLayerNormalization(x, z, s, b, c) {epsilon = 1e-5}',
  ),
  fused(
    'SkipSimplifiedLayerNormalization',
    'x: f32[1,2,4], z: f32[1,2,4], s: f32[4]',
    'y = com.microsoft.SkipSimplifiedLayerNormalization(x, z, s) {epsilon = 1e-5}',
  ),
  fused(
    'SimplifiedLayerNormalization',
    'x: f32[1,2,4], s: f32[4]',
    'y = SimplifiedLayerNormalization(x, s) {epsilon = 1e-5}',
  ),
]

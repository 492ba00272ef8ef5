import type { AttributeKind } from './attributes.ts'

/** What the ONNX specification says of an operator of the default domain, over all its versions. */
export interface OperatorSchema {
  /** The opsets in which its definition changed, oldest first. */
  readonly since: readonly number[]
  /** Least and most inputs, optional ones counted in. */
  readonly inputs: readonly [number, number]
  readonly outputs: readonly [number, number]
  /** Every attribute that any version has, with its kind. */
  readonly attributes: Readonly<Record<string, AttributeKind>>
  readonly deprecated?: boolean
}

/** Opsets in which operators that only move data took in new element types. */
const widened = [19, 21, 23, 24, 25] as const

/** Attributes that many operators share. */
const recurrent = {
  activation_alpha: 'floats',
  activation_beta: 'floats',
  activations: 'strings',
  clip: 'float',
  direction: 'string',
  hidden_size: 'int',
  layout: 'int',
  output_sequence: 'int',
} as const
const spatial = { auto_pad: 'string', dilations: 'ints', kernel_shape: 'ints', pads: 'ints', strides: 'ints' } as const
const reduced = { axes: 'ints', keepdims: 'int', noop_with_empty_axes: 'int' } as const
const random = { dtype: 'int', seed: 'float' } as const
const scan = {
  num_scan_inputs: 'int',
  scan_input_axes: 'ints',
  scan_input_directions: 'ints',
  scan_output_axes: 'ints',
  scan_output_directions: 'ints',
} as const
const quantized = { axis: 'int', block_size: 'int', output_dtype: 'int' } as const
const resampled = { coordinate_transformation_mode: 'string', mode: 'string' } as const
const extremum = { axis: 'int', keepdims: 'int', select_last_index: 'int' } as const
const windowed = { output_datatype: 'int', periodic: 'int' } as const
const loss = { ignore_index: 'int', reduction: 'string' } as const
const normalized = { axis: 'int', epsilon: 'float', stash_type: 'int' } as const
const slope = { alpha: 'float', beta: 'float' } as const
const heads = { kv_num_heads: 'int', q_num_heads: 'int', scale: 'float' } as const
const broadcast = { axis: 'int', broadcast: 'int' } as const
const consumed = { consumed_inputs: 'ints' } as const

/** Source: operator schemas of the onnx package 1.23 (`onnx.defs.get_all_schemas_with_history`). */
export const schemas = {
  Abs: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Acos: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Acosh: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Add: { since: [1, 6, 7, 13, 14], inputs: [2, 2], outputs: [1, 1], attributes: { ...broadcast, ...consumed } },
  AffineGrid: { since: [20], inputs: [2, 2], outputs: [1, 1], attributes: { align_corners: 'int' } },
  And: { since: [1, 7], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  ArgMax: { since: [1, 11, 12, 13], inputs: [1, 1], outputs: [1, 1], attributes: extremum },
  ArgMin: { since: [1, 11, 12, 13], inputs: [1, 1], outputs: [1, 1], attributes: extremum },
  Asin: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Asinh: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Atan: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Atanh: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Attention: {
    since: [23, 24, 25],
    inputs: [3, 7],
    outputs: [1, 4],
    attributes: {
      ...heads,
      is_causal: 'int',
      left_window_size: 'int',
      qk_matmul_output_mode: 'int',
      right_window_size: 'int',
      softcap: 'float',
      softmax_precision: 'int',
    },
  },
  AveragePool: {
    since: [1, 7, 10, 11, 19, 22],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { ...spatial, ceil_mode: 'int', count_include_pad: 'int' },
  },
  BatchNormalization: {
    since: [1, 6, 7, 9, 14, 15],
    inputs: [5, 5],
    outputs: [1, 5],
    attributes: {
      ...consumed,
      epsilon: 'float',
      is_test: 'int',
      momentum: 'float',
      spatial: 'int',
      training_mode: 'int',
    },
  },
  Bernoulli: { since: [15, 22], inputs: [1, 1], outputs: [1, 1], attributes: random },
  BitCast: { since: [26], inputs: [1, 1], outputs: [1, 1], attributes: { to: 'int' } },
  BitShift: { since: [11, 28], inputs: [2, 2], outputs: [1, 1], attributes: { direction: 'string' } },
  BitwiseAnd: { since: [18], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  BitwiseNot: { since: [18], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  BitwiseOr: { since: [18], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  BitwiseXor: { since: [18], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  BlackmanWindow: { since: [17], inputs: [1, 1], outputs: [1, 1], attributes: windowed },
  Cast: {
    since: [1, 6, 9, 13, 19, 21, 23, 24, 25, 28],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { round_mode: 'string', saturate: 'int', to: 'int' },
  },
  CastLike: {
    since: [15, ...widened],
    inputs: [2, 2],
    outputs: [1, 1],
    attributes: { round_mode: 'string', saturate: 'int' },
  },
  CausalConvWithState: { since: [27], inputs: [2, 4], outputs: [2, 2], attributes: { activation: 'string' } },
  Ceil: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Celu: { since: [12, 28], inputs: [1, 1], outputs: [1, 1], attributes: { alpha: 'float' } },
  CenterCropPad: { since: [18], inputs: [2, 2], outputs: [1, 1], attributes: { axes: 'ints' } },
  Clip: {
    since: [1, 6, 11, 12, 13],
    inputs: [1, 3],
    outputs: [1, 1],
    attributes: { ...consumed, max: 'float', min: 'float' },
  },
  Col2Im: {
    since: [18],
    inputs: [3, 3],
    outputs: [1, 1],
    attributes: { dilations: 'ints', pads: 'ints', strides: 'ints' },
  },
  Compress: { since: [9, 11, 28], inputs: [2, 2], outputs: [1, 1], attributes: { axis: 'int' } },
  Concat: { since: [1, 4, 11, 13], inputs: [1, Infinity], outputs: [1, 1], attributes: { axis: 'int' } },
  ConcatFromSequence: { since: [11], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int', new_axis: 'int' } },
  Constant: {
    since: [1, 9, 11, 12, 13, ...widened],
    inputs: [0, 0],
    outputs: [1, 1],
    attributes: {
      sparse_value: 'sparse',
      value: 'tensor',
      value_float: 'float',
      value_floats: 'floats',
      value_int: 'int',
      value_ints: 'ints',
      value_string: 'string',
      value_strings: 'strings',
    },
  },
  ConstantOfShape: { since: [9, 20, 21, 23, 24, 25], inputs: [1, 1], outputs: [1, 1], attributes: { value: 'tensor' } },
  Conv: { since: [1, 11, 22], inputs: [2, 3], outputs: [1, 1], attributes: { ...spatial, group: 'int' } },
  ConvInteger: { since: [10], inputs: [2, 4], outputs: [1, 1], attributes: { ...spatial, group: 'int' } },
  ConvTranspose: {
    since: [1, 11, 22],
    inputs: [2, 3],
    outputs: [1, 1],
    attributes: { ...spatial, group: 'int', output_padding: 'ints', output_shape: 'ints' },
  },
  Cos: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Cosh: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  CumProd: { since: [26], inputs: [2, 2], outputs: [1, 1], attributes: { exclusive: 'int', reverse: 'int' } },
  CumSum: { since: [11, 14], inputs: [2, 2], outputs: [1, 1], attributes: { exclusive: 'int', reverse: 'int' } },
  DFT: {
    since: [17, 20],
    inputs: [1, 3],
    outputs: [1, 1],
    attributes: { axis: 'int', inverse: 'int', onesided: 'int' },
  },
  DeformConv: {
    since: [19, 22],
    inputs: [3, 5],
    outputs: [1, 1],
    attributes: {
      dilations: 'ints',
      group: 'int',
      kernel_shape: 'ints',
      offset_group: 'int',
      pads: 'ints',
      strides: 'ints',
    },
  },
  DepthToSpace: {
    since: [1, 11, 13, 28],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { blocksize: 'int', mode: 'string' },
  },
  DequantizeLinear: { since: [10, 13, 19, 21, 23, 24, 25, 28], inputs: [2, 3], outputs: [1, 1], attributes: quantized },
  Det: { since: [11, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Div: { since: [1, 6, 7, 13, 14], inputs: [2, 2], outputs: [1, 1], attributes: { ...broadcast, ...consumed } },
  Dropout: {
    since: [1, 6, 7, 10, 12, 13, 22],
    inputs: [1, 3],
    outputs: [1, 2],
    attributes: { ...consumed, is_test: 'int', ratio: 'float', seed: 'int' },
  },
  DynamicQuantizeLinear: { since: [11], inputs: [1, 1], outputs: [3, 3], attributes: {} },
  Einsum: { since: [12, 28], inputs: [1, Infinity], outputs: [1, 1], attributes: { equation: 'string' } },
  Elu: { since: [1, 6, 22], inputs: [1, 1], outputs: [1, 1], attributes: { ...consumed, alpha: 'float' } },
  Equal: { since: [1, 7, 11, 13, 19], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  Erf: { since: [9, 13], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Exp: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Expand: { since: [8, 13], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  EyeLike: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: { dtype: 'int', k: 'int' } },
  Flatten: { since: [1, 9, 11, 13, 21, 23, 24, 25], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int' } },
  Floor: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  GRU: {
    since: [1, 3, 7, 14, 22],
    inputs: [3, 6],
    outputs: [0, 2],
    attributes: { ...recurrent, linear_before_reset: 'int' },
  },
  Gather: { since: [1, 11, 13], inputs: [2, 2], outputs: [1, 1], attributes: { axis: 'int' } },
  GatherElements: { since: [11, 13], inputs: [2, 2], outputs: [1, 1], attributes: { axis: 'int' } },
  GatherND: { since: [11, 12, 13], inputs: [2, 2], outputs: [1, 1], attributes: { batch_dims: 'int' } },
  Gelu: { since: [20], inputs: [1, 1], outputs: [1, 1], attributes: { approximate: 'string' } },
  Gemm: {
    since: [1, 6, 7, 9, 11, 13],
    inputs: [2, 3],
    outputs: [1, 1],
    attributes: { ...slope, broadcast: 'int', transA: 'int', transB: 'int' },
  },
  GlobalAveragePool: { since: [1, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  GlobalLpPool: { since: [1, 2, 22], inputs: [1, 1], outputs: [1, 1], attributes: { p: 'int' } },
  GlobalMaxPool: { since: [1, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Greater: { since: [1, 7, 9, 13], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  GreaterOrEqual: { since: [12, 16], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  GridSample: {
    since: [16, 20, 22],
    inputs: [2, 2],
    outputs: [1, 1],
    attributes: { align_corners: 'int', mode: 'string', padding_mode: 'string' },
  },
  GroupNormalization: {
    since: [18, 21],
    inputs: [3, 3],
    outputs: [1, 1],
    attributes: { epsilon: 'float', num_groups: 'int', stash_type: 'int' },
  },
  HammingWindow: { since: [17], inputs: [1, 1], outputs: [1, 1], attributes: windowed },
  HannWindow: { since: [17], inputs: [1, 1], outputs: [1, 1], attributes: windowed },
  HardSigmoid: { since: [1, 6, 22], inputs: [1, 1], outputs: [1, 1], attributes: { ...slope, ...consumed } },
  HardSwish: { since: [14, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Hardmax: { since: [1, 11, 13], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int' } },
  Identity: { since: [1, 13, 14, 16, ...widened], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  If: {
    since: [1, 11, 13, 16, ...widened],
    inputs: [1, 1],
    outputs: [1, Infinity],
    attributes: { else_branch: 'graph', then_branch: 'graph' },
  },
  ImageDecoder: { since: [20], inputs: [1, 1], outputs: [1, 1], attributes: { pixel_format: 'string' } },
  InstanceNormalization: {
    since: [1, 6, 22],
    inputs: [3, 3],
    outputs: [1, 1],
    attributes: { ...consumed, epsilon: 'float' },
  },
  IsInf: {
    since: [10, 20],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { detect_negative: 'int', detect_positive: 'int' },
  },
  IsNaN: { since: [9, 13, 20], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  LRN: { since: [1, 13], inputs: [1, 1], outputs: [1, 1], attributes: { ...slope, bias: 'float', size: 'int' } },
  LSTM: { since: [1, 7, 14, 22], inputs: [3, 8], outputs: [0, 3], attributes: { ...recurrent, input_forget: 'int' } },
  LayerNormalization: { since: [17], inputs: [2, 3], outputs: [1, 3], attributes: normalized },
  LeakyRelu: { since: [1, 6, 16], inputs: [1, 1], outputs: [1, 1], attributes: { ...consumed, alpha: 'float' } },
  Less: { since: [1, 7, 9, 13], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  LessOrEqual: { since: [12, 16], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  LinearAttention: {
    since: [27],
    inputs: [3, 6],
    outputs: [2, 2],
    attributes: { ...heads, chunk_size: 'int', update_rule: 'string' },
  },
  Log: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  LogSoftmax: { since: [1, 11, 13], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int' } },
  Loop: {
    since: [1, 11, 13, 16, ...widened],
    inputs: [2, Infinity],
    outputs: [1, Infinity],
    attributes: { body: 'graph' },
  },
  LpNormalization: { since: [1, 22], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int', p: 'int' } },
  LpPool: {
    since: [1, 2, 11, 18, 22],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { ...spatial, ceil_mode: 'int', p: 'int' },
  },
  MatMul: { since: [1, 9, 13], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  MatMulInteger: { since: [10], inputs: [2, 4], outputs: [1, 1], attributes: {} },
  Max: { since: [1, 6, 8, 12, 13], inputs: [1, Infinity], outputs: [1, 1], attributes: consumed },
  MaxPool: {
    since: [1, 8, 10, 11, 12, 22],
    inputs: [1, 1],
    outputs: [1, 2],
    attributes: { ...spatial, ceil_mode: 'int', storage_order: 'int' },
  },
  MaxRoiPool: {
    since: [1, 22],
    inputs: [2, 2],
    outputs: [1, 1],
    attributes: { pooled_shape: 'ints', spatial_scale: 'float' },
  },
  MaxUnpool: {
    since: [9, 11, 22],
    inputs: [2, 3],
    outputs: [1, 1],
    attributes: { kernel_shape: 'ints', pads: 'ints', strides: 'ints' },
  },
  Mean: { since: [1, 6, 8, 13], inputs: [1, Infinity], outputs: [1, 1], attributes: consumed },
  MeanVarianceNormalization: { since: [9, 13], inputs: [1, 1], outputs: [1, 1], attributes: { axes: 'ints' } },
  MelWeightMatrix: { since: [17], inputs: [5, 5], outputs: [1, 1], attributes: { output_datatype: 'int' } },
  Min: { since: [1, 6, 8, 12, 13], inputs: [1, Infinity], outputs: [1, 1], attributes: consumed },
  Mish: { since: [18, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Mod: { since: [10, 13, 28], inputs: [2, 2], outputs: [1, 1], attributes: { fmod: 'int' } },
  Mul: { since: [1, 6, 7, 13, 14], inputs: [2, 2], outputs: [1, 1], attributes: { ...broadcast, ...consumed } },
  Multinomial: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: { ...random, sample_size: 'int' } },
  Neg: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  NegativeLogLikelihoodLoss: { since: [12, 13, 22], inputs: [2, 3], outputs: [1, 1], attributes: loss },
  NonMaxSuppression: { since: [10, 11], inputs: [2, 5], outputs: [1, 1], attributes: { center_point_box: 'int' } },
  NonZero: { since: [9, 13], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Not: { since: [1], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  OneHot: { since: [9, 11, 28], inputs: [3, 3], outputs: [1, 1], attributes: { axis: 'int' } },
  Optional: { since: [15, 28], inputs: [0, 1], outputs: [1, 1], attributes: { type: 'type' } },
  OptionalGetElement: { since: [15, 18, 28], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  OptionalHasElement: { since: [15, 18, 28], inputs: [0, 1], outputs: [1, 1], attributes: {} },
  Or: { since: [1, 7], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  PRelu: { since: [1, 6, 7, 9, 16], inputs: [2, 2], outputs: [1, 1], attributes: consumed },
  Pad: {
    since: [1, 2, 11, 13, 18, ...widened],
    inputs: [1, 4],
    outputs: [1, 1],
    attributes: { mode: 'string', paddings: 'ints', pads: 'ints', value: 'float' },
  },
  Pow: { since: [1, 7, 12, 13, 15], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
  QLinearConv: { since: [10], inputs: [8, 9], outputs: [1, 1], attributes: { ...spatial, group: 'int' } },
  QLinearMatMul: { since: [10, 21], inputs: [8, 8], outputs: [1, 1], attributes: {} },
  QuantizeLinear: {
    since: [10, 13, 19, 21, 23, 24, 25, 28],
    inputs: [2, 3],
    outputs: [1, 1],
    attributes: { ...quantized, precision: 'int', saturate: 'int' },
  },
  RMSNormalization: { since: [23], inputs: [2, 2], outputs: [1, 1], attributes: normalized },
  RNN: { since: [1, 7, 14, 22], inputs: [3, 6], outputs: [0, 2], attributes: recurrent },
  RandomNormal: {
    since: [1, 22],
    inputs: [0, 0],
    outputs: [1, 1],
    attributes: { ...random, mean: 'float', scale: 'float', shape: 'ints' },
  },
  RandomNormalLike: {
    since: [1, 22],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { ...random, mean: 'float', scale: 'float' },
  },
  RandomUniform: {
    since: [1, 22],
    inputs: [0, 0],
    outputs: [1, 1],
    attributes: { ...random, high: 'float', low: 'float', shape: 'ints' },
  },
  RandomUniformLike: {
    since: [1, 22],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { ...random, high: 'float', low: 'float' },
  },
  Range: { since: [11, 27], inputs: [3, 3], outputs: [1, 1], attributes: { stash_type: 'int' } },
  Reciprocal: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  ReduceL1: { since: [1, 11, 13, 18], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceL2: { since: [1, 11, 13, 18], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceLogSum: { since: [1, 11, 13, 18, 28], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceLogSumExp: { since: [1, 11, 13, 18, 28], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceMax: { since: [1, 11, 12, 13, 18, 20], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceMean: { since: [1, 11, 13, 18], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceMin: { since: [1, 11, 12, 13, 18, 20], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceProd: { since: [1, 11, 13, 18], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceSum: { since: [1, 11, 13], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  ReduceSumSquare: { since: [1, 11, 13, 18], inputs: [1, 2], outputs: [1, 1], attributes: reduced },
  RegexFullMatch: { since: [20], inputs: [1, 1], outputs: [1, 1], attributes: { pattern: 'string' } },
  Relu: { since: [1, 6, 13, 14], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Reshape: {
    since: [1, 5, 13, 14, ...widened],
    inputs: [1, 2],
    outputs: [1, 1],
    attributes: { ...consumed, allowzero: 'int', shape: 'ints' },
  },
  Resize: {
    since: [10, 11, 13, 18, 19],
    inputs: [1, 4],
    outputs: [1, 1],
    attributes: {
      ...resampled,
      antialias: 'int',
      axes: 'ints',
      cubic_coeff_a: 'float',
      exclude_outside: 'int',
      extrapolation_value: 'float',
      keep_aspect_ratio_policy: 'string',
      nearest_mode: 'string',
    },
  },
  ReverseSequence: {
    since: [10, 28],
    inputs: [2, 2],
    outputs: [1, 1],
    attributes: { batch_axis: 'int', time_axis: 'int' },
  },
  RoiAlign: {
    since: [10, 16, 22],
    inputs: [3, 3],
    outputs: [1, 1],
    attributes: {
      ...resampled,
      output_height: 'int',
      output_width: 'int',
      sampling_ratio: 'int',
      spatial_scale: 'float',
    },
  },
  RotaryEmbedding: {
    since: [23],
    inputs: [3, 4],
    outputs: [1, 1],
    attributes: { interleaved: 'int', num_heads: 'int', rotary_embedding_dim: 'int' },
  },
  Round: { since: [11, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  STFT: { since: [17], inputs: [2, 4], outputs: [1, 1], attributes: { onesided: 'int' } },
  Scan: {
    since: [8, 9, 11, 16, ...widened],
    inputs: [1, Infinity],
    outputs: [1, Infinity],
    attributes: { ...scan, body: 'graph', directions: 'ints' },
  },
  Scatter: { since: [9, 11], inputs: [3, 3], outputs: [1, 1], attributes: { axis: 'int' }, deprecated: true },
  ScatterElements: {
    since: [11, 13, 16, 18],
    inputs: [3, 3],
    outputs: [1, 1],
    attributes: { axis: 'int', reduction: 'string' },
  },
  ScatterND: { since: [11, 13, 16, 18], inputs: [3, 3], outputs: [1, 1], attributes: { reduction: 'string' } },
  Selu: {
    since: [1, 6, 22],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { ...consumed, alpha: 'float', gamma: 'float' },
  },
  SequenceAt: { since: [11], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  SequenceConstruct: { since: [11], inputs: [1, Infinity], outputs: [1, 1], attributes: {} },
  SequenceEmpty: { since: [11], inputs: [0, 0], outputs: [1, 1], attributes: { dtype: 'int' } },
  SequenceErase: { since: [11], inputs: [1, 2], outputs: [1, 1], attributes: {} },
  SequenceInsert: { since: [11], inputs: [2, 3], outputs: [1, 1], attributes: {} },
  SequenceLength: { since: [11], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  SequenceMap: { since: [17], inputs: [1, Infinity], outputs: [1, Infinity], attributes: { body: 'graph' } },
  Shape: { since: [1, 13, 15, ...widened], inputs: [1, 1], outputs: [1, 1], attributes: { end: 'int', start: 'int' } },
  Shrink: { since: [9], inputs: [1, 1], outputs: [1, 1], attributes: { bias: 'float', lambd: 'float' } },
  Sigmoid: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Sign: { since: [9, 13], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Sin: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Sinh: { since: [9, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Size: { since: [1, 13, ...widened], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Slice: {
    since: [1, 10, 11, 13],
    inputs: [1, 5],
    outputs: [1, 1],
    attributes: { axes: 'ints', ends: 'ints', starts: 'ints' },
  },
  Softmax: { since: [1, 11, 13], inputs: [1, 1], outputs: [1, 1], attributes: { axis: 'int' } },
  SoftmaxCrossEntropyLoss: { since: [12, 13], inputs: [2, 3], outputs: [1, 2], attributes: loss },
  Softplus: { since: [1, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Softsign: { since: [1, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  SpaceToDepth: {
    since: [1, 13, 28],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { blocksize: 'int', mode: 'string' },
  },
  Split: {
    since: [1, 2, 11, 13, 18],
    inputs: [1, 2],
    outputs: [1, Infinity],
    attributes: { axis: 'int', num_outputs: 'int', split: 'ints' },
  },
  SplitToSequence: { since: [11, 24], inputs: [1, 2], outputs: [1, 1], attributes: { axis: 'int', keepdims: 'int' } },
  Sqrt: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  Squeeze: { since: [1, 11, 13, 21, 23, 24, 25], inputs: [1, 2], outputs: [1, 1], attributes: { axes: 'ints' } },
  StringConcat: { since: [20], inputs: [2, 2], outputs: [1, 1], attributes: {} },
  StringNormalizer: {
    since: [10],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { case_change_action: 'string', is_case_sensitive: 'int', locale: 'string', stopwords: 'strings' },
  },
  StringSplit: { since: [20], inputs: [1, 1], outputs: [2, 2], attributes: { delimiter: 'string', maxsplit: 'int' } },
  Sub: { since: [1, 6, 7, 13, 14], inputs: [2, 2], outputs: [1, 1], attributes: { ...broadcast, ...consumed } },
  Sum: { since: [1, 6, 8, 13], inputs: [1, Infinity], outputs: [1, 1], attributes: consumed },
  SwiGLU: { since: [28], inputs: [2, 2], outputs: [1, 1], attributes: { alpha: 'float' } },
  Swish: { since: [24], inputs: [1, 1], outputs: [1, 1], attributes: { alpha: 'float' } },
  Tan: { since: [7, 22], inputs: [1, 1], outputs: [1, 1], attributes: {} },
  Tanh: { since: [1, 6, 13], inputs: [1, 1], outputs: [1, 1], attributes: consumed },
  TensorScatter: { since: [24], inputs: [2, 3], outputs: [1, 1], attributes: { axis: 'int', mode: 'string' } },
  TfIdfVectorizer: {
    since: [9],
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: {
      max_gram_length: 'int',
      max_skip_count: 'int',
      min_gram_length: 'int',
      mode: 'string',
      ngram_counts: 'ints',
      ngram_indexes: 'ints',
      pool_int64s: 'ints',
      pool_strings: 'strings',
      weights: 'floats',
    },
  },
  ThresholdedRelu: { since: [10, 22], inputs: [1, 1], outputs: [1, 1], attributes: { alpha: 'float' } },
  Tile: { since: [1, 6, 13], inputs: [2, 3], outputs: [1, 1], attributes: {} },
  TopK: {
    since: [1, 10, 11, 24],
    inputs: [1, 2],
    outputs: [2, 2],
    attributes: { axis: 'int', k: 'int', largest: 'int', sorted: 'int' },
  },
  Transpose: { since: [1, 13, 21, 23, 24, 25], inputs: [1, 1], outputs: [1, 1], attributes: { perm: 'ints' } },
  Trilu: { since: [14], inputs: [1, 2], outputs: [1, 1], attributes: { upper: 'int' } },
  Unique: { since: [11, 28], inputs: [1, 1], outputs: [1, 4], attributes: { axis: 'int', sorted: 'int' } },
  Unsqueeze: { since: [1, 11, 13, 21, 23, 24, 25], inputs: [1, 2], outputs: [1, 1], attributes: { axes: 'ints' } },
  Upsample: {
    since: [1, 7, 9, 10],
    inputs: [1, 2],
    outputs: [1, 1],
    attributes: { height_scale: 'float', mode: 'string', scales: 'floats', width_scale: 'float' },
    deprecated: true,
  },
  Where: { since: [9, 16], inputs: [3, 3], outputs: [1, 1], attributes: {} },
  Xor: { since: [1, 7], inputs: [2, 2], outputs: [1, 1], attributes: broadcast },
} as const satisfies Record<string, OperatorSchema>

/** Operators of the default domain. */
export type OpType = keyof typeof schemas

/** The default domain has two spellings: `''` and `ai.onnx`. */
export const isDefaultDomain = (domain: string): boolean => domain === '' || domain === 'ai.onnx'

/** The same, for an operator that is only known by name; undefined for other domains' and unknown ones. */
export const schemaOf = (op: string, domain = ''): OperatorSchema | undefined =>
  isDefaultDomain(domain) && Object.hasOwn(schemas, op) ? schemas[op as OpType] : undefined

/**
 * Attributes whose kind was another one in their operator's first version; `below` is the opset in which it changed
 * to what the schema says.
 */
const changedKinds: Readonly<Record<string, { readonly kind: AttributeKind; readonly below: number }>> = {
  'Cast.to': { kind: 'string', below: 6 },
  'LpPool.p': { kind: 'float', below: 2 },
  'GlobalLpPool.p': { kind: 'float', below: 2 },
}

/** The kind of an operator's attribute in an opset; undefined where the operator or the attribute is unknown. */
export function attributeKindOf(
  op: string,
  domain: string,
  attribute: string,
  opset = Infinity,
): AttributeKind | undefined {
  const kinds = schemaOf(op, domain)?.attributes
  if (!kinds || !Object.hasOwn(kinds, attribute)) return undefined
  const changed = changedKinds[`${op}.${attribute}`]
  return changed && opset < changed.below ? changed.kind : kinds[attribute]
}

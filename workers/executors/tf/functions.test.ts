import { beforeAll, describe, expect, test } from 'vitest'
import { noiseFor } from '../../graph/noise.ts'
import { parse } from '../../graph/parse.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { numbersOf, type Tensor } from '../../graph/tensor.ts'
import { tfJs } from '../../testing/conformance/tensorflow-js.ts'
import type { Executor, Tensors } from '../executor.ts'
import { referenceExecutor } from '../reference/index.ts'

/** Bodies over x: f32[2,4,6,5] (and v: f32[5], m: f32[3,5], k: i64[2,3] below 4) that end in y. */
const bodies: Readonly<Record<string, string>> = {
  'broadcast from a vector': 'y = Add(x, v)',
  'broadcast to a higher rank after a conv':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) const c: f32[4,1,1] = [1, -2, 3, 0.5] y = Mul(h, c)',
  choice: 'const z: f32[] = 0 p = Greater(x, z) y = Where(p, x, v)',
  'clip with one bound': 'const a: f32[] = 0.2 y = Clip(x, a)',
  activations:
    'a = LeakyRelu(x) {alpha = 0.2} b = Elu(a) {alpha = 0.7} c = Selu(b) d = HardSwish(c) e = HardSigmoid(d) f = Softsign(e) g = Mish(f) h = Softplus(g) y = PRelu(h, v)',
  functions:
    'a = Sigmoid(x) b = Sqrt(a) c = Log(b) d = Erf(c) e = Tanh(d) f = Reciprocal(e) g = Round(f) h = Sign(g) y = Sin(h)',
  'float and whole numbers': 'a = Cast(x) {to = 6} b = Cast(a) {to = 9} c = Not(b) y = Cast(c) {to = 1}',
  'many at once': 'a = Sum(x, x, v) b = Max(a, x, v) c = Min(b, v) y = Mean(c, x)',
  'transposed and cut':
    'a = Transpose(x) {perm = [3,0,2,1]} const s: i64[2] = [1,-2] const e: i64[2] = [5,9223372036854775807] const i: i64[2] = [0,2] y = Slice(a, s, e, i)',
  'backwards in steps':
    'const s: i64[2] = [-1,0] const e: i64[2] = [-9223372036854775807,5] const i: i64[2] = [2,3] const t: i64[2] = [-2,3] y = Slice(x, s, e, i, t)',
  'split and joined after a conv':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) const s: i64[2] = [1,3] a, b = Split(h, s) {axis = 1} y = Concat(b, a, x) {axis = 1}',
  'a shape that is computed':
    's = Shape(x) const one: i64[1] = [1] const i: i64[2] = [0,1] d = Gather(s, i) const m1: i64[1] = [-1] n = Concat(d, m1) {axis = 0} y = Reshape(x, n)',
  'padded at both ends': 'const p: i64[8] = [0,0,1,-1,0,0,0,2] const z: f32[] = 0.5 y = Pad(x, p, z)',
  reflected: 'const p: i64[8] = [0,0,1,2,0,0,3,0] y = Pad(x, p) {mode = "reflect"}',
  repeated: 'const r: i64[4] = [1,2,1,3] y = Tile(x, r)',
  expanded: 'const s: i64[3] = [2,3,5] y = Expand(m, s)',
  'a constant of a shape': 's = Shape(m) c = ConstantOfShape(s) y = Add(c, m)',
  squeezed: 'const a: i64[2] = [0,2] u = Unsqueeze(v, a) const b: i64[1] = [-1] t = Squeeze(u, b) y = Flatten(t)',
  'depth to space': 'a = DepthToSpace(x) {blocksize = 2, mode = "CRD"} y = SpaceToDepth(a) {blocksize = 2}',
  'sums over some axes after a conv':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) const a: i64[2] = [0,2] s = ReduceSum(h, a) {keepdims = 0} const b: i64[1] = [1] t = ReduceMean(h, b) {keepdims = 0} const c: i64[2] = [2,3] u = ReduceMax(h, c) f = Flatten(u) k1 = ReduceL2(s) {keepdims = 0} l = ReduceLogSumExp(t) {keepdims = 0} n = Add(k1, l) y = Add(f, n)',
  'softmax along channels':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) s = Softmax(h) {axis = 1} l = LogSoftmax(h) {axis = -1} y = Add(s, l)',
  'the largest':
    'const k2: i64[1] = [2] a, i = TopK(x, k2) {axis = 2} b, j = TopK(x, k2) {axis = 2, largest = 0} c = Cast(i) {to = 1} d = Cast(j) {to = 1} e = Add(c, d) f = Add(a, b) y = Add(e, f)',
  'where the largest is': 'a = ArgMax(x) {axis = 1} b = ArgMin(x) {axis = 1} c = Add(a, b) y = Cast(c) {to = 1}',
  'running sums': 'const a: i64[] = -1 y = CumSum(x, a) {reverse = 1}',
  'unit vectors': 'y = LpNormalization(m) {axis = 1}',
  products:
    't = Transpose(m) {perm = [1,0]} const b: f32[3] = [1, 2, 3] a = Gemm(m, m, b) {transB = 1, alpha = 0.5, beta = 2} p = MatMul(x, t) y = MatMul(p, a)',
  'a vector on either side': 'a = MatMul(m, v) b = MatMul(v, v) y = Add(a, b)',
  gathered: 'const i: i64[3] = [0,-1,2] a = Gather(x, i) {axis = 3} y = Gather(m, k)',
  'gathered one by one': 'const i: i64[3,2] = [0,1,4,3,2,-1] y = GatherElements(m, i) {axis = 1}',
  scattered:
    'const i: i64[2,1] = [2,0] const u: f32[2,5] = [1,2,3,4,5,6,7,8,9,10] a = ScatterND(m, i, u) {reduction = "add"} const j: i64[1,5] = [2,1,0,2,1] const w: f32[1,5] = [1,2,3,4,5] y = ScatterElements(a, j, w) {axis = 0}',
  'one of several': 'const d: i64[1] = [4] const o: f32[2] = [-1, 2] y = OneHot(k, d, o) {axis = 1}',
  'quantized and back':
    'const s: f32[4] = [0.1, 0.2, 0.05, 0.3] const z: i8[4] = [0, 3, -4, 100] q = QuantizeLinear(x, s, z) {axis = 1} y = DequantizeLinear(q, s, z) {axis = 1}',
  'multiplied in whole numbers':
    'q, s, z = DynamicQuantizeLinear(m) t = Transpose(m) {perm = [1,0]} p, r, o = DynamicQuantizeLinear(t) a = MatMulInteger(q, p, z, o) b = Cast(a) {to = 1} c = Mul(s, r) y = Mul(b, c)',
  'fake quantization':
    'const s: f32[6] = [0.1, 0.2, 0.05, 0.3, 0.4, 0.01] y = ai.alambic.FakeQuant(x, s) {axis = 2, quant_min = -8, quant_max = 7}',
  'normalized by statistics':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) const a: f32[4] = [1, 2, 3, 4] const b: f32[4] = [0.5, 1, 2, 0.1] y = BatchNormalization(h, a, b, a, b)',
  'normalized over axes': 'y = LayerNormalization(x, v, v) {axis = -1}',
  'across channels': 'y = LRN(x) {size = 3, alpha = 0.1}',
  'dilated, in groups':
    'const w: f32[6,2,3,2] = noise const b: f32[6] = [1, 2, 3, 4, 5, 6] y = Conv(x, w, b) {group = 2, dilations = [2,3], pads = [1,2,3,0], strides = [2,1]}',
  'same at the lower end': 'const w: f32[2,4,2,2] = noise y = Conv(x, w) {auto_pad = "SAME_LOWER", strides = [2,2]}',
  'depthwise, unequal strides':
    'const w: f32[8,1,3,3] = noise y = Conv(x, w) {group = 4, strides = [2,1], pads = [1,1,1,1]}',
  'depthwise, dilated': 'const w: f32[8,1,2,2] = noise y = Conv(x, w) {group = 4, dilations = [2,2]}',
  'one spatial axis':
    'const s: i64[3] = [2,4,30] a = Reshape(x, s) const w: f32[3,4,5] = noise b = Conv(a, w) {strides = [2], pads = [2,1]} c = MaxPool(b) {kernel_shape = [3], strides = [2]} y = AveragePool(c) {kernel_shape = [2], pads = [1,0]}',
  'transposed convolution':
    'const w: f32[4,3,3,2] = noise const b: f32[3] = [1, 2, 3] y = ConvTranspose(x, w, b) {strides = [2,3], pads = [1,0,0,1], output_padding = [1,0]}',
  'pools with ceil_mode':
    'a = MaxPool(x) {kernel_shape = [3,2], strides = [2,2], pads = [1,0,0,1], ceil_mode = 1} y = AveragePool(a) {kernel_shape = [2,2], strides = [2,2], ceil_mode = 1, count_include_pad = 1}',
  'resized, by scales':
    'const w: f32[4,4,1,1] = noise h = Conv(x, w) const s: f32[4] = [1, 1, 2, 1.5] y = Resize(h, , s) {mode = "linear"}',
  'resized, to sizes':
    'const s: i64[4] = [2, 4, 3, 9] a = Resize(x, , , s) {mode = "cubic", coordinate_transformation_mode = "align_corners"} const t: f32[4] = [1, 1, 2, 0.5] y = Resize(a, , t) {mode = "nearest"}',
  'global pools': 'a = GlobalMaxPool(x) b = GlobalAveragePool(x) y = Sub(a, b)',
}

const head = 'graph (x: f32[2,4,6,5], v: f32[5], m: f32[3,5], k: i64[2,3]) -> (y) opset 18 '

function graphOf(body: string) {
  const random = mulberry32(3)
  const filled = body.replace(/f32\[([\d,]+)\] = noise/g, (_all, dims: string) => {
    const size = dims.split(',').reduce((n, d) => n * Number(d), 1)
    return `f32[${dims}] = [${Array.from({ length: size }, () => gaussian(random).toFixed(4)).join(', ')}]`
  })
  return parse(
    `${head.replace('opset 18', body.includes('ai.alambic') ? 'opset 18, ai.alambic 1' : 'opset 18')} { ${filled} }`,
  )
}

function feedsFor(graph: ReturnType<typeof parse>): Tensors {
  const random = mulberry32(7)
  return noiseFor(graph.inputs, { random: () => random, label: (i) => i % 3 })
}

let tf: Executor
beforeAll(async () => {
  tf = await tfJs({ few: 0 })
})

describe('a function of TensorFlow does what the reference executor does', () => {
  test.each(Object.entries(bodies))('%s', async (_name, body) => {
    const graph = graphOf(body)
    const feeds = feedsFor(graph)
    const results = await Promise.all(
      [tf, referenceExecutor].map(async (executor) => (await executor.compile(graph)).run(feeds)),
    )
    const [ours, theirs] = results.map((r) => r['y'] as Tensor) as [Tensor, Tensor]
    expect([ours.dtype, ours.dims]).toEqual([theirs.dtype, theirs.dims])
    const [a, b] = [numbersOf(ours), numbersOf(theirs)]
    const scale = Math.max(1, ...b.map(Math.abs))
    a.forEach((value, i) => expect(Math.abs(value - (b[i] as number)) / scale).toBeLessThan(2e-6))
  })
})

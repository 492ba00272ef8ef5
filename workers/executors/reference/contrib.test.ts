import { describe, expect, test } from 'vitest'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { parse } from '../../graph/parse.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { evaluate } from './evaluate.ts'
import { array, floatArray, type NdArray } from './value.ts'

const random = mulberry32(7)
const noise = (...dims: number[]): NdArray =>
  floatArray(
    'f32',
    dims,
    Float64Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
  )
const bytes = (...dims: number[]): NdArray =>
  array(
    'u8',
    dims,
    Uint8Array.from({ length: sizeOf(dims) }, () => Math.floor(random() * 256)),
  )
const scale = (value: number): NdArray => floatArray('f32', [], Float64Array.of(Math.fround(value)))
const zero = (value: number): NdArray => array('u8', [], Uint8Array.of(value))

function run(body: string, feeds: Record<string, NdArray>): number[] {
  const graph = parse(`graph (${Object.keys(feeds).join(', ')}) -> (y) { ${body} }`)
  return Array.from((evaluate(graph, feeds)['y'] as NdArray).data as Float64Array)
}

function expectSame(left: string, right: string, feeds: Record<string, NdArray>, tolerance = 1e-6): void {
  const [a, b] = [run(left, feeds), run(right, feeds)]
  expect(a).toHaveLength(b.length)
  expect(new Set(a).size).toBeGreaterThan(1)
  expect(Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))))).toBeLessThanOrEqual(tolerance)
}

describe('fused operators of onnxruntime are what they were fused from', () => {
  test.each([
    ['Gelu(x)', 'y = Gelu(x)'],
    ['BiasGelu(x, b)', 's = Add(x, b) y = Gelu(s)'],
    ['FastGelu(x, b)', 's = Add(x, b) y = Gelu(s) {approximate="tanh"}'],
    ['QuickGelu(x) {alpha=1.5}', 'y = Swish(x) {alpha=1.5}'],
    ['FusedMatMul(x, w) {alpha=0.5, transB=1}', 'const h: f32[] = 0.5 t = Transpose(w) m = MatMul(x, t) y = Mul(m, h)'],
    ['FusedGemm(x, w, c) {transB=1, activation="Relu"}', 'm = Gemm(x, w, c) {transB=1} y = Relu(m)'],
    [
      'SkipLayerNormalization(x, k, g, b, b) {epsilon=0.001}',
      'r = Add(x, k) s = Add(r, b) y = LayerNormalization(s, g, b) {epsilon=0.001}',
    ],
    [
      'SkipSimplifiedLayerNormalization(x, k, g) {epsilon=0.001}',
      's = Add(x, k) y = RMSNormalization(s, g) {epsilon=0.001}',
    ],
  ])('%s', (fused, plain) => {
    const feeds = { x: noise(3, 4), k: noise(3, 4), w: noise(2, 4), b: noise(4), g: noise(4), c: noise(2) }
    expectSame(`y = com.microsoft.${fused}`, plain, feeds)
  })

  test('FusedConv adds before it activates', () => {
    const feeds = { x: noise(1, 2, 5, 5), w: noise(3, 2, 3, 3), b: noise(3), z: noise(1, 3, 3, 3) }
    expectSame(
      'y = com.microsoft.FusedConv(x, w, b, z) {activation="LeakyRelu", activation_params=[0.1]}',
      'c = Conv(x, w, b) s = Add(c, z) y = LeakyRelu(s) {alpha=0.1}',
      feeds,
    )
  })

  test('Attention projects, splits the heads and attends', () => {
    const feeds = { x: noise(2, 4, 8), w: noise(8, 24), b: noise(24) }
    expectSame(
      'y = com.microsoft.Attention(x, w, b) {num_heads=2, unidirectional=1}',
      `p = MatMul(x, w) a = Add(p, b) q, k, v = Split(a) {axis=2}
       y = Attention(q, k, v) {q_num_heads=2, kv_num_heads=2, is_causal=1}`,
      feeds,
    )
  })
})

describe('QLinear operators dequantize, compute in float32 and quantize', () => {
  const around = { xs: scale(0.02), xz: zero(110), ys: scale(0.01), yz: zero(90) }
  const dq = 'r = DequantizeLinear(x, xs, xz)'
  const q = 'y = QuantizeLinear(t, ys, yz)'

  test.each([
    ['QLinearSigmoid(x, xs, xz, ys, yz)', 't = Sigmoid(r)'],
    ['QLinearLeakyRelu(x, xs, xz, ys, yz) {alpha=0.2}', 't = LeakyRelu(r) {alpha=0.2}'],
    ['QLinearGlobalAveragePool(x, xs, xz, ys, yz)', 't = GlobalAveragePool(r)'],
    ['QLinearAveragePool(x, xs, xz, ys, yz) {kernel_shape=[2,2]}', 't = AveragePool(r) {kernel_shape=[2,2]}'],
    ['QLinearSoftmax(x, xs, xz, ys, yz) {axis=1, opset=13}', 't = Softmax(r) {axis=1}'],
  ])('%s', (fused, plain) => {
    expectSame(`y = com.microsoft.${fused}`, `${dq} ${plain} ${q}`, { x: bytes(2, 3, 4, 5), ...around }, 0)
  })

  test.each(['Add', 'Mul'])('QLinear%s', (op) => {
    const feeds = { x: bytes(2, 3, 4), w: bytes(3, 1), ws: scale(0.03), wz: zero(130), ...around }
    expectSame(
      `y = com.microsoft.QLinear${op}(x, xs, xz, w, ws, wz, ys, yz)`,
      `${dq} u = DequantizeLinear(w, ws, wz) t = ${op}(r, u) ${q}`,
      feeds,
      0,
    )
  })

  test('QGemm with a bias in units of the scales', () => {
    const c = array('i32', [4], Int32Array.of(-500, 100, 0, 900))
    const feeds = { x: bytes(3, 5), w: bytes(4, 5), ws: scale(0.03), wz: zero(130), c, ...around }
    const scales = floatArray('f32', [], Float64Array.of(Math.fround(Math.fround(0.02) * Math.fround(0.03))))
    expectSame(
      'y = com.microsoft.QGemm(x, xs, xz, w, ws, wz, c) {transB=1}',
      `${dq} u = DequantizeLinear(w, ws, wz) d = DequantizeLinear(c, cs) y = Gemm(r, u, d) {transB=1}`,
      { ...feeds, cs: scales },
      1e-4,
    )
  })
})

describe('MatMulNBits', () => {
  test.each([2, 4, 8])('%i bits: low bits first, one scale and zero point a block', (bits) => {
    const [k, n, block] = [24, 3, 16]
    const codes = Array.from({ length: n * 32 }, () => Math.floor(random() * 2 ** bits))
    const zeros = Array.from({ length: n * 2 }, () => Math.floor(random() * 2 ** bits))
    const scales = noise(n * 2)
    /** Rows of codes packed into bytes, each row padded to a whole one. */
    const pack = (list: readonly number[], width: number) =>
      Uint8Array.from({ length: (list.length / width) * Math.ceil((width * bits) / 8) }, (_, i) => {
        const rowBytes = Math.ceil((width * bits) / 8)
        const [row, at] = [Math.floor(i / rowBytes), i % rowBytes]
        const perByte = 8 / bits
        return Array.from({ length: perByte }, (_, j) => at * perByte + j)
          .filter((c) => c < width)
          .reduce((sum, c) => sum + (list[row * width + c] as number) * 2 ** ((c % perByte) * bits), 0)
      })
    const b = array('u8', [n, 2, (block * bits) / 8], pack(codes, 32))
    const z = array('u8', [n * Math.ceil((2 * bits) / 8)], pack(zeros, 2))
    const x = noise(2, k)
    const y = run(`y = com.microsoft.MatMulNBits(x, b, s, z) {K=${k}, N=${n}, bits=${bits}, block_size=${block}}`, {
      x,
      b,
      s: scales,
      z,
    })
    const weight = (row: number, i: number) => {
      const at = row * 2 + Math.floor(i / block)
      return ((codes[row * 32 + i] as number) - (zeros[at] as number)) * (scales.data[at] as number)
    }
    const expected = Array.from({ length: 2 * n }, (_, o) =>
      Array.from({ length: k }, (_, i) => (x.data[Math.floor(o / n) * k + i] as number) * weight(o % n, i)).reduce(
        (a, v) => a + v,
      ),
    )
    y.forEach((v, i) => expect(v).toBeCloseTo(expected[i] as number, 4))
  })
})

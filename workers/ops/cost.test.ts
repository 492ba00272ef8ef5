import { describe, expect, test } from 'vitest'
import { parse } from '../graph/parse.ts'
import { zoo } from '../zoo/index.ts'
import { costOf } from './cost.ts'

const cost = (text: string, sizes: Record<string, number> = {}) => costOf(parse(text), sizes)
const counts = (text: string, sizes: Record<string, number> = {}) => {
  const { params, macs } = cost(text, sizes)
  return { params, macs }
}

describe('convolutional nets', () => {
  test('MobileNetV2 has the published numbers, as a formula too', () => {
    const { params, macs, formulas, unknown } = costOf(zoo['mobilenet-v2'].build())
    expect({ params, macs, formula: formulas.macs, unknown }).toEqual({
      params: 3_504_872,
      macs: 300_774_272,
      formula: '300774272*N',
      unknown: [],
    })
  })

  test('running statistics and elementwise work count nothing, shared weights once', () => {
    expect(
      counts(`graph (x: f32[N,4,8,8]) -> (y) {
        const w: f32[4,4,3,3] = 0
        const g: f32[4] = 1
        const b: f32[4] = 0
        const m: f32[4] = 0
        const v: f32[4] = 1
        a = Conv(x, w) {pads=[1,1,1,1]}
        n = BatchNormalization(a, g, b, m, v)
        r = Relu(n)
        y = Conv(r, w) {pads=[1,1,1,1]}
      }`),
    ).toEqual({ params: 144 + 8, macs: 2 * 144 * 64 })
  })

  test('rows name nodes and add up', () => {
    const { nodes, macs, bytes } = cost(`graph (x: f32[2,3,8,8]) -> (y) {
      const w: f32[6,1,3,3] = 0
      c = Conv(x, w) {group=3}
      t = Relu(c)
      y = Flatten(t)
    }`)
    expect(nodes).toEqual([
      { node: 'c', op: 'Conv', params: 54, macs: 2 * 6 * 36 * 9, bytes: 4 * (2 * 3 * 64 + 54 + 2 * 6 * 36) },
      { node: 't', op: 'Relu', params: 0, macs: 0, bytes: 4 * 2 * (2 * 6 * 36) },
      { node: 'y', op: 'Flatten', params: 0, macs: 0, bytes: 0 },
    ])
    expect([macs, bytes]).toEqual([nodes[0]?.macs, (nodes[0]?.bytes ?? 0) + (nodes[1]?.bytes ?? 0)])
  })
})

describe('every kind of product', () => {
  test.each<[string, string, { params: number; macs: number }]>([
    [
      'ConvTranspose',
      'const w: f32[4,8,2,2] = 0  y = ConvTranspose(x, w) {strides=[2,2]}',
      { params: 128, macs: 4 * 36 * 32 },
    ],
    ['MatMul of activations', 'y = MatMul(x, x)', { params: 0, macs: 4 * 36 * 6 }],
    [
      'a scale and a bias',
      'const g: f32[6] = 1  const two: f32[] = 2  a = Mul(x, g)  y = Div(a, two)',
      { params: 6, macs: 0 },
    ],
    [
      'Einsum',
      'const w: f32[6,5] = 0  y = Einsum(x, w) {equation="bchw,wk->bchk"}',
      { params: 30, macs: 4 * 6 * 6 * 5 },
    ],
    [
      'a weight behind Identity and Transpose',
      'const w: f32[5,6] = 0  i = Identity(w)  t = Transpose(i)  y = MatMul(x, t)',
      { params: 30, macs: 4 * 36 * 5 },
    ],
    ['a Constant node', 'w = Constant() {value=f32[6,5] 0}  y = MatMul(x, w)', { params: 30, macs: 4 * 36 * 5 }],
    [
      'a dequantized weight',
      'const w: i8[6,5] = 0  const s: f32[] = 1  d = DequantizeLinear(w, s)  y = MatMul(x, d)',
      { params: 30, macs: 4 * 36 * 5 },
    ],
    [
      'ConvInteger',
      'const w: u8[8,4,3,3] = 0  q, s, z = DynamicQuantizeLinear(x)  y = ConvInteger(q, w)',
      { params: 288, macs: 8 * 16 * 36 },
    ],
    [
      'MatMulNBits',
      'const w: u8[20,1,3] = 0  const s: f32[20] = 1  y = com.microsoft.MatMulNBits(x, w, s) {K=6, N=20, bits=4, block_size=16}',
      { params: 120, macs: 36 * 4 * 20 },
    ],
    ['FusedMatMul', 'y = com.microsoft.FusedMatMul(x, x) {transB=1}', { params: 0, macs: 4 * 36 * 6 }],
  ])('%s', (_, body, expected) => {
    expect(counts(`graph (x: f32[1,4,6,6]) -> (y) opset 17, com.microsoft 1 { ${body} }`)).toEqual(expected)
  })

  test('recurrent layers, by time and batch', () => {
    const text = `graph (x: f32[T,B,10]) -> (y) {
      const w: f32[1,80,10] = 0
      const r: f32[1,80,20] = 0
      const b: f32[1,160] = 0
      y, h, c = LSTM(x, w, r, b) {hidden_size=20}
    }`
    expect(costOf(parse(text)).formulas.macs).toBe('2400*B*T')
    expect(counts(text, { T: 7, B: 2 })).toEqual({ params: 800 + 1600 + 160, macs: 2400 * 14 })
  })

  test('attention: projection, scores and weighted sum', () => {
    const text = `graph (x: f32[B,S,64]) -> (y) opset 17, com.microsoft 1 {
      const w: f32[64,192] = 0
      const b: f32[192] = 0
      y = com.microsoft.Attention(x, w, b) {num_heads=4}
    }`
    expect(cost(text).formulas.macs).toBe('128*B*S*S + 12288*B*S')
    expect(counts(text, { S: 16, B: 1 })).toEqual({ params: 64 * 192 + 192, macs: 128 * 256 + 12288 * 16 })
  })

  test('attention of the standard, with a cache', () => {
    const text = `graph (q: f32[1,2,5,8], k: f32[1,2,3,8], v: f32[1,2,3,8], pk: f32[1,2,4,8], pv: f32[1,2,4,8]) -> (y) opset 23 {
      y = Attention(q, k, v, _, pk, pv)
    }`
    expect(counts(text)).toEqual({ params: 0, macs: 2 * 5 * 7 * 16 })
  })
})

describe('what cannot be counted', () => {
  test('is undefined, with the reason', () => {
    const open = cost('graph (x: f32[N,S,8]) -> (y) { const w: f32[8,4] = 0  y = MatMul(x, w) }')
    expect([open.macs, open.unknown]).toEqual([
      undefined,
      ['node "y" (MatMul): the size "S" is open; give it a number'],
    ])
    const odd = cost('graph (x: f32[8]) -> (y) opset 17, vendor 1 { y = vendor.Magic(x) }')
    expect([odd.macs, odd.unknown]).toEqual([
      undefined,
      ['node "y" (vendor.Magic): operator vendor::Magic is unknown here'],
    ])
  })

  test('a loop is unknown, a scan is its steps, an If its dearer branch', () => {
    const body = (head: string) => `${head} { m = MatMul(a, w) }`
    const text = (node: string) =>
      `graph (x: f32[3,2,4], c: bool[], n: i64[]) -> (y) { const w: f32[4,4] = 0  ${node} }`
    const scan = `y = Scan(x) {num_scan_inputs=1, body=${body('graph (a) -> (m)')}}`
    const branch = `y = If(c) {then_branch=graph () -> (m) { m = MatMul(x, w) }, else_branch=graph () -> (r) { r = Relu(x) }}`
    const loop = `y = Loop(n, c, x) {body=graph (i, g, a) -> (g, m) { m = MatMul(a, w) }}`
    expect(cost(text(scan)).macs).toBe(3 * 2 * 4 * 4)
    expect(cost(text(branch)).macs).toBe(24 * 4)
    expect(cost(text(loop)).unknown).toEqual(['node "y" (Loop): how often its body runs is not known'])
  })
})

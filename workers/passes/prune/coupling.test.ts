import { describe, expect, test } from 'vitest'
import { costOf } from '../../ops/cost.ts'
import { cutAndCompare, randomGraph } from '../../testing/pruning.ts'
import { analyse } from './analysis.ts'
import { groupsOf } from './groups.ts'
import { printGroups } from './print.ts'

const head = (from: string, channels: number) =>
  `const wo: f32[${channels},3] = 1 const bo: f32[3] = 1
   pooled = GlobalAveragePool(${from}) flat = Flatten(pooled) y = Gemm(flat, wo, bo)`

const image = 'graph (x: f32[2,3,6,6]) -> (y: f32) opset 17'
const bn = (name: string, from: string, c: number) =>
  `const g${name}: f32[${c}] = 1 const b${name}: f32[${c}] = 1 const m${name}: f32[${c}] = 1 const var${name}: f32[${c}] = 2
   ${name} = BatchNormalization(${from}, g${name}, b${name}, m${name}, var${name})`

interface Row {
  readonly text: string
  /** Units of each group. */
  readonly units: readonly number[]
  /** Reasons that stay; none unless given. */
  readonly whole?: readonly string[]
  readonly attention?: 'heads' | 'dims'
}

const rows: Readonly<Record<string, Row>> = {
  'Conv, BatchNormalization, Relu, Conv': {
    text: `${image} { const w1: f32[8,3,3,3] = 1 c1 = Conv(x, w1) {pads=[1,1,1,1]} ${bn('n1', 'c1', 8)} r = Relu(n1)
      const w2: f32[5,8,3,3] = 1 const b2: f32[5] = 1 c2 = Conv(r, w2, b2) ${head('c2', 5)} }`,
    units: [8, 5],
  },
  'a residual sum': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 c1 = Conv(x, w1) const w2: f32[8,8,3,3] = 1 c2 = Conv(c1, w2) {pads=[1,1,1,1]}
      s = Add(c1, c2) ${head('s', 8)} }`,
    units: [8],
  },
  'a depthwise convolution': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 c1 = Conv(x, w1) const w2: f32[8,1,3,3] = 1 const b2: f32[8] = 1
      c2 = Conv(c1, w2, b2) {group=8} ${head('c2', 8)} }`,
    units: [8],
  },
  'a depthwise convolution with a multiplier': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 c1 = Conv(x, w1) const w2: f32[8,1,3,3] = 1 const b2: f32[8] = 1
      c2 = Conv(c1, w2, b2) {group=4} ${head('c2', 8)} }`,
    units: [4],
  },
  'a grouped convolution': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 c1 = Conv(x, w1) const w2: f32[12,4,3,3] = 1 const b2: f32[12] = 1
      c2 = Conv(c1, w2, b2) {group=2} ${head('c2', 12)} }`,
    units: [4, 6],
  },
  'ConvTranspose, plain, grouped and depthwise': {
    text: `${image} { const w1: f32[3,8,2,2] = 1 c1 = ConvTranspose(x, w1) const w2: f32[8,3,2,2] = 1 const b2: f32[6] = 1
      c2 = ConvTranspose(c1, w2, b2) {group=2} const w3: f32[6,1,2,2] = 1 c3 = ConvTranspose(c2, w3) {group=6} ${head('c3', 6)} }`,
    units: [4, 3],
  },
  'PRelu, Div, Where and constants of the shape of channels': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 c1 = Conv(x, w1) const slope: f32[8,1,1] = 1 p = PRelu(c1, slope)
      const k: f32[1,8,1,1] = 1 d = Mul(p, k) const z: f32[] = 0 q = Greater(d, z) e = Where(q, d, z) ${head('e', 8)} }`,
    units: [8],
  },
  'squeeze and excite': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 c1 = Conv(x, w1) p = GlobalAveragePool(c1) const w2: f32[4,8,1,1] = 1 s = Conv(p, w2)
      r = Relu(s) const w3: f32[8,4,1,1] = 1 e = Conv(r, w3) h = HardSigmoid(e) m = Mul(c1, h)
      const w4: f32[5,8,1,1] = 1 c4 = Conv(m, w4) ${head('c4', 5)} }`,
    units: [8, 4, 5],
  },
  'Concat and what reads it': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) const w2: f32[6,3,1,1] = 1 b = Conv(x, w2)
      c = Concat(a, x, b) {axis=1} const w3: f32[5,13,1,1] = 1 d = Conv(c, w3) ${head('d', 5)} }`,
    units: [4, 6, 5],
  },
  'Split into unequal parts': {
    text: `${image} { const w1: f32[9,3,1,1] = 1 a = Conv(x, w1) const sizes: i64[2] = [4, 5] p, q = Split(a, sizes) {axis=1}
      const w2: f32[4,4,1,1] = 1 b = Conv(p, w2) c = Concat(b, q) {axis=1} ${head('c', 9)} }`,
    units: [4, 5, 4],
  },
  'Slice and Gather of channels': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 a = Conv(x, w1) const s: i64[1] = 1 const e: i64[1] = 7 const ax: i64[1] = 1 const st: i64[1] = 2
      p = Slice(a, s, e, ax, st) const idx: i64[4] = [6, 2, 0, 4] q = Gather(a, idx) {axis=1} c = Concat(p, q) {axis=1} ${head('c', 7)} }`,
    units: [7],
    whole: ['all its channels hang together as one'],
  },
  'Flatten of NCHW': {
    text: `${image} { const w1: f32[5,3,3,3] = 1 a = Conv(x, w1) f = Flatten(a) const w2: f32[7,80] = 1 g = Gemm(f, w2) {transB=1}
      r = Relu(g) const w3: f32[7,4] = 1 y = MatMul(r, w3) }`,
    units: [5, 7],
  },
  'Flatten of NHWC': {
    text: `${image} { const w1: f32[5,3,3,3] = 1 a = Conv(x, w1) t = Transpose(a) {perm=[0,2,3,1]} const sh: i64[2] = [0, -1]
      f = Reshape(t, sh) const w2: f32[80,7] = 1 y = MatMul(f, w2) }`,
    units: [5],
  },
  'a channel shuffle': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 a = Conv(x, w1) const s1: i64[5] = [2,2,4,6,6] b = Reshape(a, s1)
      c = Transpose(b) {perm=[0,2,1,3,4]} const s2: i64[4] = [2,8,6,6] d = Reshape(c, s2) const w2: f32[4,8,1,1] = 1 e = Conv(d, w2) ${head('e', 4)} }`,
    units: [4, 4],
  },
  'Resize, Pad, Expand, Tile, Upsample sizes': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) const sizes: i64[4] = [2,4,12,12] b = Resize(a, , , sizes) {mode="nearest"}
      const pads: i64[8] = [0,1,1,1,0,3,1,1] p = Pad(b, pads) const w2: f32[8,3,1,1] = 1 k = Conv(x, w2) const big: i64[4] = [2,8,14,14]
      pool = GlobalAveragePool(k) ex = Expand(pool, big) s = Add(p, ex) const rep: i64[4] = [1,2,1,1] t = Tile(s, rep) ${head('t', 16)} }`,
    units: [4, 4],
  },
  'Reduce over space, Squeeze and Unsqueeze': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) m = ReduceMean(a) {axes=[2,3], keepdims=0} const ax: i64[1] = 2 u = Unsqueeze(m, ax)
      sq = Squeeze(u, ax) const w2: f32[4,6] = 1 y = MatMul(sq, w2) }`,
    units: [4],
  },
  'a Softmax over channels': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) b = Softmax(a) {axis=1} const w2: f32[5,4,1,1] = 1 c = Conv(b, w2) ${head('c', 5)} }`,
    units: [5],
    whole: ['the softmax runs over these channels'],
  },
  'a mean over channels and an operator that is unknown here': {
    text: `graph (x: f32[2,3,6,6]) -> (y: f32, z: f32[2,4]) opset 17 { const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) m = ReduceMean(a) {axes=[1]} const w2: f32[4,3,1,1] = 1 b = Conv(x, w2)
      p = GlobalAveragePool(b) z = Flatten(p) c = Mul(x, m) const w3: f32[5,3,1,1] = 1 d = Conv(c, w3) ${head('d', 5)} }`,
    units: [5],
    whole: ['it takes the mean over these channels', 'it is the output "z"'],
  },
  'InstanceNormalization and GroupNormalization': {
    text: `graph (x: f32[2,3,6,6]) -> (y: f32) opset 21 { const w1: f32[8,3,1,1] = 1 a = Conv(x, w1) const g: f32[8] = 1 const b: f32[8] = 1 i = InstanceNormalization(a, g, b)
      const w2: f32[8,8,1,1] = 1 c = Conv(i, w2) gn = GroupNormalization(c, g, b) {num_groups=8} ${head('gn', 8)} }`,
    units: [8, 8],
  },
  'depth to space and back': {
    text: `${image} { const w1: f32[8,3,1,1] = 1 a = Conv(x, w1) d = DepthToSpace(a) {blocksize=2} const w2: f32[4,2,1,1] = 1 b = Conv(d, w2)
      s = SpaceToDepth(b) {blocksize=2} const w3: f32[5,16,1,1] = 1 c = Conv(s, w3) ${head('c', 5)} }`,
    units: [2, 4, 5],
  },
  'Einsum and batched weights': {
    text: `graph (x: f32[2,5,6]) -> (y: f32) opset 17 { const w1: f32[6,8] = 1 a = Einsum(x, w1) {equation="bsi,io->bso"} r = Relu(a)
      const w2: f32[2,8,7] = 1 b = MatMul(r, w2) const w3: f32[7,3] = 1 y = MatMul(b, w3) }`,
    units: [8, 7],
  },
  'weights behind Constant, Identity, Cast and Transpose': {
    text: `${image} { k = Constant() {value=f32[4,3,1,1] 1} a = Conv(x, k) const w2: f32[5,4,1,1] = 1 i = Identity(w2) b = Conv(a, i)
      p = GlobalAveragePool(b) f = Flatten(p) const w3: f64[7,5] = 1 h = Cast(w3) {to=1} t = Transpose(h) {perm=[1,0]} g = MatMul(f, t)
      const w4: f32[7,2] = 1 y = MatMul(g, w4) }`,
    units: [4, 5, 7],
  },
  'weights behind DequantizeLinear per channel': {
    text: `${image} { const q: i8[4,3,1,1] = 3 const s: f32[4] = 1 const z: i8[4] = 0 w = DequantizeLinear(q, s, z) {axis=0} a = Conv(x, w) ${head('a', 4)} }`,
    units: [4],
  },
  'a vector that two layers share is copied, a matrix stays shared': {
    text: `${image} { const w1: f32[4,3,1,1] = 1 const b: f32[4] = 1 a = Conv(x, w1, b) const w2: f32[4,4,1,1] = 1 c = Conv(a, w2, b) const w3: f32[4,4,1,1] = 1
      d = Conv(c, w3) e = Conv(d, w3) ${head('e', 4)} }`,
    units: [4, 4],
  },
  'an LSTM, both directions': {
    text: `graph (x: f32[5,2,6]) -> (y: f32) opset 17 { const w: f32[2,16,6] = 1 const r: f32[2,16,4] = 1 const b: f32[2,32] = 1
      h = LSTM(x, w, r, b) {hidden_size=4, direction="bidirectional"} t = Transpose(h) {perm=[0,2,1,3]} const s: i64[3] = [0,0,-1] f = Reshape(t, s)
      const w2: f32[8,3] = 1 y = MatMul(f, w2) }`,
    units: [4],
  },
  'two GRUs, the second from the state of the first': {
    text: `graph (x: f32[5,2,6]) -> (y: f32) opset 17 { const w: f32[1,12,6] = 1 const r: f32[1,12,4] = 1 const b: f32[1,24] = 1
      h, last = GRU(x, w, r, b) {hidden_size=4} const ax: i64[1] = 1 q = Squeeze(h, ax) const w1: f32[1,15,4] = 1 const r1: f32[1,15,5] = 1
      _, z = GRU(q, w1, r1) {hidden_size=5} const zero: i64[1] = 0 s = Squeeze(z, zero) const w2: f32[5,3] = 1 y = MatMul(s, w2) }`,
    units: [4, 5],
  },
}

const attention = (split: string) => `graph (x: f32[2,5,6]) -> (y: f32) opset 17 {
  const wq: f32[6,12] = 1 const wk: f32[6,12] = 1 const wv: f32[6,12] = 1 const bq: f32[12] = 1 const sh: i64[4] = ${split}
  q0 = MatMul(x, wq) q1 = Add(q0, bq) q2 = Reshape(q1, sh) q = Transpose(q2) {perm=[0,2,1,3]}
  k0 = MatMul(x, wk) k2 = Reshape(k0, sh) k = Transpose(k2) {perm=[0,2,3,1]}
  v0 = MatMul(x, wv) v2 = Reshape(v0, sh) v = Transpose(v2) {perm=[0,2,1,3]}
  const d: f32[] = 2 s0 = MatMul(q, k) s1 = Div(s0, d) p = Softmax(s1) {axis=-1} o0 = MatMul(p, v) o1 = Transpose(o0) {perm=[0,2,1,3]}
  const flat: i64[3] = [0,0,12] o2 = Reshape(o1, flat) const wo: f32[12,6] = 1 o = MatMul(o2, wo) sum = Add(o, x) const wy: f32[6,3] = 1 y = MatMul(sum, wy) }`

const attentions: Readonly<Record<string, Row>> = {
  'attention by heads': { text: attention('[0,0,3,4]'), units: [3], whole: ['it is the input "x"'] },
  'attention by what is in a head': {
    text: attention('[0,0,3,4]'),
    units: [4, 4],
    attention: 'dims',
    whole: ['it is the input "x"'],
  },
  'queries, keys and values in one product': {
    text: `graph (x: f32[2,5,6]) -> (y: f32) opset 17 { const w: f32[6,36] = 1 const b: f32[36] = 1 a = MatMul(x, w) a1 = Add(a, b) const sh: i64[5] = [2,5,3,3,4]
      r = Reshape(a1, sh) t = Transpose(r) {perm=[2,0,3,1,4]} const i0: i64[] = 0 const i1: i64[] = 1 const i2: i64[] = 2 q = Gather(t, i0) {axis=0} k = Gather(t, i1) {axis=0}
      v = Gather(t, i2) {axis=0} kt = Transpose(k) {perm=[0,1,3,2]} s = MatMul(q, kt) p = Softmax(s) {axis=-1} o = MatMul(p, v) o1 = Transpose(o) {perm=[0,2,1,3]}
      const flat: i64[3] = [0,0,-1] o2 = Reshape(o1, flat) const wo: f32[12,5] = 1 y = MatMul(o2, wo) }`,
    units: [3],
  },
  'query heads that share a key-value head': {
    text: `graph (x: f32[2,5,6]) -> (y: f32) opset 17 { const wq: f32[6,24] = 1 const wk: f32[6,12] = 1 const wv: f32[6,12] = 1 const sq: i64[4] = [0,0,6,4] const sk: i64[4] = [0,0,3,4]
      q0 = MatMul(x, wq) q1 = Reshape(q0, sq) q = Transpose(q1) {perm=[0,2,1,3]} k0 = MatMul(x, wk) k1 = Reshape(k0, sk) k2 = Transpose(k1) {perm=[0,2,1,3]}
      v0 = MatMul(x, wv) v1 = Reshape(v0, sk) v2 = Transpose(v1) {perm=[0,2,1,3]} const ax: i64[1] = 2 const ex: i64[5] = [2,3,2,5,4] const sh: i64[4] = [2,6,5,4]
      k3 = Unsqueeze(k2, ax) k4 = Expand(k3, ex) k5 = Reshape(k4, sh) v3 = Unsqueeze(v2, ax) v4 = Expand(v3, ex) v = Reshape(v4, sh)
      kt = Transpose(k5) {perm=[0,1,3,2]} s = MatMul(q, kt) p = Softmax(s) {axis=-1} o = MatMul(p, v) o1 = Transpose(o) {perm=[0,2,1,3]}
      const flat: i64[3] = [0,0,24] o2 = Reshape(o1, flat) const wo: f32[24,5] = 1 y = MatMul(o2, wo) }`,
    units: [3],
  },
  "onnxruntime's MultiHeadAttention": {
    text: `graph (x: f32[2,5,6]) -> (y: f32) opset 17, com.microsoft 1 { const wq: f32[6,12] = 1 const wk: f32[6,12] = 1 const wv: f32[6,12] = 1 const b: f32[36] = 1
      q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv) o = com.microsoft.MultiHeadAttention(q, k, v, b) {num_heads=3} const wo: f32[12,5] = 1 y = MatMul(o, wo) }`,
    units: [3],
  },
  'the Attention operator with shared key-value heads': {
    text: `graph (x: f32[2,5,6]) -> (y: f32) opset 23 { const wq: f32[6,24] = 1 const wk: f32[6,12] = 1 const wv: f32[6,12] = 1
      q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv) o = Attention(q, k, v) {q_num_heads=6, kv_num_heads=3} const wo: f32[24,5] = 1 y = MatMul(o, wo) }`,
    units: [3],
  },
}

const open: Readonly<Record<string, Row>> = {
  'heads that share an axis with an open batch': {
    text: `graph (x: f32[N,5,6]) -> (y: f32) opset 17 { const w: f32[6,36] = 1 a = MatMul(x, w) const th: i64[4] = [0,0,3,12] b = Reshape(a, th) t = Transpose(b) {perm=[2,1,0,3]}
      const i0: i64[] = 0 const i1: i64[] = 1 const i2: i64[] = 2 q0 = Gather(t, i0) k0 = Gather(t, i1) v0 = Gather(t, i2) const sh: i64[3] = [5,-1,4]
      q1 = Reshape(q0, sh) k1 = Reshape(k0, sh) v1 = Reshape(v0, sh) q = Transpose(q1) {perm=[1,0,2]} k = Transpose(k1) {perm=[1,2,0]} v = Transpose(v1) {perm=[1,0,2]}
      s = MatMul(q, k) p = Softmax(s) {axis=-1} o = MatMul(p, v) o1 = Transpose(o) {perm=[1,0,2]} const back: i64[2] = [-1,12] o2 = Reshape(o1, back) const wo: f32[12,5] = 1 y = MatMul(o2, wo) }`,
    units: [3],
  },
  'an initial state whose shape the graph computes': {
    text: `graph (x: f32[N,5,6]) -> (y: f32) opset 17 { t = Transpose(x) {perm=[1,0,2]} sx = Shape(x) const zero: i64[1] = 0 const one: i64[1] = 1 n = Slice(sx, zero, one) const d: i64[1] = 1 const h: i64[1] = 4
      shape = Concat(d, n, h) {axis=0} init = ConstantOfShape(shape) {value=f32[1] 0.5} const w: f32[1,12,6] = 1 const r: f32[1,12,4] = 1
      _, last = GRU(t, w, r, , , init) {hidden_size=4} q = Squeeze(last, zero) const w2: f32[4,3] = 1 y = MatMul(q, w2) }`,
    units: [4],
  },
  'a class token that is expanded to an open batch': {
    text: `graph (x: f32[N,5,6]) -> (y: f32) opset 17 { const w: f32[6,8] = 1 e = MatMul(x, w) sx = Shape(x) const zero: i64[1] = 0 const one: i64[1] = 1 n = Slice(sx, zero, one) const c: i64[1] = 8
      shape = Concat(n, one, c) {axis=0} const token: f32[1,1,8] = 1 tk = Expand(token, shape) j = Concat(tk, e) {axis=1} const w2: f32[8,3] = 1 y = MatMul(j, w2) }`,
    units: [8],
  },
}

test('a layer norm that is written out lets its channels go', () => {
  const graph =
    randomGraph(`graph (x: f32[2,5,6]) -> (y: f32) opset 13 { const w: f32[6,8] = 1 e = MatMul(x, w) m = ReduceMean(e) {axes=[-1]} c = Sub(e, m) const two: f32[] = 2 s = Pow(c, two)
    v = ReduceMean(s) {axes=[-1]} const eps: f32[] = 0.00001 ve = Add(v, eps) r = Sqrt(ve) n = Div(c, r) const g: f32[8] = 1 k = Mul(n, g) const b: f32[8] = 1 a = Add(k, b) const u: f32[8,3] = 1 y = MatMul(a, u) }`)
  const { groups, barriers } = groupsOf(analyse(graph))
  expect(groups.map(({ size, members }) => [size, members.map((m) => m.constant.name)])).toEqual([
    [8, ['w', 'g', 'b', 'u']],
  ])
  expect(barriers.map(({ reason }) => reason)).toEqual(['it is the output "y"'])
})

describe.each(Object.entries({ ...rows, ...attentions, ...open }))('%s', (_, row) => {
  test('has its groups, and cutting equals zeroing', async () => {
    const graph = randomGraph(row.text)
    const { groups, after, difference } = await cutAndCompare(graph, row.attention ? { attention: row.attention } : {})
    expect(groups.groups.map((g) => g.size)).toEqual(row.units)
    const reasons = groups.barriers.map(({ reason }) => reason.replace(/^.*: /, ''))
    const isOutput = (reason: string) => reason === 'it is the output "y"'
    expect(reasons.filter((r) => !isOutput(r))).toEqual(row.whole ?? [])
    expect(costOf(after).params).toBeLessThan(costOf(groups.coupling.graph).params)
    expect(difference).toBeLessThan(1e-5)
  })
})

test('groups print what goes together and why', () => {
  const groups = groupsOf(analyse(randomGraph(rows['a residual sum']?.text ?? '')))
  expect(printGroups(groups)).toMatchInlineSnapshot(`
    "group 0 "c1": 8 units
      w1 axis 0: output channels of node "c1" (Conv)
      w2 axis 0: output channels of node "c2" (Conv)
      w2 axis 1: input channels of node "c2" (Conv)
      wo axis 0: input channels of node "y" (Gemm)
      because node "c2" (Conv): its input channels
      because node "s" (Add): Add combines them element by element
      because node "y" (Gemm): its input channels
    whole: 3 channels of node "y" (Gemm): it is the output "y""
  `)
})

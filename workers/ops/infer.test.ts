import { describe, expect, test } from 'vitest'
import { Builder } from '../graph/builder.ts'
import { Graph, type Node } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { print, typeText } from '../graph/print.ts'
import { i64 } from '../graph/tensor.ts'
import { tensorType, type ValueType } from '../graph/types.ts'
import { inferOutputs, inferTypes, typeProblems } from './infer.ts'

const typed = (text: string) => print(inferTypes(parse(text)), { types: true })
/** The type of one value after inference. */
const typeOf = (text: string, value = 'y'): string => {
  const type = inferTypes(parse(text)).type(value)
  return type ? typeText(type) : 'nothing'
}

describe('symbolic sizes', () => {
  test('a convolutional net keeps its batch and computes its pixels', () => {
    expect(
      typed(`graph (x: f32[N,3,H,W]) -> (y) {
        const w: f32[8,3,3,3] = 0
        const b: f32[8] = 0
        const fc: f32[10,8] = 0
        c = Conv(x, w, b) {pads=[1,1,1,1], strides=[2,2]}
        r = Relu(c)
        p = MaxPool(r) {kernel_shape=[2,2], strides=[2,2]}
        g = GlobalAveragePool(p)
        f = Flatten(g)
        y = Gemm(f, fc) {transB=1}
      }`),
    ).toMatchInlineSnapshot(`
      "graph main (x: f32[N,3,H,W]) -> (y: f32[N,10]) opset 17 {
        const w: f32[8,3,3,3] = 0
        const b: f32[8] = 0
        const fc: f32[10,8] = 0
        c: f32[N,8,"floor((H + 1)/2)","floor((W + 1)/2)"] = Conv(x, w, b) {pads = [1, 1, 1, 1], strides = [2, 2]}
        r: f32[N,8,"floor((H + 1)/2)","floor((W + 1)/2)"] = Relu(c)
        p: f32[N,8,"floor((H + 1)/4)","floor((W + 1)/4)"] = MaxPool(r) {kernel_shape = [2, 2], strides = [2, 2]}
        g: f32[N,8,1,1] = GlobalAveragePool(p)
        f: f32[N,8] = Flatten(g)
        y = Gemm(f, fc) {transB = 1}
      }"
    `)
  })

  test('static sizes beat names, names beat nothing', () => {
    expect(typeOf('graph (x: f32[N,4], z: f32[8,1]) -> (y) { y = Add(x, z) }')).toBe('f32[8,4]')
    expect(typeOf('graph (x: f32[N,4], z: f32[M,4]) -> (y) { y = Add(x, z) }')).toBe('f32[?,4]')
  })

  test('concatenated caches add up', () => {
    expect(typeOf('graph (past: f32[B,8,past_len,64], k: f32[B,8,S,64]) -> (y) { y = Concat(past, k) {axis=2} }')).toBe(
      'f32[B,8,"S + past_len",64]',
    )
  })

  test('a declared size in another spelling fits', () => {
    const graph = parse(`graph (past: f32[P], k: f32[1]) -> (y: f32["1+P"]) { y = Concat(past, k) {axis=0} }`)
    expect(typeProblems(graph)).toEqual([])
  })
})

describe('constant propagation through shape arithmetic', () => {
  test('x.view(x.size(0), -1)', () => {
    expect(
      typeOf(`graph (x: f32[N,8,7,7]) -> (y) {
        const zero: i64[] = 0
        const minus: i64[1] = -1
        s = Shape(x)
        n = Gather(s, zero) {axis=0}
        n1 = Unsqueeze(n) {axes=[0]}
        t = Concat(n1, minus) {axis=0}
        y = Reshape(x, t)
      }`),
    ).toBe('f32[N,392]')
  })

  test('attention heads split and joined with symbolic batch and sequence', () => {
    expect(
      typed(`graph (x: f32[B,S,768]) -> (y) {
        const zero: i64[] = 0
        const one: i64[] = 1
        const heads: i64[1] = [12]
        const size: i64[1] = [64]
        const axis: i64[1] = [0]
        const hidden: i64[1] = [768]
        shape = Shape(x)
        b = Gather(shape, zero)
        s = Gather(shape, one)
        b1 = Unsqueeze(b, axis)
        s1 = Unsqueeze(s, axis)
        split = Concat(b1, s1, heads, size) {axis=0}
        q = Reshape(x, split)
        qt = Transpose(q) {perm=[0,2,1,3]}
        kt = Transpose(q) {perm=[0,2,3,1]}
        scores = MatMul(qt, kt)
        soft = Softmax(scores) {axis=-1}
        mixed = MatMul(soft, qt)
        back = Transpose(mixed) {perm=[0,2,1,3]}
        joined = Concat(b1, s1, hidden) {axis=0}
        y = Reshape(back, joined)
      }`),
    ).toMatchInlineSnapshot(`
      "graph main (x: f32[B,S,768]) -> (y: f32[B,S,768]) opset 17 {
        const zero: i64[] = 0
        const one: i64[] = 1
        const heads: i64[1] = [12]
        const size: i64[1] = [64]
        const axis: i64[1] = [0]
        const hidden: i64[1] = [768]
        shape: i64[3] = Shape(x)
        b: i64[] = Gather(shape, zero)
        s: i64[] = Gather(shape, one)
        b1: i64[1] = Unsqueeze(b, axis)
        s1: i64[1] = Unsqueeze(s, axis)
        split: i64[4] = Concat(b1, s1, heads, size) {axis = 0}
        q: f32[B,S,12,64] = Reshape(x, split)
        qt: f32[B,12,S,64] = Transpose(q) {perm = [0, 2, 1, 3]}
        kt: f32[B,12,64,S] = Transpose(q) {perm = [0, 2, 3, 1]}
        scores: f32[B,12,S,S] = MatMul(qt, kt)
        soft: f32[B,12,S,S] = Softmax(scores) {axis = -1}
        mixed: f32[B,12,S,64] = MatMul(soft, qt)
        back: f32[B,S,12,64] = Transpose(mixed) {perm = [0, 2, 1, 3]}
        joined: i64[3] = Concat(b1, s1, hidden) {axis = 0}
        y = Reshape(back, joined)
      }"
    `)
  })

  test('position ids are sliced to the length of the sequence', () => {
    expect(
      typeOf(`graph (ids: i64[B,S]) -> (y) {
        const positions: i64[1,512] = 0
        const table: f32[512,64] = 0
        const one: i64[] = 1
        const zero1: i64[1] = [0]
        const one1: i64[1] = [1]
        shape = Shape(ids)
        s = Gather(shape, one)
        end = Unsqueeze(s, zero1)
        p = Slice(positions, zero1, end, one1)
        y = Gather(table, p)
      }`),
    ).toBe('f32[1,S,64]')
  })

  test('expand with Where(Equal(target, -1), ones, target), as PyTorch exports it', () => {
    expect(
      typeOf(`graph (x: f32[B,1,64]) -> (y) {
        const zero: i64[] = 0
        const zero1: i64[1] = [0]
        const minus: i64[] = -1
        const rest: i64[2] = [5, -1]
        const three: i64[1] = [3]
        shape = Shape(x)
        b = Gather(shape, zero)
        b1 = Unsqueeze(b, zero1)
        target = Concat(b1, rest) {axis=0}
        ones = ConstantOfShape(three) {value=i64[1] [1]}
        marks = Mul(ones, minus)
        open = Equal(target, marks)
        fixed = Where(open, ones, target)
        y = Expand(x, fixed)
      }`),
    ).toBe('f32[B,5,64]')
  })

  test('a feature pyramid doubles what a neighbour measures, through float', () => {
    expect(
      typeOf(`graph (x: f32[1,16,H,W]) -> (y) {
        const two1: i64[1] = [2]
        const four1: i64[1] = [4]
        const zero1: i64[1] = [0]
        const two: f32[2] = [2, 2]
        shape = Shape(x)
        front = Slice(shape, zero1, two1, zero1)
        size = Slice(shape, two1, four1, zero1)
        real = Cast(size) {to=1}
        big = Mul(real, two)
        whole = Floor(big)
        back = Cast(whole) {to=7}
        sizes = Concat(front, back) {axis=0}
        y = Resize(x, _, _, sizes) {mode="nearest"}
      }`),
    ).toBe('f32[1,16,"2*H","2*W"]')
  })

  test('pads that PyTorch computes by reshaping, reversing and transposing', () => {
    expect(
      typeOf(`graph (x: f32[N,3,H,W]) -> (y) {
        const given: i64[4] = [1, 2, 3, 4]
        const extra: i64[1] = [4]
        const pairs: i64[2] = [-1, 2]
        const flat: i64[1] = [-1]
        const zero1: i64[1] = [0]
        const minus1: i64[1] = [-1]
        const least: i64[1] = [-9223372036854775807]
        zeros = ConstantOfShape(extra) {value=i64[1] [0]}
        all = Concat(given, zeros) {axis=0}
        two = Reshape(all, pairs)
        reversed = Slice(two, minus1, least, zero1, minus1)
        t = Transpose(reversed) {perm=[1,0]}
        pads = Reshape(t, flat)
        y = Pad(x, pads)
      }`),
    ).toBe('f32[N,3,"H + 7","W + 3"]')
  })

  test('products, ranges, splits and single sizes', () => {
    const text = `graph (x: f32[N,C,8]) -> (y) {
      const axis: i64[1] = [0]
      const zero: i64[] = 0
      const one: i64[] = 1
      const first: i64[1] = [-1]
      shape = Shape(x)
      a, b, c = Split(shape) {axis=0}
      total = ReduceProd(shape) {keepdims=0}
      count = Range(zero, total, one)
      n = Squeeze(a, axis)
      few = Div(total, n)
      flat = Unsqueeze(few, axis)
      target = Concat(a, flat) {axis=0}
      y = Reshape(x, target)
      size = Size(x)
      filled = ConstantOfShape(target)
    }`
    expect(typeOf(text)).toBe('f32[N,"8*C"]')
    expect(typeOf(text, 'count')).toBe('i64["8*C*N"]')
    expect(typeOf(text, 'filled')).toBe('f32[N,"8*C"]')
  })

  test('what comes from data stays open, its rank known', () => {
    expect(typeOf('graph (x: f32[N,4], s: i64[3]) -> (y) { y = Reshape(x, s) }')).toBe('f32[?,?,?]')
    expect(typeOf('graph (x: f32[N,4]) -> (y) { y = NonZero(x) }')).toBe('i64[2,?]')
  })

  test('inputs given beforehand count as constants', () => {
    const graph = parse('graph (x: f32[N,4], s: i64[2]) -> (y) { y = Reshape(x, s) }')
    const known = inferTypes(graph, { knownInputs: new Map([['s', i64([-1, 2])]]) })
    expect(known.outputs[0]?.type).toEqual(tensorType('f32', ['2*N', 2]))
  })
})

describe('every form of an operator', () => {
  test.each([
    ['axes as an attribute', 'opset 11 { y = Squeeze(x) {axes=[1]} }', 'f32[N,6]'],
    ['axes as an input', 'opset 13 { const a: i64[1] = [1]  y = Squeeze(x, a) }', 'f32[N,6]'],
    ['reduced axes as an attribute', 'opset 13 { y = ReduceMean(x) {axes=[2], keepdims=0} }', 'f32[N,1]'],
    ['reduced axes as an input', 'opset 18 { const a: i64[1] = [2]  y = ReduceMean(x, a) {keepdims=0} }', 'f32[N,1]'],
    ['no axes at all', 'opset 18 { y = ReduceMean(x) {keepdims=0} }', 'f32[]'],
    ['no axes, which may mean nothing', 'opset 18 { y = ReduceMean(x) {noop_with_empty_axes=1} }', 'f32[N,1,6]'],
    ['bounds as attributes', 'opset 9 { y = Slice(x) {axes=[2], starts=[1], ends=[-1]} }', 'f32[N,1,4]'],
    ['parts as an attribute', 'opset 11 { y, z = Split(x) {axis=2, split=[4,2]} }', 'f32[N,1,4]'],
    ['parts as an input', 'opset 13 { const s: i64[2] = [4,2]  y, z = Split(x, s) {axis=2} }', 'f32[N,1,4]'],
    ['the last part smaller', 'opset 18 { a, b, c, y = Split(x) {axis=2, num_outputs=4} }', 'f32[N,1,0]'],
    ['pads as an attribute', 'opset 10 { y = Pad(x) {pads=[0,0,1,0,0,1]} }', 'f32[N,1,8]'],
    [
      'pads of some axes',
      'opset 18 { const p: i64[2] = [1,1]  const a: i64[1] = [-1]  y = Pad(x, p, _, a) }',
      'f32[N,1,8]',
    ],
    ['scales as an attribute', 'opset 7 { y = Upsample(x) {scales=[1.0,1.0,2.0]} }', 'f32[N,1,12]'],
    ['scales as an input', 'opset 10 { const s: f32[3] = [1,1,0.5]  y = Resize(x, s) }', 'f32[N,1,3]'],
    ['k as an attribute', 'opset 9 { y, i = TopK(x) {axis=2, k=3} }', 'f32[N,1,3]'],
    ['k as an input', 'opset 11 { const k: i64[1] = [3]  y, i = TopK(x, k) {axis=2} }', 'f32[N,1,3]'],
    ['part of a shape', 'opset 15 { y = Shape(x) {start=1} }', 'i64[2]'],
    ['axes of Unsqueeze', 'opset 12 { y = Unsqueeze(x) {axes=[0,-1]} }', 'f32[1,N,1,6,1]'],
  ])('%s', (_, rest, expected) => {
    expect(typeOf(`graph (x: f32[N,1,6]) -> (y) ${rest}`)).toBe(expected)
  })

  test.each([
    ['y = Einsum(a, b) {equation="bij,bjk->bik"}', 'f32[B,3,5]'],
    ['y = Einsum(a, b) {equation="...ij,...jk->...ik"}', 'f32[B,3,5]'],
    ['y = MatMul(a, b)', 'f32[B,3,5]'],
    ['y = CumSum(a, c)', 'f32[B,3,4]'],
    ['y = Cast(a) {to=10}', 'f16[B,3,4]'],
    ['y = ArgMax(a) {axis=-1, keepdims=0}', 'i64[B,3]'],
  ])('%s', (line, expected) => {
    expect(typeOf(`graph (a: f32[B,3,4], b: f32[B,4,5]) -> (y) { const c: i64[] = 1  ${line} }`)).toBe(expected)
  })

  test('recurrent layers', () => {
    const text = `graph (x: f32[T,B,10]) -> (y) {
      const w: f32[2,80,10] = 0
      const r: f32[2,80,20] = 0
      y, h, c = LSTM(x, w, r) {direction="bidirectional", hidden_size=20}
    }`
    expect([typeOf(text), typeOf(text, 'h')]).toEqual(['f32[T,2,B,20]', 'f32[2,B,20]'])
  })

  test('quantized pairs and onnxruntime operators', () => {
    expect(
      typed(`graph (x: f32[N,3,8,8]) -> (y) opset 17, com.microsoft 1 {
        const s: f32[] = 0.1
        const z: u8[] = 0
        const w: i8[4,3,3,3] = 0
        const wz: i8[] = 0
        const bq: u8[20,5] = 0
        q = QuantizeLinear(x, s, z)
        c = QLinearConv(q, s, z, w, s, wz, s, z)
        p = com.microsoft.QLinearGlobalAveragePool(c, s, z, s, z)
        a = com.microsoft.QLinearAdd(p, s, z, p, s, z, s, z)
        d = DequantizeLinear(a, s, z)
        f = Flatten(d)
        g = com.microsoft.FastGelu(f)
        y = com.microsoft.MatMulNBits(g, bq, s) {K=4, N=20, bits=4, block_size=16}
      }`),
    ).toMatchInlineSnapshot(`
      "graph main (x: f32[N,3,8,8]) -> (y: f32[N,20]) opset 17, com.microsoft 1 {
        const s: f32[] = 0.1
        const z: u8[] = 0
        const w: i8[4,3,3,3] = 0
        const wz: i8[] = 0
        const bq: u8[20,5] = 0
        q: u8[N,3,8,8] = QuantizeLinear(x, s, z)
        c: u8[N,4,6,6] = QLinearConv(q, s, z, w, s, wz, s, z)
        p: u8[N,4,1,1] = com.microsoft.QLinearGlobalAveragePool(c, s, z, s, z)
        a: u8[N,4,1,1] = com.microsoft.QLinearAdd(p, s, z, p, s, z, s, z)
        d: f32[N,4,1,1] = DequantizeLinear(a, s, z)
        f: f32[N,4] = Flatten(d)
        g: f32[N,4] = com.microsoft.FastGelu(f)
        y = com.microsoft.MatMulNBits(g, bq, s) {K = 4, N = 20, bits = 4, block_size = 16}
      }"
    `)
  })

  test('attention of onnxruntime', () => {
    const text = `graph (x: f32[B,S,64]) -> (y) opset 17, com.microsoft 1 {
      const w: f32[64,192] = 0
      const b: f32[192] = 0
      const g: f32[64] = 0
      a, present = com.microsoft.Attention(x, w, b) {num_heads=4}
      y, _, _, sum = com.microsoft.SkipLayerNormalization(a, x, g, g)
    }`
    expect([typeOf(text), typeOf(text, 'present'), typeOf(text, 'sum')]).toEqual([
      'f32[B,S,64]',
      'f32[2,B,4,S,16]',
      'f32[B,S,64]',
    ])
  })

  test('gradient composites are like what they are gradients of', () => {
    const text = `graph (x: f32[N,3,8,8], dy: f32[N,4,6,6]) -> (y) opset 17, ai.alambic 1 {
      const w: f32[4,3,3,3] = 0
      const s: f32[3] = 0
      y = ai.alambic.ConvInputGrad(dy, w, x)
      dw = ai.alambic.ConvFilterGrad(dy, x, w)
      bn, mean, var, m, r = ai.alambic.BatchNormTraining(x, s, s, s, s)
      dx, ds, db = ai.alambic.BatchNormGrad(bn, x, s, m, r)
    }`
    expect(['y', 'dw', 'bn', 'r', 'dx', 'db'].map((v) => typeOf(text, v))).toEqual([
      'f32[N,3,8,8]',
      'f32[4,3,3,3]',
      'f32[N,3,8,8]',
      'f32[3]',
      'f32[N,3,8,8]',
      'f32[3]',
    ])
  })
})

describe('while building', () => {
  test('types and shape arithmetic are known at once', () => {
    const b = new Builder(new Graph({ opsets: new Map([['', 17]]) }), inferOutputs)
    const x = b.input('x', 'f32', ['N', 8, 4])
    const zero = b.constant('zero', i64([0]))
    const n = b.op('Gather', [b.op('Shape', [x]), zero])
    const target = b.op('Concat', [n, b.constant('minus', i64([-1]))], { axis: 0 })
    const y = b.op('Reshape', [x, target])
    expect(b.type(y)).toEqual(tensorType('f32', ['N', 32]))
  })

  test('a graph that exists already is understood, its shape arithmetic too', () => {
    const base = inferTypes(
      parse(
        'graph (x: f32[N,8,4]) -> (t) { const a: i64[1] = [0]  const m: i64[1] = [-1]  s = Shape(x)  n = Gather(s, a)  t = Concat(n, m) {axis=0} }',
      ),
    )
    const b = new Builder(base, inferOutputs)
    expect(b.type(b.op('Reshape', ['x', 't']))).toEqual(tensorType('f32', ['N', 32]))
  })

  test('what does not fit is refused at once', () => {
    const b = new Builder(new Graph({}), inferOutputs)
    const x = b.input('x', 'f32', [2, 3])
    expect(() => b.op('MatMul', [x, x])).toThrow('its inner sizes differ')
  })
})

test('20,000 nodes are typed', () => {
  const nodes = Array.from({ length: 20_000 }, (_, i): Node => ({
    name: `n${i}`,
    op: i % 2 === 0 ? 'Relu' : 'Add',
    domain: '',
    inputs: i % 2 === 0 ? [`v${i}`] : [`v${i}`, 'v0'],
    outputs: [`v${i + 1}`],
    attributes: {},
  }))
  const type: ValueType = tensorType('f32', ['N', 16])
  const graph = new Graph({
    inputs: [{ name: 'v0', type }],
    outputs: [{ name: 'v20000', type: { kind: 'unknown' } }],
    nodes,
  })
  const result = inferTypes(graph, { strict: true })
  expect(result.outputs[0]?.type).toEqual(type)
  expect(result.types.size).toBe(19_999)
})

import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { evaluate } from './evaluate.ts'
import { fromTensor, type NdArray } from './value.ts'

/*
 * Operators of which ONNX's operator tests show nothing: onnxruntime is the judge. Constants of zeros stand for normal
 * noise.
 */
type Case = readonly [name: string, inputs: string, body: string]

const q = 'const s: f32[] = 0.05 const z: u8[] = 120'
const toBytes = `${q} a = QuantizeLinear(x, s, z)`

const cases: readonly Case[] = [
  ['GlobalLpPool', 'x: f32[2,3,4,5]', 'y = GlobalLpPool(x) {p = 3}'],
  [
    'MaxRoiPool',
    'x: f32[1,2,8,8]',
    'const r: f32[2,5] = [0, 0, 0, 5, 6, 0, 2, 1, 7, 7] y = MaxRoiPool(x, r) {pooled_shape = [2,3], spatial_scale = 0.75}',
  ],
  [
    'SequenceConstruct, SequenceErase, ConcatFromSequence',
    'x: f32[2,3], w: f32[2,3], v: f32[2,3]',
    'const i: i64[] = 1 a = SequenceConstruct(x, w, v) b = SequenceErase(a, i) y = ConcatFromSequence(b) {axis = 1, new_axis = 1}',
  ],
  ['SequenceAt', 'x: f32[2], w: f32[2]', 'const i: i64[] = -1 a = SequenceConstruct(w, x) y = SequenceAt(a, i)'],
  ['Optional', 'x: f32[3]', 'o = Optional(x) y = OptionalGetElement(o)'],
  [
    'TransposeMatMul',
    'x: f32[2,4,3], w: f32[2,5,4]',
    'y = com.microsoft.TransposeMatMul(x, w) {transA = 1, transB = 1, alpha = 0.5}',
  ],
  [
    'EmbedLayerNormalization',
    'x: f32[2,4,8]',
    `const i: i32[2,4] = [1,2,3,4,5,6,7,1] const t: i32[2,4] = [0,0,1,1,0,1,0,1]
     const w: f32[9,8] = 0 const p: f32[6,8] = 0 const g: f32[2,8] = 0 const n: f32[8] = 0 const b: f32[8] = 0
     e, m = com.microsoft.EmbedLayerNormalization(i, t, w, p, g, n, b) {epsilon = 0.00001} y = Add(e, x)`,
  ],
  [
    'QLinearAdd',
    'x: f32[2,3], w: f32[3]',
    `${toBytes} b = QuantizeLinear(w, s, z) c = com.microsoft.QLinearAdd(a, s, z, b, s, z, s, z) y = DequantizeLinear(c, s, z)`,
  ],
  [
    'QLinearMul',
    'x: f32[2,3], w: f32[3]',
    `${toBytes} b = QuantizeLinear(w, s, z) c = com.microsoft.QLinearMul(a, s, z, b, s, z, s, z) y = DequantizeLinear(c, s, z)`,
  ],
  [
    'QLinearConcat',
    'x: f32[2,3], w: f32[2,2]',
    `${toBytes} const t: f32[] = 0.1 const u: u8[] = 100 b = QuantizeLinear(w, t, u)
     c = com.microsoft.QLinearConcat(s, z, a, s, z, b, t, u) {axis = 1} y = DequantizeLinear(c, s, z)`,
  ],
  [
    'MatMulIntegerToFloat',
    'x: f32[2,3], w: f32[3,4]',
    `${toBytes} b = QuantizeLinear(w, s, z) const c: f32[4] = 0 y = com.microsoft.MatMulIntegerToFloat(a, b, s, s, z, z, c)`,
  ],
  [
    'DynamicQuantizeMatMul',
    'x: f32[2,3], w: f32[3,4]',
    `${q} b = QuantizeLinear(w, s, z) y = com.microsoft.DynamicQuantizeMatMul(x, b, s, z)`,
  ],
  [
    'MultiHeadAttention',
    'x: f32[2,3,8], k: f32[2,5,8], v: f32[2,5,8]',
    'const b: f32[24] = 0 y = com.microsoft.MultiHeadAttention(x, k, v, b) {num_heads = 2}',
  ],
]

describe('the reference executor and onnxruntime agree', () => {
  test.each(cases)('%s', async (_, inputs, body) => {
    const parsed = parse(`graph (${inputs}) -> (y: f32) opset 16, com.microsoft 1 { ${body} }`)
    const noise = [...parsed.initializers].map(([name, tensor], i) => {
      const isNoise = tensor.dtype === 'f32' && tensor.bytes.every((byte) => byte === 0)
      return [name, isNoise ? randomTensor(tensor.dims, i + 3) : tensor] as const
    })
    const graph = inferTypes(parsed.with({ initializers: new Map(noise) }))
    const feeds = randomFeeds(graph, 5)
    const { y: truth } = await runInOnnxruntime(graph, feeds)
    const values = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, fromTensor(tensor)]))
    const found = evaluate(graph, values)['y'] as NdArray
    expect(found.dims).toEqual(truth?.dims)
    expect(new Set(truth?.values).size).toBeGreaterThan(1)
    expect(largestDifference(truth?.values ?? [], [...found.data].map(Number))).toBeLessThan(2e-6)
  })
})

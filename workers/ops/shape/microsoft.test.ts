import * as ort from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import type { DType } from '../../graph/dtype.ts'
import { modelOf } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { staticShape } from '../../graph/types.ts'
import { encodeModel } from '../../onnx/index.ts'
import { inferTypes } from '../infer.ts'

/** onnxruntime's names of element types. */
const names: Readonly<Record<string, DType>> = {
  float32: 'f32',
  uint8: 'u8',
  int8: 'i8',
  uint16: 'u16',
  int32: 'i32',
  int64: 'i64',
}

/** Scales and zero points that the cases share. */
const shared = `
  const s: f32[] = 0.1
  const z: u8[] = 3
  const iz: i8[] = 0
  const x: f32[2,5,16] = 0.5
  const g: f32[16] = 1
  const image: u8[2,3,6,7] = 9
  const last: u8[2,6,7,3] = 9`

/** Constants of a case, its call, and how many outputs (`a`, `b`, `c`, `d`) it has. */
const cases: readonly [string, string, number][] = [
  ['const p: f32[2,3,4] = 1  const q: f32[2,5,4] = 1', 'FusedMatMul(p, q) {transB=1}', 1],
  ['const p: f32[2,4,3] = 1  const q: f32[4,5] = 1', 'FusedMatMul(p, q) {transA=1}', 1],
  ['', 'BiasGelu(x, g)', 1],
  ['', 'SkipLayerNormalization(x, x, g, g)', 4],
  ['', 'SkipSimplifiedLayerNormalization(x, x, g)', 4],
  [
    'const ids: i32[2,5] = 1  const words: f32[10,16] = 1  const places: f32[12,16] = 1',
    'EmbedLayerNormalization(ids, _, words, places, _, g, g)',
    3,
  ],
  ['const w: f32[16,48] = 0.1  const bias: f32[48] = 0', 'Attention(x, w, bias) {num_heads=4}', 2],
  [
    'const w: f32[16,48] = 0.1  const bias: f32[48] = 0  const past: f32[2,2,4,7,4] = 0',
    'Attention(x, w, bias, _, past) {num_heads=4}',
    2,
  ],
  [
    'const w: f32[16,56] = 0.1  const bias: f32[56] = 0',
    'Attention(x, w, bias) {num_heads=4, qkv_hidden_sizes=[16,16,24]}',
    1,
  ],
  ['const k: f32[2,7,16] = 1  const v: f32[2,7,24] = 1', 'MultiHeadAttention(x, k, v) {num_heads=4}', 1],
  [
    'const k: f32[2,7,16] = 1  const past: f32[2,4,3,4] = 1',
    'MultiHeadAttention(x, k, k, _, _, _, past, past) {num_heads=4}',
    3,
  ],
  ['const w: u8[16,48] = 1  const bias: f32[48] = 0', 'QAttention(x8, w, bias, s, s, _, z, z) {num_heads=4}', 1],
  [
    'const w: u8[20,1,16] = 1  const sc: f32[20] = 1  const t: f32[2,5,32] = 1',
    'MatMulNBits(t, w, sc) {K=32, N=20, bits=4, block_size=32}',
    1,
  ],
  ['const q: u8[1,7] = 1', 'QLinearAdd(image, s, z, q, s, z, s, z)', 1],
  ['', 'QLinearSigmoid(image, s, z, s, z)', 1],
  ['const q: u8[2,5,6,7] = 1', 'QLinearConcat(s, z, image, s, z, q, s, z) {axis=1}', 1],
  ['', 'QLinearGlobalAveragePool(image, s, z, s, z)', 1],
  ['', 'QLinearGlobalAveragePool(last, s, z, s, z) {channels_last=1}', 1],
  ['', 'QLinearAveragePool(image, s, z, s, z) {kernel_shape=[2,2], strides=[2,2]}', 1],
  ['', 'QLinearAveragePool(last, s, z, s, z) {kernel_shape=[2,2], channels_last=1}', 1],
  ['const w: u8[6,3,3,3] = 1', 'QLinearConv(last, s, z, w, s, z, s, z) {channels_last=1}', 1],
  ['', 'NhwcMaxPool(last) {kernel_shape=[3,2], strides=[2,1]}', 1],
  ['const p: u8[3,4] = 1  const q: u8[4,5] = 1', 'QGemm(p, s, z, q, s, z, _, s, z)', 1],
  ['const p: u8[3,4] = 1  const q: i8[5,4] = 1', 'QGemm(p, s, z, q, s, iz) {transB=1}', 1],
  ['const q: u8[16,5] = 1', 'DynamicQuantizeMatMul(x, q, s, z)', 1],
  ['const p: u8[3,4] = 1  const q: u8[4,5] = 1', 'MatMulIntegerToFloat(p, q, s, s, z, z)', 1],
  [
    'const w: i8[2,16,64] = 1  const r: i8[2,16,64] = 1  const sc: f32[2] = 1  const zp: i8[2] = 0',
    'DynamicQuantizeLSTM(x, w, r, _, _, _, _, _, sc, zp, sc, zp) {hidden_size=16, direction="bidirectional"}',
    3,
  ],
  ['const p: f32[2,4,8,8] = 1  const w: f32[6,2,3,3] = 1', 'FusedConv(p, w) {group=2, activation="Relu"}', 1],
  [
    'const t: u8[6,16] = 1  const at: i64[1,2] = 1  const sc: f32[6,1] = 1',
    'GatherBlockQuantized(t, at, sc) {block_size=32}',
    1,
  ],
]

describe('the types of onnxruntime operators are what onnxruntime makes', () => {
  test.each(cases)('%s %s', async (constants, call, count) => {
    const outputs = ['a', 'b', 'c', 'd'].slice(0, count)
    const quantized = call.includes('x8') ? 'const x8: u8[2,5,16] = 7' : ''
    // One input that nothing reads: onnxruntime would rather not open a graph without.
    const graph = inferTypes(
      parse(`graph (unused: f32[1]) -> (${outputs.join(', ')}) opset 17, com.microsoft 1 {
        ${shared} ${quantized} ${constants}
        ${outputs.join(', ')} = com.microsoft.${call}
      }`),
      { strict: true },
    )
    const session = await ort.InferenceSession.create(encodeModel(modelOf(graph)), { logSeverityLevel: 3 })
    const results = await session.run({ unused: new ort.Tensor('float32', [0], [1]) })
    for (const { name, type } of graph.outputs) {
      const found = results[name]
      expect(type).toMatchObject({ dtype: names[found?.type ?? ''] })
      expect(staticShape(type)).toEqual(found?.dims)
    }
    await session.release()
  })
})

import { attributesOf } from '../../graph/attributes.ts'
import { isFloat } from '../../graph/dtype.ts'
import { asFloat32, fromFloat32 } from '../../graph/float.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'

/** com.microsoft MatMulNBits: A `[…, K]` times the transpose of a constant quantized in blocks along K. */
export const isPackedProduct = (node: Node): boolean => node.op === 'MatMulNBits' && node.domain === 'com.microsoft'

/**
 * The weight `[K, N]` of a MatMulNBits as floats: codes of B u8 `[N, ⌈K/block⌉, block·bits/8]`, low bits first, minus
 * the zero points (packed alike per row, or floats; 2^(bits−1) unless given), times scales `[N·⌈K/block⌉]`.
 * Source: onnxruntime's `docs/ContribOperators.md`. Undefined where B or its scales are computed, or K is permuted.
 */
export function packedWeight(graph: Graph, node: Node): Tensor | undefined {
  const constant = (i: number): Tensor | undefined => graph.initializers.get(node.inputs[i] ?? '')
  const [b, scales, zeros] = [constant(1), constant(2), constant(3)]
  const isPermuted = (node.inputs[4] ?? '') !== ''
  if (b?.dtype !== 'u8' || !scales || isPermuted || (!zeros && (node.inputs[3] ?? '') !== '')) return undefined
  const attributes = attributesOf(node)
  const [k, n, bits, block] = (['K', 'N', 'bits', 'block_size'] as const).map((name) =>
    Number(attributes[name] ?? (name === 'bits' ? 4 : 0)),
  ) as [number, number, number, number]
  if (k <= 0 || n <= 0 || block <= 0) return undefined
  const blocks = Math.ceil(k / block)
  const zeroOf = zeroPoints(zeros, blocks, bits)
  const [codes, s] = [codeReader(b.bytes, blocks * ((block * bits) / 8), bits), asFloat32(scales)]
  const weight = new Float32Array(k * n)
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < k; i++) {
      const at = Math.floor(i / block)
      weight[i * n + row] = (codes(row, i) - zeroOf(row, at)) * (s[row * blocks + at] as number)
    }
  }
  return fromFloat32(weight, [k, n], scales.dtype)
}

type CodeReader = (row: number, index: number) => number

const codeReader =
  (bytes: Uint8Array, rowBytes: number, bits: number): CodeReader =>
  (row, index) => {
    const bit = index * bits
    return ((bytes[row * rowBytes + (bit >> 3)] as number) >> (bit & 7)) & ((1 << bits) - 1)
  }

function zeroPoints(zeros: Tensor | undefined, blocks: number, bits: number): CodeReader {
  if (!zeros) return () => 2 ** (bits - 1)
  if (!isFloat(zeros.dtype)) return codeReader(zeros.bytes, Math.ceil((blocks * bits) / 8), bits)
  const values = asFloat32(zeros)
  return (row, block) => values[row * blocks + block] as number
}

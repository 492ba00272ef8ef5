import { halfToNumber } from '../graph/tensor.ts'
import { badData } from './errors.ts'
import type { SampleData } from './types.ts'

/** How a file stores numbers: `u` unsigned, `i` signed, `f` floating point, `b` boolean; `bytes` of one of them. */
export interface ElementType {
  readonly kind: 'u' | 'i' | 'f' | 'b'
  readonly bytes: 1 | 2 | 4 | 8
}

/** An array as read from a file, in C order. Wide integers become int32, all floating point becomes float32. */
export interface FileArray {
  readonly file: string
  readonly dims: readonly number[]
  readonly data: SampleData
}

type Read = (view: DataView, at: number, little: boolean) => number

const reads: Readonly<Record<string, Read>> = {
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  f2: (view, at, little) => halfToNumber(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
}

/**
 * `count` numbers of a file's bytes: uint8 and boolean as Uint8Array over the same memory, other integers as Int32Array (`data.int-range` if
 * one does not fit), floating point as Float32Array. The caller has checked that the bytes are there.
 */
export function readElements(bytes: Uint8Array, type: ElementType, count: number, little: boolean, file: string) {
  if (type.bytes === 1 && type.kind !== 'i') return new Uint8Array(bytes.buffer, bytes.byteOffset, count)
  const read = reads[`${type.kind}${type.bytes}`] as Read
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (type.kind === 'f') {
    const floats = new Float32Array(count)
    for (let i = 0; i < count; i++) floats[i] = read(view, i * type.bytes, little)
    return floats
  }
  const integers = new Int32Array(count)
  for (let i = 0; i < count; i++) {
    const value = read(view, i * type.bytes, little)
    integers[i] = value
    if (integers[i] !== value) {
      throw badData('int-range', `"${file}": element ${i} does not fit into 32 bits`, {
        file,
        row: i,
        expected: 'integers from -2147483648 to 2147483647',
        found: String(value),
      })
    }
  }
  return integers
}

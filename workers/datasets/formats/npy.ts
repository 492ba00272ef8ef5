import { sizeOf } from '../../graph/tensor.ts'
import { readElements, type ElementType, type FileArray } from '../elements.ts'
import { badData } from '../errors.ts'
import type { SampleData } from '../types.ts'

/**
 * Reads an array in NumPy's NPY format, versions 1 to 3, of either byte order and of C or Fortran order.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export function readNpy(bytes: Uint8Array, file: string): FileArray {
  const { text, start } = headerOf(bytes, file)
  const { type, little } = elementType(text, file)
  const dims = shapeOf(text, file)
  const count = sizeOf(dims)
  const found = bytes.length - start
  if (found !== count * type.bytes) {
    throw badData(
      'npy-size',
      `"${file}" is ${found < count * type.bytes ? 'truncated' : 'longer than its header says'}`,
      {
        file,
        row: found < count * type.bytes ? Math.floor((found / (count * type.bytes)) * (dims[0] ?? 1)) : undefined,
        expected: `${count * type.bytes} bytes of data for [${dims.join(', ')}]`,
        found: `${found} bytes`,
        fix: 'Write the file again.',
      },
    )
  }
  const data = readElements(bytes.subarray(start), type, count, little, file)
  const fortran = /'fortran_order'\s*:\s*True/.test(text)
  return { file, dims, data: fortran && dims.length > 1 ? toRowMajor(data, dims) : data }
}

function headerOf(bytes: Uint8Array, file: string): { text: string; start: number } {
  const magic = String.fromCharCode(...bytes.subarray(1, 6))
  const version = bytes[6] ?? 0
  if (bytes[0] !== 0x93 || magic !== 'NUMPY' || version < 1 || version > 3) {
    throw badData('npy-magic', `"${file}" is not an NPY file of version 1 to 3`, {
      file,
      expected: '\\x93NUMPY and a version',
      found: magic === 'NUMPY' ? `version ${version}` : `"${magic.replace(/[^ -~]/g, '.')}"`,
    })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wide = version > 1
  const from = wide ? 12 : 10
  const length = bytes.length < from ? Infinity : wide ? view.getUint32(8, true) : view.getUint16(8, true)
  if (from + length > bytes.length) {
    throw badData('npy-size', `"${file}" is truncated in its header`, {
      file,
      expected: `a header of ${length} bytes`,
      found: `${bytes.length} bytes in all`,
      fix: 'Write the file again.',
    })
  }
  return { text: new TextDecoder().decode(bytes.subarray(from, from + length)), start: from + length }
}

/** NumPy's type characters that hold no plain numbers, as people call them. */
const others: Readonly<Record<string, string>> = {
  O: 'Python objects (pickle)',
  c: 'complex numbers',
  U: 'text',
  S: 'text',
  V: 'records',
  M: 'dates',
  m: 'durations',
}

function elementType(header: string, file: string): { type: ElementType; little: boolean } {
  const descriptor = /'descr'\s*:\s*(?:'([^']*)'|\[)/.exec(header)
  const [, order = '', kind = '', bytes = ''] = /^([<>|=]?)([a-zA-Z])(\d*)$/.exec(descriptor?.[1] ?? '') ?? []
  const known = /^(?:[uif]|b)$/.test(kind) && /^[1248]$/.test(bytes)
  if (!known || (kind === 'f' && bytes === '1') || (kind === 'b' && bytes !== '1')) {
    const what = descriptor && descriptor[1] === undefined ? 'records' : (others[kind] ?? 'elements of an unknown type')
    throw badData('npy-dtype', `"${file}" holds ${what}, which can't be read as samples`, {
      file,
      expected: 'integers of 8 to 64 bits, float16 to float64, or booleans',
      found: descriptor?.[1] ?? (descriptor ? 'a structured dtype' : 'no dtype'),
      fix: `Save it with another dtype, such as numpy.save(path, array.astype('float32')).`,
    })
  }
  return { type: { kind, bytes: Number(bytes) } as ElementType, little: order !== '>' }
}

function shapeOf(header: string, file: string): readonly number[] {
  const inside = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)?.[1]
  const dims = inside?.split(',').flatMap((d) => (d.trim() === '' ? [] : Number.parseInt(d, 10)))
  if (dims && Number.isSafeInteger(sizeOf(dims))) return dims
  throw badData('npy-shape', `"${file}" has no readable shape`, {
    file,
    expected: `'shape': (…) of whole numbers`,
    found: inside === undefined ? header.trim().slice(0, 80) : `(${inside})`,
  })
}

/** From first-axis-fastest to last-axis-fastest. */
function toRowMajor(data: SampleData, dims: readonly number[]): SampleData {
  const out = new (data.constructor as new (length: number) => SampleData)(data.length)
  const strides = dims.map((_, axis) => sizeOf(dims.slice(0, axis)))
  const at = dims.map(() => 0)
  let from = 0
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from] as number
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const next = (at[axis] as number) + 1
      from += strides[axis] as number
      if (next < (dims[axis] as number)) {
        at[axis] = next
        break
      }
      from -= next * (strides[axis] as number)
      at[axis] = 0
    }
  }
  return out
}

/** An array of float32 or int32 in NumPy's NPY format, version 1.0. */
export function writeNpy(dims: readonly number[], data: Float32Array | Int32Array): Uint8Array {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ')
  const type = data instanceof Int32Array ? '<i4' : '<f4'
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape}), }`
  // Magic, version and the length of the header take 10 bytes; the data begin at a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const bytes = new Uint8Array(10 + length + data.byteLength)
  bytes.set([0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, length & 255, length >> 8])
  bytes.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10)
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length)
  return bytes
}

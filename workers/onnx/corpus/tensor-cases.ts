import { accepted, refused, type Cases } from './case.ts'
import * as p from './proto.ts'

const { f32, u8, i32, i64, string } = p.codes
const sparse = (values: Uint8Array, indices: Uint8Array, ...dims: number[]) =>
  p.cat(p.message(1, values), p.message(2, indices), ...dims.map((d) => p.int(3, d)))
const two = p.tensor(f32, [2], 's', p.floats(4, [1, 2]))
const at = (...indices: number[]) => p.tensor(i64, [indices.length], '', p.packed(7, indices))
const outside = (...pairs: [string, string][]) =>
  p.withTensor(p.tensor(f32, [2], 'w', ...pairs.map(([k, v]) => p.entry(13, k, v)), p.int(14, 1)))

/** Tensors: how they are stored, what they declare and what they have. */
export const tensorCases: Cases = {
  raw_data: accepted(p.withTensor(p.tensor(f32, [2, 3], 'w', p.rawData(24)))),
  float_data: accepted(p.withTensor(p.tensor(f32, [2], 'w', p.floats(4, [1, 2])))),
  'float_data, one field an element': accepted(p.withTensor(p.tensor(f32, [2], 'w', p.float(4, 1), p.float(4, 2)))),
  'float_data in two runs': accepted(p.withTensor(p.tensor(f32, [3], 'w', p.floats(4, [1, 2]), p.float(4, 3)))),
  int64_data: accepted(p.withTensor(p.tensor(i64, [3], 'w', p.packed(7, [-1, 0, 2n ** 62n])))),
  string_data: accepted(p.withTensor(p.tensor(string, [2], 'w', p.text(6, 'ä'), p.text(6, '')))),
  'a scalar': accepted(p.withTensor(p.tensor(f32, [], 'w', p.rawData(4)))),
  'an empty tensor': accepted(p.withTensor(p.tensor(f32, [0, 3], 'w'))),
  'an empty tensor and raw_data of 0 bytes': accepted(p.withTensor(p.tensor(f32, [0], 'w', p.rawData(0)))),
  'documentation and properties': accepted(
    p.withTensor(p.tensor(f32, [1], 'w', p.rawData(4), p.text(12, 'doc'), p.entry(16, 'k', 'v'))),
  ),

  'no data': refused(
    p.withTensor(p.tensor(f32, [2], 'w')),
    'onnx.tensor-size: initializer "w" holds 0 bytes, its dimensions need 8',
  ),
  'raw_data too short': refused(
    p.withTensor(p.tensor(f32, [2, 2], 'w', p.rawData(8))),
    'onnx.tensor-size: initializer "w" holds 8 bytes, its dimensions need 16',
  ),
  'raw_data too long': refused(
    p.withTensor(p.tensor(f32, [2], 'w', p.rawData(12))),
    'onnx.tensor-size: initializer "w" holds 12 bytes, its dimensions need 8',
  ),
  'raw_data for an empty tensor': refused(
    p.withTensor(p.tensor(f32, [0], 'w', p.rawData(4))),
    'onnx.tensor-size: initializer "w" holds 4 bytes, its dimensions need 0',
  ),
  'float_data too short': refused(
    p.withTensor(p.tensor(f32, [5], 'w', p.floats(4, [1, 2]))),
    'onnx.tensor-size: initializer "w" has 2 values in float_data, its dimensions need 5',
  ),
  'float_data of half a float': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.blob(4, p.raw(1, 2)))),
    'onnx.tensor-size: initializer "w" has 0.5 values in float_data, its dimensions need 1',
  ),
  'int64_data too long': refused(
    p.withTensor(p.tensor(i64, [1], 'w', p.packed(7, [1, 2]))),
    'onnx.tensor-size: initializer "w" has 2 values in int64_data, its dimensions need 1',
  ),
  'int32_data that ends in the middle': refused(
    p.withTensor(p.tensor(i32, [2], 'w', p.blob(5, p.raw(1, 0x80)))),
    'onnx.tensor-size: initializer "w" has 1 value in int32_data, its dimensions need 2',
  ),
  'too few strings': refused(
    p.withTensor(p.tensor(string, [3], 'w', p.text(6, 'a'))),
    'onnx.tensor-size: initializer "w" holds 1 string, its dimensions need 3',
  ),
  'strings in raw_data': refused(
    p.withTensor(p.tensor(string, [1], 'w', p.rawData(4))),
    'onnx.tensor-storage: initializer "w" holds strings, which must be in string_data',
  ),
  'numbers in string_data': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.text(6, 'abcd'))),
    'onnx.tensor-storage: initializer "w" is f32 but its data is in string_data',
  ),
  'floats in int32_data': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.packed(5, [1]))),
    'onnx.tensor-storage: initializer "w" is f32 but its data is in int32_data',
  ),
  'data twice': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.rawData(4), p.floats(4, [1]))),
    'onnx.tensor-storage: initializer "w" has its data twice: in raw_data and in float_data',
  ),
  'a million million elements in ten bytes': refused(
    p.withTensor(p.tensor(u8, [1_000_000, 1_000_000], 'w', p.rawData(1))),
    'onnx.tensor-size: initializer "w" holds 1 byte, its dimensions need 1000000000000',
  ),
  'dimensions whose product overflows': refused(
    p.withTensor(p.tensor(f32, [2 ** 33, 2 ** 33, 2 ** 33], 'w', p.rawData(4))),
    'onnx.dims-overflow: initializer "w" declares 8589934592 x 8589934592 x 8589934592 elements, more than any memory holds',
  ),
  'an empty tensor with dimensions that overflow': refused(
    p.withTensor(p.tensor(f32, [0, 2 ** 40, 2 ** 40], 'w')),
    'onnx.dims-overflow: initializer "w" declares 0 x 1099511627776 x 1099511627776 elements, more than any memory holds',
  ),
  'a dimension of 2^63': refused(
    p.withTensor(p.tensor(f32, [2n ** 63n - 1n], 'w', p.rawData(4))),
    'onnx.dims: initializer "w" has a dimension of 9223372036854775807',
  ),
  'a negative dimension': refused(
    p.withTensor(p.tensor(f32, [-1], 'w', p.rawData(4))),
    'onnx.dims: initializer "w" has a dimension of -1',
  ),
  'a hundred dimensions': refused(
    p.withTensor(p.tensor(f32, Array<number>(100).fill(1), 'w', p.rawData(4))),
    'onnx.limit-dims: initializer "w": there are more than 64 dimensions in one tensor',
  ),
  'no element type': refused(
    p.withTensor(p.int(1, 1), p.text(8, 'w'), p.rawData(4)),
    `onnx.dtype: initializer "w" has element type 0, which is not one of ONNX's`,
  ),
  'element type 99': refused(
    p.withTensor(p.tensor(99, [1], 'w', p.rawData(4))),
    `onnx.dtype: initializer "w" has element type 99, which is not one of ONNX's`,
  ),
  'a segment': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.message(3, p.int(1, 0)), p.rawData(4))),
    'onnx.segment: initializer "w" is only a segment of a bigger tensor, a form that ONNX has given up',
  ),
  'a length in dims that is cut': refused(
    p.withTensor(p.raw(0x08)),
    'onnx.malformed: initializer: a field of 1 bytes at byte 7 runs past the end of its message',
  ),

  'weights outside a file in memory': refused(
    outside(['location', 'w.bin']),
    'onnx.external-unavailable: initializer "w" has its data in the file "w.bin"',
  ),
  'weights outside, nowhere': refused(
    outside(['offset', '0']),
    'onnx.external-path: initializer "w" says that its data is outside the file, but not where',
  ),
  'weights outside, offset is no number': refused(
    outside(['location', 'w.bin'], ['offset', '0x10']),
    'onnx.external-range: initializer "w" has "0x10" as the offset of its data',
  ),
  'weights outside, negative offset': refused(
    outside(['location', 'w.bin'], ['offset', '-4']),
    'onnx.external-range: initializer "w" has "-4" as the offset of its data',
  ),
  'weights outside, offset beyond 2^53': refused(
    outside(['location', 'w.bin'], ['offset', '9007199254740993']),
    'onnx.external-range: initializer "w" has "9007199254740993" as the offset of its data',
  ),
  'weights outside, another length': refused(
    outside(['location', 'w.bin'], ['length', '4']),
    'onnx.tensor-size: initializer "w" holds 4 bytes, its dimensions need 8',
  ),
  'strings outside': refused(
    p.withTensor(p.tensor(string, [1], 'w', p.entry(13, 'location', 'w'), p.int(14, 1))),
    'onnx.tensor-storage: initializer "w" holds strings outside the file, which ONNX does not allow',
  ),
  'data location 7': refused(
    p.withTensor(p.tensor(f32, [1], 'w', p.rawData(4), p.int(14, 7))),
    'onnx.data-location: initializer "w" has data location 7',
  ),

  'a sparse initializer': accepted(p.relu(p.message(15, sparse(two, at(1, 3), 2, 2))), 'onnx.sparse-initializer'),
  'a sparse initializer by coordinates': accepted(
    p.relu(p.message(15, sparse(two, p.tensor(i64, [2, 2], '', p.packed(7, [0, 1, 1, 1])), 2, 2))),
    'onnx.sparse-initializer',
  ),
  'a sparse index outside': refused(
    p.relu(p.message(15, sparse(two, at(1, 4), 2, 2))),
    'onnx.sparse: sparse tensor "s" has an index of 4 where there are 4 places',
  ),
  'a sparse coordinate outside': refused(
    p.relu(p.message(15, sparse(two, p.tensor(i64, [2, 2], '', p.packed(7, [0, 2, 1, 1])), 2, 2))),
    'onnx.sparse: sparse tensor "s" has an index of 2 where there are 2 places',
  ),
  'a negative sparse index': refused(
    p.relu(p.message(15, sparse(two, at(-1, 1), 2, 2))),
    'onnx.sparse: sparse tensor "s" has an index of -1 where there are 4 places',
  ),
  'fewer sparse indices than values': refused(
    p.relu(p.message(15, sparse(two, at(1), 2, 2))),
    'onnx.sparse: sparse initializer: sparse tensor "s" has indices i64[1] for 2 values',
  ),
  'a sparse tensor without indices': refused(
    p.relu(p.message(15, p.message(1, two), p.int(3, 4))),
    'onnx.sparse: sparse initializer: a sparse tensor lacks its values or its indices',
  ),
  'a sparse tensor of a terabyte': refused(
    p.relu(p.message(15, sparse(two, at(1, 3), 2 ** 38))),
    'onnx.limit-sparsebytes: there are more than 268435456 bytes in sparse tensors',
  ),
  'a sparse tensor whose size overflows': refused(
    p.relu(p.message(15, sparse(two, at(1, 3), ...Array<number>(30).fill(2 ** 40)))),
    'onnx.limit-sparsebytes: there are more than 268435456 bytes in sparse tensors',
  ),
}

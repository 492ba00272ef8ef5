import { expect, test } from 'vitest'
import * as p from './corpus/proto.ts'
import { decodeData, type DataValue } from './index.ts'

const tensor = p.tensor(1, [1], '', p.floats(4, [2]))
const TENSOR: DataValue = { kind: 'tensor', value: { dtype: 'f32', dims: [1], bytes: Uint8Array.of(0, 0, 0, 64) } }
const sequence = p.cat(p.text(1, 's'), p.int(2, 1), p.message(3, tensor), p.message(3, tensor))

test('test data files of every kind', () => {
  expect(decodeData(tensor, 'tensor')).toEqual(TENSOR)
  expect(decodeData(sequence, 'sequence')).toEqual({ kind: 'sequence', value: [TENSOR, TENSOR] })
  const nested = p.cat(p.int(2, 3), p.message(5, sequence))
  expect(decodeData(nested, 'sequence')).toEqual({
    kind: 'sequence',
    value: [{ kind: 'sequence', value: [TENSOR, TENSOR] }],
  })
  expect(decodeData(p.cat(p.int(2, 1), p.message(3, tensor)), 'optional')).toEqual({ kind: 'optional', value: TENSOR })
  expect(decodeData(p.int(2, 1), 'optional')).toEqual({ kind: 'optional', value: undefined })
  const map = p.cat(
    p.int(2, 7),
    p.int(3, 5),
    p.int(3, -1),
    p.message(5, p.int(2, 1), p.message(3, tensor), p.message(3, tensor)),
  )
  expect(decodeData(map, 'map')).toEqual({ kind: 'map', key: 'i64', keys: [5, -1], value: [TENSOR, TENSOR] })
})

test('a map with more keys than values, and an optional of two values, are refused', () => {
  expect(() => decodeData(p.cat(p.int(2, 7), p.int(3, 5)), 'map')).toThrow('a map has 1 keys of type 7 for 0 values')
  expect(() => decodeData(p.cat(p.message(3, tensor), p.message(3, tensor)), 'optional')).toThrow('several values')
})

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openDataset } from '../open.ts'
import { readNpy } from './npy.ts'

/** Written by numpy 2 (`numpy.save`, `numpy.lib.format.write_array`, `numpy.savez_compressed`), in base64. */
const written = {
  bytes:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAQIDBAU=',
  fortranBigEndian:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPmk0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr/////AAALtwAAA+cAAA+fAAAHzwAAE4c=',
  halfVersion2:
    'k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjInLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAA0ADgAOgA8AD0=',
  doubleVersion3:
    'k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAMA/AAAAAAAA0D8AAAAAAADYPwAAAAAAAOA/AAAAAAAA5D8=',
  booleans:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfGIxJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAQABAAE=',
  int64:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAr//////////////38AAAAA',
  int64TooWide:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAIAAAAAA',
  fortran3:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfHUxJywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUnOiAoMiwgMywgNCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoADAQQCBQBDQURCRUCDgYSChYDDwcTCxc=',
  objects:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnfE8nLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqABJWQAAAAAAAAAIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwKFlGgDjAVkdHlwZZSTlIwCTziUiYiHlFKUKEsDjAF8lE5OTkr/////Sv////9LP3SUYoldlChLAYwBYZRldJRiLg==',
  records:
    'k05VTVBZAQB2AHsnZGVzY3InOiBbKCd4JywgJzxmNCcpLCAoJ3knLCAnPGk0JyldLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAAAA',
  complex:
    'k05VTVBZAQB2AHsnZGVzY3InOiAnPGM4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAAAAAAAAAAAAAAAA',
  archive:
    'UEsDBC0AAAAIAAAAIQCaCbEc//////////8LABQAeF90cmFpbi5ucHkBABAAjAAAAAAAAABUAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loF5Taqiuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GsY6CkZApKmjUKtAHuBiYGRiZmFlY+fg5OIGAFBLAwQtAAAACAAAACEAFEedZP//////////CwAUAHlfdHJhaW4ubnB5AQAQAJgAAAAAAAAASQAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUKFAAuBihgRKMBUEsDBC0AAAAIAAAAIQBHg4vA//////////8KABQAeF90ZXN0Lm5weQEAEACEAAAAAAAAAEoAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgXlNqqK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkahjoKRkCkqaNQq0Ae4GIAAgBQSwMELQAAAAgAAAAhABpmgrD//////////woAFAB5X3Rlc3QubnB5AQAQAIEAAAAAAAAARwAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqGOgqGmjoKtQpkAy5GAFBLAQItAy0AAAAIAAAAIQCaCbEcVAAAAIwAAAALAAAAAAAAAAAAAACAAQAAAAB4X3RyYWluLm5weVBLAQItAy0AAAAIAAAAIQAUR51kSQAAAJgAAAALAAAAAAAAAAAAAACAAZEAAAB5X3RyYWluLm5weVBLAQItAy0AAAAIAAAAIQBHg4vASgAAAIQAAAAKAAAAAAAAAAAAAACAARcBAAB4X3Rlc3QubnB5UEsBAi0DLQAAAAgAAAAhABpmgrBHAAAAgQAAAAoAAAAAAAAAAAAAAIABnQEAAHlfdGVzdC5ucHlQSwUGAAAAAAQABADiAAAAIAIAAAAA',
}

const bytesOf = (name: keyof typeof written): Buffer => Buffer.from(written[name], 'base64')
const read = (name: keyof typeof written) => readNpy(bytesOf(name), `${name}.npy`)

/** An NPY file of version 1 with a header of our own making. */
function npy(header: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const start = Buffer.alloc(10)
  start.write('\x93NUMPY\x01\x00', 'latin1')
  start.writeUInt16LE(header.length, 8)
  return Buffer.concat([start, Buffer.from(header), data])
}

describe('NPY files', () => {
  test('of bytes and booleans are bytes', () => {
    expect(read('bytes')).toEqual({ file: 'bytes.npy', dims: [2, 3], data: Uint8Array.of(0, 1, 2, 3, 4, 5) })
    expect(read('booleans').data).toEqual(Uint8Array.of(0, 1, 0, 1, 0, 1))
  })
  test('in Fortran order become row-major, whatever the byte order', () => {
    expect(read('fortranBigEndian').data).toEqual(Int32Array.of(-1, 999, 1999, 2999, 3999, 4999))
    expect(read('fortran3')).toMatchObject({ dims: [2, 3, 4], data: Uint8Array.from({ length: 24 }, (_, i) => i) })
  })
  test('of versions 2 and 3, half and double precision, become float32', () => {
    expect(read('halfVersion2').data).toEqual(Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25))
    expect(read('doubleVersion3').data).toEqual(Float32Array.of(0, 0.125, 0.25, 0.375, 0.5, 0.625))
  })
  test.each([
    ["'|i1'", Buffer.from([255, 2]), Int32Array.of(-1, 2)],
    ["'<u2'", Buffer.from([255, 255, 1, 0]), Int32Array.of(65535, 1)],
    ["'>u4'", Buffer.from([0, 0, 1, 0, 0, 0, 0, 1]), Int32Array.of(256, 1)],
    ["'<u8'", Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]), Int32Array.of(1, 2)],
    ["'>f4'", Buffer.from([0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0]), Float32Array.of(1, -2)],
  ])('of dtype %s', (descr, data, expected) => {
    const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': (2,), }`
    expect(readNpy(npy(header, data), 'a.npy').data).toEqual(expected)
  })
  test('of int64 become int32 where they fit', () => {
    expect(read('int64').data).toEqual(Int32Array.of(-1, 2 ** 31 - 1))
    expect(() => read('int64TooWide')).toThrow(
      expect.objectContaining({ code: 'data.int-range', subject: 'int64TooWide.npy, row 1', found: '2147483648' }),
    )
  })
  test.each([
    ['objects', 'Python objects (pickle)'],
    ['records', 'records'],
    ['complex', 'complex numbers'],
  ] as const)('of %s are refused with what they hold', (name, what) => {
    expect(() => read(name)).toThrow(expect.objectContaining({ code: 'data.npy-dtype', subject: `${name}.npy` }))
    expect(() => read(name)).toThrow(what)
  })
  test('that are damaged say so', () => {
    const whole = bytesOf('bytes')
    const faults: [Uint8Array, string][] = [
      [whole.subarray(0, -2), 'data.npy-size'],
      [Buffer.concat([whole, Buffer.from([1])]), 'data.npy-size'],
      [whole.subarray(0, 40), 'data.npy-size'],
      [whole.subarray(0, 9), 'data.npy-size'],
      [Buffer.from('hello'), 'data.npy-magic'],
      [Buffer.alloc(0), 'data.npy-magic'],
      [Buffer.from(whole).fill(9, 6, 7), 'data.npy-magic'],
      [npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }`), 'data.npy-shape'],
      [npy(`{'descr': '<f4', 'fortran_order': False, }`), 'data.npy-shape'],
      [npy(`{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999), }`), 'data.npy-shape'],
      [npy(`{'descr': '<f16', 'fortran_order': False, 'shape': (2,), }`), 'data.npy-dtype'],
      [npy(`{'fortran_order': False, 'shape': (2,), }`), 'data.npy-dtype'],
    ]
    for (const [bytes, code] of faults) {
      expect(() => readNpy(bytes, 'x.npy')).toThrow(expect.objectContaining({ code, name: 'AlambicError' }))
    }
    expect(() => readNpy(whole.subarray(0, -2), 'x.npy')).toThrow(
      expect.objectContaining({ subject: 'x.npy, row 1', expected: '6 bytes of data for [2, 3]', found: '4 bytes' }),
    )
  })
})

describe('folders and archives of arrays', () => {
  const folder = (files: Record<string, Uint8Array>): string => {
    const path = mkdtempSync(join(tmpdir(), 'alambic-npy-'))
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes)
    return path
  }
  const f32 = (dims: number[], values: number[]): Buffer =>
    npy(
      `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`,
      Buffer.from(Float32Array.from(values).buffer),
    )
  const u8 = (dims: number[], values: number[]): Buffer =>
    npy(`{'descr': '|u1', 'fortran_order': False, 'shape': (${dims.join(', ')},), }`, Buffer.from(values))

  test('an NPZ archive with the usual names has its splits and labels', async () => {
    const data = await openDataset(join(folder({ 'a.npz': bytesOf('archive') }), 'a.npz'))
    expect(data).toMatchObject({ kind: 'images', sample: { height: 2, width: 2, channels: 1 }, classes: ['0', '1'] })
    expect(data.splits.train).toMatchObject({ count: 3, labels: Int32Array.of(0, 1, 1) })
    expect(data.splits.test).toMatchObject({ count: 1, labels: Int32Array.of(1) })
  })
  test('a pair of tensors has targets that are not classes', async () => {
    const path = folder({ 'inputs.npy': f32([2, 3], [1, 2, 3, 4, 5, 6]), 'targets.npy': f32([2, 1], [0.5, -1]) })
    const data = await openDataset(path)
    expect(data).toMatchObject({ kind: 'tensors', sample: { dims: [3], dtype: 'f32' } })
    expect(data.classes).toBeUndefined()
    expect(data.splits.train?.targets).toEqual({ dims: [1], data: Float32Array.of(0.5, -1) })
  })
  test('bytes with the channels first are turned around', async () => {
    const path = folder({ 'x.npy': u8([1, 3, 1, 2], [1, 2, 3, 4, 5, 6]) })
    const data = await openDataset(path)
    expect(data.sample).toEqual({ height: 1, width: 2, channels: 3 })
    expect(data.splits.train?.data).toEqual(Uint8Array.of(1, 3, 5, 2, 4, 6))
  })
  test('one NPY file is unlabelled', async () => {
    const data = await openDataset(join(folder({ 'noise.npy': f32([2, 2], [1, 2, 3, 4]) }), 'noise.npy'))
    expect(data.splits.train).toMatchObject({ count: 2 })
    expect(data.splits.train?.labels).toBeUndefined()
  })
  test('faults are named', async () => {
    const ragged = folder({ 'x.npy': f32([2, 1], [1, 2]), 'y.npy': u8([3], [0, 1, 1]) })
    await expect(openDataset(ragged)).rejects.toMatchObject({
      code: 'data.count',
      expected: '2 labels, one for each sample',
      found: '3',
    })
    const alone = folder({ 'y_train.npy': u8([3], [0, 1, 1]) })
    await expect(openDataset(alone)).rejects.toMatchObject({ code: 'data.missing-file' })
    const scalar = folder({ 'x.npy': npy(`{'descr': '|u1', 'fortran_order': False, 'shape': (), }`, Buffer.from([1])) })
    await expect(openDataset(scalar)).rejects.toMatchObject({ code: 'data.rank' })
    const sizes = folder({ 'x_train.npy': f32([1, 2], [1, 2]), 'x_test.npy': f32([1, 3], [1, 2, 3]) })
    await expect(openDataset(sizes)).rejects.toMatchObject({ code: 'data.ragged', expected: '2', found: '3' })
    const cut = folder({ 'a.npz': bytesOf('archive').subarray(0, 200) })
    await expect(openDataset(join(cut, 'a.npz'))).rejects.toMatchObject({ code: 'data.zip' })
    const flipped = bytesOf('archive')
    flipped.fill(0xff, 60, 120)
    await expect(openDataset(join(folder({ 'a.npz': flipped }), 'a.npz'))).rejects.toMatchObject({
      name: 'AlambicError',
    })
    const unnamed = folder({ 'weights.npz': Buffer.from('UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==', 'base64') })
    await expect(openDataset(join(unnamed, 'weights.npz'))).rejects.toMatchObject({ code: 'data.names' })
  })
})

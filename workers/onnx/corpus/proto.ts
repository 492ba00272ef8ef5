import { joined, written } from '../wire/writer.ts'

/**
 * A small notation for protobuf messages, right or wrong: each function gives the bytes of one field, and a message is
 * fields one after another. Field numbers are those of onnx.proto.
 */

export const int = (field: number, value: number | bigint): Uint8Array => written((out) => out.int(field, value))
export const float = (field: number, value: number): Uint8Array => written((out) => out.float(field, value))
export const text = (field: number, value: string): Uint8Array => written((out) => out.text(field, value))
export const blob = (field: number, value: Uint8Array): Uint8Array => written((out) => out.bytes(field, value))
export const message = (field: number, ...parts: Uint8Array[]): Uint8Array => blob(field, joined(parts))
export const raw = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes)
/** Bytes of a text whose characters are all below 256. */
export const latin = (value: string): Uint8Array => Uint8Array.from(value, (c) => c.charCodeAt(0))
export const cat = (...parts: Uint8Array[]): Uint8Array => joined(parts)

/** A packed list of varints. */
export const packed = (field: number, values: readonly (number | bigint)[]): Uint8Array =>
  message(field, ...values.map((value) => int(1, value).subarray(1)))

export const floats = (field: number, values: readonly number[]): Uint8Array =>
  blob(field, new Uint8Array(Float32Array.from(values).buffer))

export const entry = (field: number, key: string, value: string): Uint8Array =>
  message(field, text(1, key), text(2, value))

/** TensorProto.DataType. */
export const codes = {
  f32: 1,
  u8: 2,
  i8: 3,
  u16: 4,
  i16: 5,
  i32: 6,
  i64: 7,
  string: 8,
  bool: 9,
  f16: 10,
  f64: 11,
  u32: 12,
} as const

/** Parts of a TensorProto: dims, data type, name, and the data fields given. */
export const tensor = (
  code: number,
  dims: readonly (number | bigint)[],
  name: string,
  ...data: Uint8Array[]
): Uint8Array => cat(...dims.map((dim) => int(1, dim)), int(2, code), text(8, name), ...data)

/** The `raw_data` of so many bytes. */
export const rawData = (bytes: number): Uint8Array => blob(9, new Uint8Array(bytes))

export const tensorType = (code: number, ...dims: (number | string)[]): Uint8Array =>
  message(1, int(1, code), message(2, ...dims.map((d) => message(1, typeof d === 'number' ? int(1, d) : text(2, d)))))

export const value = (name: string, ...type: Uint8Array[]): Uint8Array =>
  cat(text(1, name), ...(type.length > 0 ? [message(2, ...type)] : []))

export const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ...more: Uint8Array[]
): Uint8Array => cat(...inputs.map((i) => text(1, i)), ...outputs.map((o) => text(2, o)), text(4, op), ...more)

/** An attribute with its declared type and the field that holds its value. */
export const attribute = (name: string, type: number, ...more: Uint8Array[]): Uint8Array =>
  message(5, text(1, name), ...more, int(20, type))

export const opset = (version: number, domain = ''): Uint8Array => message(8, text(1, domain), int(2, version))

/** A model of IR version 10 and operator set 21 around the fields of a graph. */
export const model = (...graph: Uint8Array[]): Uint8Array => cat(int(1, 10), message(7, ...graph), opset(21))

const x = message(11, value('x', tensorType(1, 'N', 4)))
const y = message(12, value('y', tensorType(1, 'N', 4)))

/** A graph `y = Relu(x)` with further fields in front. */
export const reluGraph = (...fields: Uint8Array[]): Uint8Array =>
  cat(...fields, message(1, node('Relu', ['x'], ['y'], text(3, 'relu'))), text(2, 'main'), x, y)

/** The smallest model that makes sense, with further fields in its graph. */
export const relu = (...fields: Uint8Array[]): Uint8Array => model(reluGraph(...fields))

/** A graph of the given nodes between `x` and `y`. */
export const graphOf = (...nodes: Uint8Array[]): Uint8Array =>
  cat(...nodes.map((n) => message(1, n)), text(2, 'main'), x, y)

/** `relu` with one more initializer. */
export const withTensor = (...fields: Uint8Array[]): Uint8Array => relu(message(5, ...fields))

/** A model whose only node is a Constant with the given attribute. */
export const constant = (...attributes: Uint8Array[]): Uint8Array =>
  model(graphOf(node('Constant', [], ['y'], text(3, 'c'), ...attributes)))

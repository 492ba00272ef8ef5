import { Packr } from 'msgpackr/pack'
import { AlambicError, asAlambicError } from '../errors.ts'

/** Where the browser's server answers. */
export const endpoints = { session: '/session', rpc: '/rpc', upload: '/upload', download: '/download' } as const

/** Longest message in either direction, in bytes: a million rows of 20 columns of float64, and some. */
export const MAX_MESSAGE = 192 * 2 ** 20

// From `msgpackr/pack`, the build without a native addon: no native code reads what comes from outside.
// `moreTypes` keeps typed arrays, dates and sets; records would make one message depend on those before it.
const codec = new Packr({ useRecords: false, moreTypes: true, int64AsType: 'number', mapsAsObjects: true })

interface ErrorCarrier {
  readonly e?: unknown
}

/** A birpc message as it may cross any border: an error in it becomes plain data. */
export function packErrors(message: unknown): unknown {
  const { e } = message as ErrorCarrier
  return e === undefined ? message : { ...(message as object), e: asAlambicError(e).toJSON() }
}

/** The other way: an error's data becomes an `AlambicError` again. */
export function unpackErrors(message: unknown): unknown {
  const e = (message as ErrorCarrier | null)?.e
  if (e === null || typeof e !== 'object') return message
  return { ...(message as object), e: AlambicError.fromJSON(e as { code: string; message: string }) }
}

/** A birpc message as bytes (MessagePack); `serialize` of the browser's channel. */
export const encodeMessage = (message: unknown): Uint8Array => codec.pack(packErrors(message))

/** Bytes as a birpc message; `deserialize` of the browser's channel. Throws on what is not MessagePack. */
export function decodeMessage(bytes: Uint8Array | ArrayBuffer): unknown {
  return unpackErrors(codec.unpack(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)))
}

import { createHash } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { decodeModel } from '../onnx/index.ts'
import { AlambicError } from '../protocol/errors.ts'
import { SIGNATURE, writeBlock } from './blocks.ts'
import { ByteWriter } from './bytes.ts'
import { cutsOf, type Cut } from './cuts.ts'
import { encodeTensor, type TensorReport } from './tensor.ts'
import { Unpacker } from './unpack.ts'

export interface PackOptions {
  /** Index bits of sparse tensors (1 … 11); the best for each tensor unless told. */
  readonly indexBits?: number | undefined
  /** Goes into the container as JSON: where the model comes from. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** What a container is made of; everything in it counts: `bytes` is the file. */
export interface PackReport {
  readonly bytes: number
  /** Bytes and SHA-256 of the ONNX file that it gives back. */
  readonly rawBytes: number
  readonly sha256: string
  /** `rawBytes / bytes`. */
  readonly ratio: number
  /** The graph and everything else that is no packed tensor, after deflate. */
  readonly skeletonBytes: number
  readonly tensors: readonly (TensorReport & { readonly name: string })[]
}

export interface Packed {
  /** The container, in pieces. */
  readonly chunks: readonly Uint8Array[]
  readonly report: PackReport
}

/**
 * An ONNX file as a `.cmpz` container (CMPZ.md): every tensor by what it holds (zeros, few values, floats), the rest
 * deflated. The container is decoded again and compared by SHA-256 before it is returned.
 *
 * @throws AlambicError `onnx.…` when the file is no model, `cmpz.verify` should the container not give the file back
 */
export function pack(file: Uint8Array, options: PackOptions = {}): Packed {
  const cuts = cutsOf(decodeModel(file, { readExternal: () => refuseExternal() }), file)
  const tensors: (TensorReport & { readonly name: string })[] = []
  const skeleton = skeletonOf(file, cuts)
  const chunks: Uint8Array[] = [SIGNATURE]
  if (options.metadata) chunks.push(writeBlock('metadata', new TextEncoder().encode(JSON.stringify(options.metadata))))
  const skeletonBlock = writeBlock('skeleton', skeletonPayload(file.length, skeleton))
  chunks.push(skeletonBlock)
  let end = 0
  for (const cut of cuts) {
    const { payload, report } = encodeTensor(file.subarray(cut.start, cut.end), cut.width, options)
    chunks.push(writeBlock('tensor', new ByteWriter().varint(cut.start - end).finish(), payload))
    tensors.push({ name: cut.name, ...report })
    end = cut.end
  }
  const hash = createHash('sha256').update(file).digest()
  chunks.push(writeBlock('end', hash))
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  verify(chunks, file)
  const sha256 = hash.toString('hex')
  return {
    chunks,
    report: {
      bytes,
      rawBytes: file.length,
      sha256,
      ratio: file.length / bytes,
      skeletonBytes: skeletonBlock.length,
      tensors,
    },
  }
}

/** Weights outside the file would not be in the container. */
const refuseExternal = (): never => {
  throw new AlambicError('cmpz.external', 'the model keeps weights in other files', {
    fix: 'Write it as one file first.',
  })
}

/** Everything between the cuts. */
function skeletonOf(file: Uint8Array, cuts: readonly Cut[]): Uint8Array {
  const out = new ByteWriter()
  let end = 0
  for (const cut of cuts) {
    out.bytes(file.subarray(end, cut.start))
    end = cut.end
  }
  return out.bytes(file.subarray(end)).finish()
}

function skeletonPayload(size: number, skeleton: Uint8Array): Uint8Array {
  const deflated = deflateRawSync(skeleton, { level: 9 })
  const out = new ByteWriter().varint(size).varint(skeleton.length)
  return deflated.length < skeleton.length ? out.u8(1).bytes(deflated).finish() : out.u8(0).bytes(skeleton).finish()
}

/** Decodes what was made, piece by piece, and compares it with the file. */
function verify(chunks: readonly Uint8Array[], file: Uint8Array): void {
  const unpacker = new Unpacker({ maxBytes: file.length })
  let at = 0
  for (const chunk of chunks) {
    for (const part of unpacker.push(chunk)) {
      if (Buffer.compare(part, file.subarray(at, at + part.length)) !== 0) throw notExact(at)
      at += part.length
    }
  }
  unpacker.finish()
  if (at !== file.length) throw notExact(at)
}

const notExact = (at: number): AlambicError =>
  new AlambicError('cmpz.verify', `the container does not give the model back from byte ${at} on`, {
    expected: 'the same bytes',
    found: 'others',
    fix: 'This is a mistake in Alambic: please report it with the model.',
  })

import { crc32, deflateRawSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { modelOf } from '../graph/graph.ts'
import { mulberry32 } from '../graph/random.ts'
import { f32 } from '../graph/tensor.ts'
import { corpus } from '../onnx/corpus/index.ts'
import { encodeModel } from '../onnx/index.ts'
import { AlambicError } from '../protocol/errors.ts'
import { buildZoo } from '../zoo/index.ts'
import { SIGNATURE, writeBlock } from './blocks.ts'
import { ByteWriter } from './bytes.ts'
import { pack } from './pack.ts'
import { unpack, Unpacker } from './unpack.ts'

const whole = (chunks: readonly Uint8Array[]): Uint8Array => Buffer.concat(chunks)

/** LeNet-300-100 with 8 % of its weights, on a grid of 64 values. */
function sparseLeNet(): Uint8Array {
  const { graph } = buildZoo('lenet-300-100', { seed: 1 })
  const random = mulberry32(3)
  const initializers = new Map(
    [...graph.initializers].map(([name, tensor]) =>
      tensor.dims.length < 2
        ? [name, tensor]
        : [
            name,
            f32(
              Float32Array.from({ length: tensor.bytes.length / 4 }, () =>
                random() < 0.08 ? (Math.floor(64 * random()) - 31.5) / 100 : 0,
              ),
              tensor.dims,
            ),
          ],
    ),
  )
  return encodeModel(modelOf(graph.with({ initializers })))
}

let file: Uint8Array
let container: Uint8Array
beforeAll(() => {
  file = sparseLeNet()
  container = whole(pack(file, { metadata: { source: 'a test' } }).chunks)
})

test('a sparse, shared LeNet-300-100 is a thirtieth of its size, and comes back byte for byte', () => {
  const { report } = pack(file)
  expect(Buffer.compare(unpack(container), file)).toBe(0)
  expect(report.rawBytes).toBe(file.length)
  expect(report.ratio).toBeGreaterThan(30)
  // The size counts everything: the blocks' heads, checksums and the signature are what is not listed.
  const listed = report.skeletonBytes + report.tensors.reduce((sum, t) => sum + t.packedBytes, 0)
  expect(report.bytes).toBeGreaterThan(listed)
  expect(report.bytes - listed).toBeLessThan(40 + SIGNATURE.length + 12 * report.tensors.length)
})

test('the container decodes in pieces of any size', () => {
  const unpacker = new Unpacker()
  const parts: Uint8Array[] = []
  for (let at = 0; at < container.length; at += 97) parts.push(...unpacker.push(container.subarray(at, at + 97)))
  unpacker.finish()
  expect(Buffer.compare(whole(parts), file)).toBe(0)
  expect(unpacker.metadata).toEqual({ source: 'a test' })
})

const accepted = Object.entries(corpus).filter(([, { outcome, limits }]) => outcome.startsWith('accepted') && !limits)

test.each(accepted.map(([name, { bytes }]) => ({ name, bytes })))('crafted model "$name" comes back', ({ bytes }) => {
  expect(Buffer.compare(unpack(whole(pack(bytes).chunks)), bytes)).toBe(0)
})

test.each(['mobilenet-v2', 'squeezenet-1.1', 'lenet-5'] as const)('%s of random weights comes back', (id) => {
  const bytes = encodeModel(buildZoo(id, { seed: 2 }))
  const { chunks, report } = pack(bytes)
  expect(Buffer.compare(unpack(whole(chunks)), bytes)).toBe(0)
  // The exponents of random floats repeat: a few per cent, never a loss.
  expect(report.ratio).toBeGreaterThan(1.05)
})

/** A container with its end repaired: every checksum right, so that the decoder behind it has to cope. */
function withRightChecksums(bytes: Uint8Array): Uint8Array {
  const fixed = Uint8Array.from(bytes)
  const view = new DataView(fixed.buffer)
  for (let at = SIGNATURE.length; at < fixed.length;) {
    let size = 0
    let head = 1
    for (let scale = 1; ; scale *= 128) {
      const byte = fixed[at + head++] ?? 0
      size += (byte % 128) * scale
      if (byte < 128 || head > 6) break
    }
    const end = at + head + size
    if (end + 4 > fixed.length) break
    view.setUint32(end, crc32(fixed.subarray(at, end)), true)
    at = end + 4
  }
  return fixed
}

/** Equal to the file, or an error that says where. */
function decodesOrSays(bytes: Uint8Array): string {
  try {
    return Buffer.compare(unpack(bytes), file) === 0 ? 'equal' : 'different'
  } catch (error) {
    if (!(error instanceof AlambicError)) throw error
    expect(error.code).toMatch(/^cmpz\./)
    expect(error.subject).toMatch(/^byte \d+$/)
    expect(error.expected).toBeTypeOf('string')
    expect(error.found).toBeTypeOf('string')
    return error.code
  }
}

const mutations = process.env['ALAMBIC_LONG'] ? 10_000 : 1_500

test(
  `${mutations} mutated containers: equal, or an error with offset, expected and found`,
  { timeout: 300_000 },
  () => {
    const random = mulberry32(11)
    const below = (n: number) => Math.floor(n * random())
    const outcomes = new Map<string, number>()
    for (let i = 0; i < mutations; i++) {
      let bytes: Uint8Array = Uint8Array.from(container)
      const edits = 1 + below(3)
      // Heads of blocks are where most can go wrong.
      for (let e = 0; e < edits; e++) bytes[random() < 0.5 ? below(1500) : below(bytes.length)] = below(256)
      if (random() < 0.1) bytes = bytes.slice(0, below(bytes.length))
      if (random() < 0.05) bytes = whole([bytes, bytes.subarray(0, below(100))])
      const outcome = decodesOrSays(random() < 0.7 ? withRightChecksums(bytes) : bytes)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    expect(outcomes.has('different')).toBe(false)
    // The mutations get past the checksums of blocks, to every stage behind them.
    expect([...outcomes.keys()]).toEqual(
      expect.arrayContaining([
        'cmpz.checksum',
        'cmpz.hash',
        'cmpz.code',
        'cmpz.bits',
        'cmpz.truncated',
        'cmpz.signature',
      ]),
    )
  },
)

describe('what is refused', () => {
  const skeleton = (size: number, text: Uint8Array, form: number) =>
    writeBlock('skeleton', new ByteWriter().varint(size).varint(8).u8(form).bytes(text).finish())

  test.each<readonly [string, string, () => Uint8Array]>([
    ['no container', 'cmpz.signature', () => Buffer.from('not a container')],
    ['nothing', 'cmpz.truncated', () => new Uint8Array(0)],
    ['another version', 'cmpz.signature', () => Uint8Array.of(...SIGNATURE.subarray(0, 4), 9)],
    ['an unknown block', 'cmpz.kind', () => Uint8Array.of(...SIGNATURE, 1)],
    ['a tensor without a skeleton', 'cmpz.order', () => whole([SIGNATURE, writeBlock('tensor', new Uint8Array(9))])],
    ['a cut end', 'cmpz.truncated', () => container.subarray(0, -1)],
    ['something behind the end', 'cmpz.left-over', () => whole([container, Uint8Array.of(0)])],
    ['a model that is too large', 'cmpz.range', () => whole([SIGNATURE, skeleton(2 ** 40, new Uint8Array(8), 0)])],
    [
      'a skeleton that inflates to more than it says',
      'cmpz.skeleton',
      () => whole([SIGNATURE, skeleton(8, deflateRawSync(new Uint8Array(2 ** 20)), 1)]),
    ],
  ])('%s', (_, code, bytes) => {
    expect(() => unpack(bytes())).toThrow(expect.objectContaining({ code }) as Error)
  })
})

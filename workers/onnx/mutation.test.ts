import { isDeepStrictEqual } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Graph, Model } from '../graph/graph.ts'
import { subgraphsOf } from '../graph/graph.ts'
import { mulberry32 } from '../graph/random.ts'
import { problemsOf } from '../graph/verify.ts'
import { AlambicError } from '../protocol/errors.ts'
import { everything } from './corpus/everything.ts'
import { corpus } from './corpus/index.ts'
import { mutated } from './corpus/mutate.ts'
import * as p from './corpus/proto.ts'
import { decodeModel, encodeForRuntime, encodeModel, type ExternalReference } from './index.ts'

/** Weights outside the file, as a file of 64 bytes would give them. */
const outside = new Uint8Array(64)
function readExternal({ offset }: ExternalReference, size: number): Uint8Array {
  if (offset + size <= outside.length) return outside.subarray(offset, offset + size)
  throw new AlambicError('onnx.external-range', 'lies beyond the end of the file')
}

const external = p.withTensor(
  p.tensor(1, [4], 'w', p.entry(13, 'location', 'w.bin'), p.entry(13, 'offset', '16'), p.int(14, 1)),
)

/** A branch, a loop, weights that a change leaves valid, and names of some length. */
const typical = p.model(
  p.message(
    1,
    p.node(
      'Conv',
      ['x', 'weight'],
      ['/conv/output'],
      p.text(3, '/conv'),
      p.attribute('pads', 7, p.packed(8, [1, 1, 1, 1])),
    ),
  ),
  p.message(
    1,
    p.node('If', ['condition'], ['y'], p.text(3, '/if'), branch('then_branch', 'Relu'), branch('else_branch', 'Neg')),
  ),
  p.text(2, 'main_graph'),
  p.message(5, p.tensor(1, [8, 3, 3, 3], 'weight', p.rawData(864))),
  p.text(10, 'A graph with a description of some length, in which a changed byte changes nothing else.'),
  p.message(11, p.value('x', p.tensorType(1, 'batch', 3, 32, 32))),
  p.message(11, p.value('condition', p.tensorType(9))),
  p.message(12, p.value('y', p.tensorType(1, 'batch', 8, 32, 32))),
)
function branch(name: string, op: string): Uint8Array {
  const graph = p.cat(
    p.message(1, p.node(op, ['/conv/output'], [`${name}_y`])),
    p.message(12, p.value(`${name}_y`, p.tensorType(1))),
  )
  return p.attribute(name, 5, p.message(6, graph))
}

const small = Object.values(corpus)
  .filter((c) => c.bytes.length < 3000 && c.limits === undefined)
  .map((c) => c.bytes)
const seeds = [...small, ...Array.from({ length: 30 }, () => [external, typical, everything]).flat()]

const tensorBytes = (graph: Graph): number =>
  [...graph.initializers.values()].reduce((sum, tensor) => sum + tensor.bytes.length, 0) +
  graph.nodes.reduce((sum, node) => sum + subgraphsOf(node).reduce((n, inner) => n + tensorBytes(inner), 0), 0)

const SPARSE_BYTES = 2 ** 16

/** A model, or undefined where the bytes were refused in words. */
function opened(bytes: Uint8Array): Model | undefined {
  try {
    return decodeModel(bytes, { readExternal, limits: { sparseBytes: SPARSE_BYTES } })
  } catch (error) {
    if (error instanceof AlambicError && error.code.startsWith('onnx.')) return undefined
    throw error
  }
}

function check(bytes: Uint8Array): 'valid' | 'faulty' | 'refused' {
  const model = opened(bytes)
  if (!model) return 'refused'
  // A varint of one byte becomes an int64 of eight at most; sparse tensors have a limit of their own.
  expect(tensorBytes(model.graph)).toBeLessThanOrEqual(8 * bytes.length + SPARSE_BYTES + outside.length * bytes.length)
  const problems = problemsOf(model.graph)
  encodeForRuntime(model)
  const again = decodeModel(encodeModel(model))
  // Where two nodes give one value, there is no order of nodes that stays.
  if (problems.length > 0) return 'faulty'
  // The writer raises versions before 4 where initializers are no inputs.
  const irVersion = model.irVersion < 4 ? again.irVersion : model.irVersion
  expect(isDeepStrictEqual(again, { ...model, irVersion })).toBe(true)
  return 'valid'
}

function run(count: number, seed: number): Record<string, number> {
  const random = mulberry32(seed)
  const outcomes: Record<string, number> = { valid: 0, faulty: 0, refused: 0 }
  for (let i = 0; i < count; i++) {
    const bytes = mutated(seeds[i % seeds.length] as Uint8Array, random)
    try {
      const outcome = check(bytes)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    } catch (error) {
      throw new Error(`mutation ${i} of seed ${seed}: ${Buffer.from(bytes).toString('hex')}`, { cause: error })
    }
  }
  return outcomes
}

describe('damaged files are refused in words, or are models that write and read', () => {
  test('10,000 of them', () => {
    const outcomes = run(10_000, 1)
    // All three must occur, else the mutations are too tame or too wild to show anything.
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(300)
  })

  test.runIf(process.env['ALAMBIC_LONG'])('a million of them', { timeout: 1_800_000 }, () => {
    run(1_000_000, 2)
  })
})

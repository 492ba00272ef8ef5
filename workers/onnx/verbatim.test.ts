import { expect, test } from 'vitest'
import { everything } from './corpus/everything.ts'
import * as p from './corpus/proto.ts'
import { decodeModel, encodeModel } from './index.ts'

test('nothing of a model is lost: reading and writing gives the very same bytes', () => {
  const bytes = everything
  expect(encodeModel(decodeModel(bytes))).toEqual(bytes)
})

test('for a runtime only what it needs is written', () => {
  const bare = encodeModel(decodeModel(everything), { bare: true })
  const text = Buffer.from(bare).toString('latin1')
  for (const word of ['about', 'doc', 'author', 'namespace', 'gpu', 'SCALE', 'told', 'layer', 'initialization']) {
    expect(text).not.toContain(word)
  }
  for (const word of ['Magic', 'magic', 'com.example', 'axes', 'LeakyRelu', 'beta']) expect(text).toContain(word)
})

test('weights are views of the file', () => {
  const bytes = p.withTensor(p.tensor(1, [2], 'w', p.floats(4, [1, 2])))
  const { graph } = decodeModel(bytes)
  expect(graph.initializers.get('w')?.bytes.buffer).toBe(bytes.buffer)
})

test('what is read from a Buffer is plain arrays', () => {
  const { graph } = decodeModel(Buffer.from(p.withTensor(p.tensor(1, [1], 'w', p.rawData(4)))))
  expect(graph.initializers.get('w')?.bytes.constructor).toBe(Uint8Array)
})

test('an initializer that a pass added raises IR version 3 to 4, where it need not be an input', () => {
  const old = decodeModel(p.cat(p.int(1, 3), p.message(7, p.reluGraph()), p.opset(9)))
  expect(decodeModel(encodeModel(old)).irVersion).toBe(3)
  const added = {
    ...old,
    graph: old.graph.with({
      initializers: new Map([['w', { dtype: 'f32' as const, dims: [], bytes: new Uint8Array(4) }]]),
    }),
  }
  expect(decodeModel(encodeModel(added)).irVersion).toBe(4)
})

import { expect, test } from 'vitest'
import type { ModelInfo } from '../../../workers/protocol/studio.ts'
import { versionTree } from './tree.ts'

const model = (id: string, added: string, parent?: string, measured?: object) =>
  ({
    model: id,
    name: id,
    added,
    ...(parent ? { parent } : {}),
    ...(measured ? { measured } : {}),
  }) as unknown as ModelInfo

const shape = (models: ModelInfo[]) =>
  versionTree(models).map((row) => `${'.'.repeat(row.level)}${row.kind === 'model' ? row.model.name : `(${row.step})`}`)

test('models stand below what they were made from, with the steps between', () => {
  const stages = [
    { step: 'input', bytes: 9 },
    { step: 'prune', bytes: 5, packedBytes: 3, accuracy: 0.8, medianMs: 2 },
    { step: 'quantize', bytes: 2, packedBytes: 1 },
  ]
  const models = [
    model('c', '3', 'a', { stages }),
    model('a', '1'),
    model('b', '2', 'a', { packedBytes: 4 }),
    model('d', '4', 'c'),
    model('orphan', '5', 'gone'),
  ]
  expect(shape(models)).toEqual(['a', '.b', '.(prune)', '.c', '..d', 'orphan'])
  const rows = versionTree(models)
  expect(rows.find((row) => row.kind === 'step')).toMatchObject({
    bytes: 5,
    packedBytes: 3,
    accuracy: 0.8,
    latencyMs: 2,
  })
  expect(rows.flatMap((row) => (row.kind === 'model' ? [row.packedBytes] : []))).toEqual([
    undefined,
    4,
    1,
    undefined,
    undefined,
  ])
})

test('a circle of parents loses no model', () => {
  expect(shape([model('a', '1', 'b'), model('b', '2', 'a')]).toSorted()).toEqual(['.b', 'a'])
})

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildZoo } from '../zoo/index.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { packCall, unpackCall } from './pack.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'alambic-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const at = (name: string) => join(folder, name)

test('packs a file beside it and unpacks the same bytes', async () => {
  const { sha256 } = await writeModel(buildZoo('lenet-300-100'), at('a.onnx'))
  const report = await packCall({ model: at('a.onnx') })
  expect(report).toMatchObject({ output: at('a.cmpz'), sha256 })
  expect(report['bytes']).toBe((await readFile(at('a.cmpz'))).length)
  const parts = Object.values(report['parts'] as Record<string, number>)
  expect(parts.reduce((a, b) => a + b)).toBe(report['bytes'])
  await unpackCall({ file: at('a.cmpz'), output: at('b.onnx') })
  expect(await readFile(at('b.onnx'))).toEqual(await readFile(at('a.onnx')))
})

test('weights in other files come into the container', async () => {
  const model = buildZoo('lenet-300-100')
  await writeModel(model, at('a.onnx'), { externalData: { file: 'a.data' } })
  await packCall({ model: at('a.onnx'), output: at('a.cmpz') })
  await unpackCall({ file: at('a.cmpz'), output: at('b.onnx') })
  const { graph } = (await readModel(at('b.onnx'))).model
  for (const [name, { bytes }] of model.graph.initializers) {
    expect(Buffer.compare(graph.initializers.get(name)?.bytes ?? new Uint8Array(0), bytes)).toBe(0)
  }
})

test('a damaged container writes nothing and says where', async () => {
  await writeModel(buildZoo('lenet-300-100'), at('a.onnx'))
  await packCall({ model: at('a.onnx') })
  const bytes = await readFile(at('a.cmpz'))
  bytes[bytes.length - 10] = (bytes[bytes.length - 10] ?? 0) ^ 1
  await writeFile(at('bad.cmpz'), bytes)
  await expect(unpackCall({ file: at('bad.cmpz') })).rejects.toMatchObject({
    code: 'cmpz.checksum',
    subject: expect.stringMatching(/^byte \d+$/) as string,
    expected: expect.stringMatching(/^CRC-32 [0-9a-f]{8}$/) as string,
  })
  await expect(unpackCall({ file: at('none.cmpz') })).rejects.toMatchObject({ code: 'cmpz.unreadable' })
  expect((await readdir(folder)).toSorted()).toEqual(['a.cmpz', 'a.onnx', 'bad.cmpz'])
})

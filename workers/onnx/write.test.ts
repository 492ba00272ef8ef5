import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Graph, modelOf, type Model } from '../graph/graph.ts'
import { f32, tensorOf, type Tensor } from '../graph/tensor.ts'
import { decodeModel, encodeForRuntime, encodeModel, readModel, stageForRuntime, writeModel } from './index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alambic-write-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string): string => join(folder, name)
const withWeights = (...weights: Tensor[]): Model =>
  modelOf(new Graph({ initializers: new Map(weights.map((w, i) => [`w${i}`, w])) }))
const ramp = (n: number): Tensor => f32(Float32Array.from({ length: n }, (_, i) => i))
const big = withWeights(ramp(3), ramp(5000), tensorOf('u8', [1], Uint8Array.of(7)), ramp(300), ramp(2_000_000))

test('one file, with its hash and size', async () => {
  const { bytes, sha256, files } = await writeModel(big, at('m.onnx'))
  const file = readFileSync(at('m.onnx'))
  expect(files).toEqual([at('m.onnx')])
  expect(bytes).toBe(file.length)
  expect(sha256).toBe(createHash('sha256').update(file).digest('hex'))
  expect(file.equals(encodeModel(big))).toBe(true)
  expect(isDeepStrictEqual((await readModel(at('m.onnx'))).model, big)).toBe(true)
})

test('weights in a file beside it, from a threshold on', async () => {
  const { bytes, files } = await writeModel(big, at('m.onnx'), { externalData: { file: 'm.weights', threshold: 1000 } })
  expect(files).toEqual([at('m.onnx'), at('m.weights')])
  expect(bytes).toBe(statSync(at('m.onnx')).size + statSync(at('m.weights')).size)
  expect(statSync(at('m.onnx')).size).toBeLessThan(1000)
  const again = await readModel(at('m.onnx'))
  expect(again.externalFiles).toEqual(['m.weights'])
  expect(isDeepStrictEqual(again.model, big)).toBe(true)
})

test('a name with a folder is refused', async () => {
  for (const file of ['../w', 'sub/w', '', '.', 'm.onnx']) {
    await expect(writeModel(big, at('m.onnx'), { externalData: { file } })).rejects.toMatchObject({
      code: 'onnx.external-name',
    })
  }
  expect(readdirSync(folder)).toEqual([])
})

test('a failure leaves the old file and nothing else', async () => {
  writeFileSync(at('m.onnx'), 'old')
  const broken = withWeights(ramp(10), { dtype: 'f32', dims: [1.5], bytes: new Uint8Array(4) })
  await expect(writeModel(broken, at('m.onnx'))).rejects.toMatchObject({ code: 'onnx.not-an-integer' })
  await expect(writeModel(big, at('nowhere/m.onnx'))).rejects.toMatchObject({ code: 'onnx.unwritable' })
  expect(readdirSync(folder)).toEqual(['m.onnx'])
  expect(readFileSync(at('m.onnx'), 'utf8')).toBe('old')
})

test('an old file is replaced, while what was read from it stays', async () => {
  await writeModel(big, at('m.onnx'))
  const { model } = await readModel(at('m.onnx'))
  const smaller = {
    ...model,
    graph: model.graph.with({ initializers: new Map([...model.graph.initializers].slice(0, 2)) }),
  }
  await writeModel(smaller, at('m.onnx'))
  expect((await readModel(at('m.onnx'))).model.graph.initializers.size).toBe(2)
  expect(isDeepStrictEqual(model, big)).toBe(true)
  expect(readdirSync(folder)).toEqual(['m.onnx'])
})

/** More than 2 GiB that take 64 MiB of memory: one tensor under many names. */
const huge = (): Model => withWeights(...Array<Tensor>(34).fill(tensorOf('u8', [2 ** 26], new Uint8Array(2 ** 26))))

test('2 GiB and more do not fit into one file', async () => {
  await expect(writeModel(huge(), at('m.onnx'), { externalData: 'never' })).rejects.toMatchObject({
    code: 'onnx.too-large',
  })
  expect(() => encodeModel(huge())).toThrow('the model does not fit into one ONNX file')
  expect(() => encodeForRuntime(huge())).toThrow('the model does not fit into one ONNX file')
  expect(readdirSync(folder)).toEqual([])
})

test.runIf(process.env['ALAMBIC_LONG'])('they go to a file beside the model', { timeout: 300_000 }, async () => {
  const { files } = await writeModel(huge(), at('m.onnx'))
  expect(files).toEqual([at('m.onnx'), at('m.onnx.data')])
  expect(statSync(at('m.onnx.data')).size).toBe(34 * 2 ** 26)
  expect((await readModel(at('m.onnx'))).model.graph.initializers.size).toBe(34)
  expect(await stageForRuntime(huge(), folder)).toBe(at('model.onnx'))
})

test('a small model goes to a runtime as bytes', async () => {
  const staged = await stageForRuntime(big, folder)
  expect(decodeModel(staged as Uint8Array).graph.initializers.size).toBe(5)
  expect(readdirSync(folder)).toEqual([])
})

test('a tensor that had a name in an attribute has its new one as an initializer', () => {
  // TensorProto.name, as the reader keeps it: field 8, "old".
  const named: Tensor = { ...ramp(3), unknownFields: [Uint8Array.of(0x42, 3, 0x6f, 0x6c, 0x64)] }
  const again = decodeModel(encodeModel(withWeights(named)))
  expect([...again.graph.initializers.keys()]).toEqual(['w0'])
})

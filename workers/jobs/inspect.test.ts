import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { problemsOf } from '../graph/verify.ts'
import { corpus } from '../onnx/corpus/index.ts'
import { decodeModel } from '../onnx/index.ts'
import { missing, onnxNodeTests } from '../testing/assets.ts'
import { inspectModel, modelText } from './inspect.ts'

/** What went wrong; undefined when everything that can be said of the model was said. */
function failure(name: string, bytes: Uint8Array): string | undefined {
  try {
    const model = decodeModel(bytes)
    const said = inspectModel(model)
    expect(JSON.parse(JSON.stringify(said))).toMatchObject({ nodes: model.graph.nodes.length })
    expect(modelText(model)).toMatch(/^graph /m)
    return undefined
  } catch (error) {
    return `${name}: ${String(error)}`
  }
}

test('inspect never fails on ONNX’s operator tests', (context) => {
  const folder = onnxNodeTests()
  if (folder === undefined) return context.skip(missing('onnx-node-tests'))
  const names = readdirSync(folder)
  expect(names.length).toBeGreaterThan(1800)
  expect(names.flatMap((name) => failure(name, readFileSync(join(folder, name, 'model.onnx'))) ?? [])).toEqual([])
})

test('nor on any crafted file that opens and verifies', () => {
  const valid = Object.entries(corpus).filter(
    ([, c]) => c.outcome.startsWith('accepted') && problemsOf(decodeModel(c.bytes).graph).length === 0,
  )
  expect(valid.length).toBeGreaterThan(30)
  expect(valid.flatMap(([name, { bytes }]) => failure(name, bytes) ?? [])).toEqual([])
})

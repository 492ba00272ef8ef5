import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Graph, modelOf, type Node } from '../graph/graph.ts'
import { f32 } from '../graph/tensor.ts'
import { tensorType } from '../graph/types.ts'
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

test('nor on a chain of 30,000 nodes behind a weight', () => {
  const names = Array.from({ length: 30_000 }, (_, i) => `t${i}`)
  const nodes = names.map((output, i): Node => {
    const op = i % 2 === 0 ? 'Identity' : 'Transpose'
    return { name: '', op, domain: '', inputs: [names[i - 1] ?? 'w'], outputs: [output], attributes: {} }
  })
  const x = { name: 'x', type: tensorType('f32', [2, 2]) }
  const product: Node = { ...nodes[0], op: 'MatMul', inputs: ['x', names.at(-1) ?? ''], outputs: ['y'] } as Node
  const w = f32([1, 2, 3, 4], [2, 2])
  const graph = new Graph({
    inputs: [x],
    outputs: [{ name: 'y', type: tensorType('f32', [2, 2]) }],
    nodes: [...nodes, product],
    initializers: new Map([['w', w]]),
  })
  expect(inspectModel(modelOf(graph))).toMatchObject({ nodes: 30_001, trainable: { parameters: 1, blocked: [] } })
})

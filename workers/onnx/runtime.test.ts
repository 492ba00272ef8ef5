import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { Graph, modelOf } from '../graph/graph.ts'
import { f32 } from '../graph/tensor.ts'
import { tensorType } from '../graph/types.ts'
import { encodeForRuntime, writeModel } from './index.ts'

const model = modelOf(
  new Graph({
    inputs: [{ name: 'x', type: tensorType('f32', ['N', 3]) }],
    outputs: [{ name: 'y', type: tensorType('f32', ['N', 3]) }],
    initializers: new Map([['w', f32([1, -20, 300])]]),
    nodes: [{ name: 'add', op: 'Add', domain: '', inputs: ['x', 'w'], outputs: ['y'], attributes: {} }],
  }),
)

async function run(session: ort.InferenceSession): Promise<number[]> {
  const { y } = await session.run({ x: new ort.Tensor('float32', Float32Array.of(1, 2, 3), [1, 3]) })
  await session.release()
  return [...((y as ort.Tensor).data as Float32Array)]
}

test('onnxruntime runs a model from memory', async () => {
  expect(await run(await ort.InferenceSession.create(encodeForRuntime(model)))).toEqual([2, -18, 303])
})

test('onnxruntime runs a model whose nodes share a name', async () => {
  const { graph } = model
  const relu = { name: 'add', op: 'Relu', domain: '', inputs: ['h'], outputs: ['y'], attributes: {} }
  const nodes = [...graph.nodes.map((node) => ({ ...node, outputs: ['h'] })), relu]
  const session = await ort.InferenceSession.create(encodeForRuntime({ ...model, graph: graph.with({ nodes }) }))
  expect(await run(session)).toEqual([2, 0, 303])
})

test('onnxruntime finds the weights beside a model', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-runtime-'))
  try {
    await writeModel(model, join(folder, 'm.onnx'), { externalData: { file: 'w.bin', threshold: 1 } })
    expect(await run(await ort.InferenceSession.create(join(folder, 'm.onnx')))).toEqual([2, -18, 303])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

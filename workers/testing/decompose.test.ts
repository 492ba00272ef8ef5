import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { evaluate } from '../executors/reference/evaluate.ts'
import { fromTensor, type NdArray } from '../executors/reference/value.ts'
import { asTensor } from '../graph/types.ts'
import { verify } from '../graph/verify.ts'
import { decodeModel, decodeTensor } from '../onnx/index.ts'
import { decompose, isDecomposed } from '../ops/decompose.ts'
import { EMIT_OPSET } from '../ops/emit.ts'
import { inferTypes } from '../ops/infer.ts'
import { upgrade } from '../passes/index.ts'
import { missing, onnxNodeTests } from './assets.ts'
import { largestDifference } from './onnxruntime.ts'

/** The scale 1/√d and ε are float32 constants in a graph: differences stay below 10⁻⁷, not 10⁻¹². */
const TOLERANCE = 1e-7

/** How far the outputs of a decomposed case are from those of the operator; undefined where there is nothing to see. */
function differenceOf(folder: string): { op: string; difference: number } | undefined {
  const { graph } = decodeModel(readFileSync(join(folder, 'model.onnx')))
  const [node] = graph.nodes
  const isPlain = graph.inputs.every(({ type }) => ['f32', 'bool', 'i64'].includes(asTensor(type)?.dtype ?? ''))
  if (!node || graph.nodes.length > 1 || !isDecomposed(node) || !isPlain) return undefined
  const feeds = Object.fromEntries(
    graph.inputs.flatMap(({ name }, i) => {
      const file = join(folder, 'test_data_set_0', `input_${i}.pb`)
      return existsSync(file) ? [[name, fromTensor(decodeTensor(readFileSync(file)))]] : []
    }),
  )
  const simple = decompose(inferTypes(upgrade(inferTypes(graph), Math.max(graph.opset, EMIT_OPSET))))
  verify(simple)
  expect(simple.nodes.some(isDecomposed)).toBe(false)
  const [expected, found] = [graph, simple].map((g) => evaluate(g, feeds, { precision: 'f64' }))
  const numbers = (value: unknown) => [...(value as NdArray).data].map(Number)
  const differences = graph.outputs.map(({ name }) => {
    return largestDifference(numbers(expected?.[name]), numbers(found?.[name]))
  })
  return { op: node.op, difference: Math.max(...differences) }
}

test('a decomposed operator gives what the operator gives, on ONNX’s operator tests', (context) => {
  const root = onnxNodeTests()
  if (root === undefined) return context.skip(missing('onnx-node-tests'))
  const seen = new Map<string, number>()
  const wrong = readdirSync(root).flatMap((name) => {
    const outcome = differenceOf(join(root, name))
    if (!outcome) return []
    seen.set(outcome.op, (seen.get(outcome.op) ?? 0) + 1)
    return outcome.difference < TOLERANCE ? [] : [`${name}: ${outcome.difference}`]
  })
  expect(wrong).toEqual([])
  expect(Object.fromEntries([...seen].toSorted())).toMatchInlineSnapshot(`
    {
      "Attention": 42,
      "GRU": 6,
      "GroupNormalization": 2,
      "InstanceNormalization": 2,
      "LSTM": 5,
      "LayerNormalization": 19,
      "MeanVarianceNormalization": 1,
      "RMSNormalization": 19,
      "RNN": 6,
      "RotaryEmbedding": 8,
    }
  `)
})

import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { mulberry32 } from '../../graph/random.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { calibrate } from '../../measure/calibrate/index.ts'
import { sqnr } from '../../measure/sqnr.ts'
import { readModel } from '../../onnx/index.ts'
import { randomValue } from '../../testing/train-briefly.ts'
import { inlineFunctions } from '../simplify/inline.ts'
import { quantizeDynamic } from './dynamic.ts'
import { toFloat16 } from './float16.ts'
import { planQuantization, rangesNeeded } from './plan.ts'
import { prepareForQuantization } from './prepare.ts'
import { quantizeStatic } from './static.ts'
import { quantizeWeights } from './weight-only.ts'

/** Small nets of real kinds as PyTorch exports them; workers/testing/models/export.py makes them. */
const models = [
  'detector',
  'embeddings',
  'mobilenet',
  'ocr-crnn',
  'segmentation-unet',
  'shufflenet',
  'speech-keywords',
  'speech-vad',
  'super-resolution',
  'swin',
  'text-bert',
  'text-decoder',
] as const

async function open(name: string): Promise<Graph> {
  const path = fileURLToPath(new URL(`../../testing/models/${name}.onnx`, import.meta.url))
  return prepareForQuantization(inlineFunctions((await readModel(path)).model))
}

/** Random inputs: a batch of 2, other open sizes 16. */
function feedsOf(graph: Graph, seed: number): Record<string, Tensor> {
  const random = mulberry32(seed)
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }) => {
      const { dtype, shape = [] } = asTensor(type) ?? {}
      const dims = shape.map((d, axis) => (typeof d === 'number' ? d : axis === 0 ? 2 : 16))
      return [name, randomValue({ name, type: { kind: 'tensor', dtype, shape: dims } }, random)]
    }),
  )
}

async function run(graph: Graph, feeds: Record<string, Tensor>) {
  const program = await ortCpu.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  await program.dispose()
  return results
}

const forms: Readonly<Record<string, { readonly least: number; readonly make: (graph: Graph) => Promise<Graph> }>> = {
  static: {
    // Without VNNI some products saturate: a decibel or two.
    least: 12,
    make: async (graph) => {
      const plan = planQuantization(graph)
      const data = async function* () {
        for (const seed of [1, 2]) yield { feeds: feedsOf(graph, seed), first: 0 }
      }
      const { ranges } = await calibrate(ortCpu, plan.source, rangesNeeded(plan), data, { method: 'min-max' })
      return quantizeStatic(plan, { ranges }).graph
    },
  },
  dynamic: {
    least: 25,
    make: async (graph) =>
      quantizeDynamic(graph, { reduceRange: true, ops: new Set(['MatMul', 'Gemm', 'LSTM', 'Gather', 'Conv']) }).graph,
  },
  'weights in 4 bits': {
    least: 14,
    make: async (graph) => {
      const options = { bits: 4, blockSize: 32, symmetric: true, method: 'mse', format: 'matmulnbits' } as const
      return quantizeWeights(graph, { ...options, convolutions: true }).graph
    },
  },
  float16: { least: 50, make: async (graph) => toFloat16(graph).graph },
}

describe.each(models)('%s', (name) => {
  test.each(Object.keys(forms))('%s: loads, runs, and stays near the float net', async (form) => {
    const graph = await open(name)
    const { make, least } = forms[form] as (typeof forms)[string]
    const feeds = feedsOf(graph, 1)
    const [real, ours] = [await run(graph, feeds), await run(await make(graph), feeds)]
    for (const [output, tensor] of Object.entries(real)) {
      if (tensor.dtype === 'f32') expect(sqnr(tensor, ours[output] as Tensor), output).toBeGreaterThan(least)
    }
  })
})

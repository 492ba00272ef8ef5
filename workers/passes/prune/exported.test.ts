import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { costOf } from '../../ops/cost.ts'
import { bindDims, symbolsOf } from '../../ops/bind.ts'
import { readModel } from '../../onnx/index.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { randomRemoval } from '../../testing/pruning.ts'
import { f32, sizeOf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { staticShape } from '../../graph/types.ts'
import type { Graph } from '../../graph/graph.ts'
import { analyse } from './analysis.ts'
import { cut } from './cut.ts'
import { groupsOf, type Group } from './groups.ts'
import { masked } from './mask.ts'

const folder = fileURLToPath(new URL('../../testing/models/', import.meta.url))
/** Float32 models that PyTorch's exporters wrote: detection, speech, text, vision. */
const models = readdirSync(folder).filter((file) => file.endsWith('.onnx') && !/fp16|int8|int4|qdq/.test(file))

/** The models that this many groups at least must be found in: what was not coupled before would be lost again. */
const expected: Readonly<Record<string, number>> = {
  'detector.onnx': 2,
  'mobilenet.onnx': 8,
  'ocr-crnn.onnx': 4,
  'segmentation-unet.onnx': 5,
  'shufflenet.onnx': 10,
  'speech-vad.onnx': 3,
  'swin.onnx': 5,
  'text-bert.onnx': 5,
  'text-bert-classifier.onnx': 5,
  'text-decoder.onnx': 3,
  'vision-transformer.onnx': 5,
}

/** Small numbers for whole-number inputs, noise for the others. */
function feedsOf(graph: Graph): Record<string, Tensor> {
  const noise = randomFeeds(graph)
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }) => {
      const dims = staticShape(type) ?? []
      const dtype = type.kind === 'tensor' ? type.dtype : undefined
      const ones = Array.from({ length: sizeOf(dims) }, (_, i) => i % 3)
      if (dtype === 'i64') return [name, tensorOf('i64', dims, BigInt64Array.from(ones, BigInt))]
      if (dtype === 'i32') return [name, tensorOf('i32', dims, Int32Array.from(ones))]
      return [name, noise[name] ?? f32(ones, dims)]
    }),
  )
}

/** Normalizations over channels are not the same with some of them zero. */
const countsChannels = (group: Group): boolean =>
  group.members.some(({ roles }) =>
    roles.some(({ node }) =>
      /LayerNormalization|RMSNormalization|GroupNormalization|^(Add|Mul|Div|Sub|Pow)$/.test(node.op),
    ),
  )

describe.each(models)('%s', (file) => {
  test('loses a third of its channels, runs, and equals zeros where nothing counts channels', async () => {
    const { model } = await readModel(folder + file)
    const symbols = Object.fromEntries([...symbolsOf(model.graph)].map((name) => [name, 2]))
    const groups = groupsOf(analyse(model.graph))
    expect(groups.groups.length).toBeGreaterThanOrEqual(expected[file] ?? 1)
    const removal = randomRemoval(groups, 0.3, 1)
    const smaller = cut(groups, removal)
    expect(costOf(smaller).params).toBeLessThan(0.95 * costOf(model.graph).params)
    const exact = new Map([...removal].filter(([id]) => !countsChannels(groups.groups[id] as Group)))
    const feeds = feedsOf(bindDims(model.graph, symbols))
    const whole = await runInOnnxruntime(smaller, feeds)
    expect(Object.keys(whole)).toEqual(model.graph.outputs.map((v) => v.name))
    const zeros = await runInOnnxruntime(masked(groups, exact), feeds)
    const found = await runInOnnxruntime(cut(groups, exact), feeds)
    for (const [name, { values }] of Object.entries(zeros)) {
      expect(largestDifference(values, found[name]?.values ?? [])).toBeLessThan(1e-4)
    }
  })
})

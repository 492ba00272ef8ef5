import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Graph } from '../graph/graph.ts'
import { gaussian, mulberry32, type Random } from '../graph/random.ts'
import { f32, i64, sizeOf, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, tensorType } from '../graph/types.ts'
import { decodeModel } from '../onnx/index.ts'
import { inlineFunctions, removeDead, removeFinalSoftmax } from '../passes/index.ts'
import { prepareForQuantization } from '../passes/quantize/index.ts'
import { packagedModels } from './assets.ts'
import { fileWindows } from './byte-windows.ts'

/** A trained model of somebody else's package, and inputs of the kind that it is for. */
export interface PackagedModel {
  readonly name: string
  readonly path: string
  /** Inputs of a run by name: drawn with the seed. */
  readonly feeds: (seed: number) => Record<string, Tensor>
}

/** A light page with dark strokes in rows, from −1 to 1: what readers of text look for. */
function page(dims: readonly number[], random: Random): Tensor {
  const [n = 1, channels = 3, height = 1, width = 1] = dims
  const out = new Float32Array(sizeOf(dims)).fill(0.8)
  for (let image = 0; image < n; image++) {
    for (let stroke = 0; stroke < (height * width) / 60; stroke++) {
      const row = 12 * Math.floor((random() * height) / 12)
      const [x, y] = [Math.floor(random() * width), Math.min(height - 1, row + Math.floor(random() * 9))]
      const isTall = random() < 0.5
      for (let i = 0; i < 6; i++) {
        const [px, py] = isTall ? [x, y + i] : [x + i, y]
        if (px >= width || py >= height) continue
        for (let c = 0; c < channels; c++) out[((image * channels + c) * height + py) * width + px] = -0.9
      }
    }
  }
  return f32(
    out.map((v) => v + 0.05 * gaussian(random)),
    dims,
  )
}

/** Vowel-like sound at 16 kHz. */
function sound(dims: readonly number[], random: Random): Tensor {
  const pitch = 90 + 120 * random()
  const values = Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const t = i / 16_000
    const tones = [1, 2, 3, 5].map((k) => Math.sin(2 * Math.PI * pitch * k * t) / k)
    return 0.1 * tones.reduce((sum, v) => sum + v, 0) + 0.01 * gaussian(random)
  })
  return f32(values, dims)
}

let windows: ReturnType<typeof fileWindows> | undefined
function files(count: number, seed: number): Tensor {
  windows ??= fileWindows([join(import.meta.dirname, '../../node_modules')], 6)
  const [all, size] = windows.dims
  const from = (seed * count) % (all - count)
  return tensorOf('i32', [count, size], windows.data.slice(from * size, (from + count) * size))
}

const ocr = 'rapidocr_onnxruntime/models'
const voice = 'silero_vad/data'
const speech = (seed: number): Record<string, Tensor> => ({
  input: sound([1, 576], mulberry32(seed)),
  state: f32(new Float32Array(256), [2, 1, 128]),
  sr: i64([16_000], []),
})

export const packaged: readonly PackagedModel[] = [
  {
    name: 'text detection',
    path: `${ocr}/ch_PP-OCRv4_det_infer.onnx`,
    feeds: (seed) => ({ x: page([1, 3, 160, 160], mulberry32(seed)) }),
  },
  {
    name: 'text recognition',
    path: `${ocr}/ch_PP-OCRv4_rec_infer.onnx`,
    feeds: (seed) => ({ x: page([1, 3, 48, 160], mulberry32(seed)) }),
  },
  {
    name: 'text orientation',
    path: `${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
    feeds: (seed) => ({ x: page([2, 3, 48, 192], mulberry32(seed)) }),
  },
  { name: 'file types', path: 'magika/models/standard_v3_3/model.onnx', feeds: (seed) => ({ bytes: files(2, seed) }) },
  { name: 'voice activity', path: `${voice}/silero_vad_16k_op15.onnx`, feeds: speech },
]

/**
 * The model ready to be made smaller: functions inlined, batch normalizations folded, open inputs at the feeds' sizes,
 * logits put out.
 */
export function openPackaged({ path, feeds }: PackagedModel): Graph {
  const model = decodeModel(readFileSync(join(packagedModels() ?? '', path)))
  const own = feeds(1)
  const graph = inlineFunctions(model)
  const inputs = graph.inputs.map((value) => {
    const fed = own[value.name]
    return fed ? { ...value, type: tensorType(asTensor(value.type)?.dtype ?? fed.dtype, fed.dims) } : value
  })
  return prepareForQuantization(withLogits(removeFinalSoftmax(graph.with({ inputs, types: new Map() })).graph))
}

/** Before a final Sigmoid: where nothing is found, probabilities are so near zero that any noise drowns them. */
function withLogits(graph: Graph): Graph {
  const outputs = graph.outputs.map((value) => {
    const last = graph.producer(value.name)
    return last?.op === 'Sigmoid' ? { ...value, name: last.inputs[0] ?? '' } : value
  })
  return removeDead(graph.with({ outputs })).graph
}

/** The feeds that a graph really has inputs for. */
export function feedsFor(graph: Graph, { feeds }: PackagedModel, seed: number): Record<string, Tensor> {
  const names = new Set(graph.requiredInputs.map((v) => v.name))
  return Object.fromEntries(Object.entries(feeds(seed)).filter(([name]) => names.has(name)))
}

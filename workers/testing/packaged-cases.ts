import type { Graph, Model } from '../graph/graph.ts'
import { mulberry32 } from '../graph/random.ts'
import { i64, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, tensorType } from '../graph/types.ts'
import { throughSubgraphs } from '../passes/names.ts'
import { randomValue } from './train-briefly.ts'

/** A trained model of someone else's package, and how it can be fed. */
export interface PackagedModel {
  readonly path: string
  /** Sizes of open inputs. */
  readonly dims: Readonly<Record<string, readonly number[]>>
  readonly params: number
  /** Inputs that never change: as what they are given, the model can be trained. */
  readonly constants?: Readonly<Record<string, number>>
  /** A batch that the net answers with something; without it random numbers will do. */
  readonly feeds?: Readonly<Record<string, Tensor>>
}

const ocr = 'rapidocr_onnxruntime/models'
const voice = 'silero_vad/data'
const speech = { input: [1, 576], state: [2, 1, 128] }
const constants = { sr: 16_000 }
export const packagedCases: readonly PackagedModel[] = [
  { path: `${ocr}/ch_PP-OCRv4_det_infer.onnx`, dims: { x: [1, 3, 64, 64] }, params: 1_171_488, feeds: { x: page() } },
  { path: `${ocr}/ch_PP-OCRv4_rec_infer.onnx`, dims: { x: [1, 3, 48, 64] }, params: 2_688_397 },
  { path: `${ocr}/ch_ppocr_mobile_v2.0_cls_infer.onnx`, dims: { x: [2, 3, 48, 192] }, params: 129_356 },
  { path: 'magika/models/standard_v3_3/model.onnx', dims: { bytes: [2, 2048] }, params: 784_214 },
  { path: `${voice}/silero_vad.onnx`, dims: speech, params: 281_090, constants },
  { path: `${voice}/silero_vad_16k_op15.onnx`, dims: speech, params: 177_537 },
  { path: `${voice}/silero_vad_16k_sequence.onnx`, dims: { input: [2, 576] }, params: 309_633 },
  { path: `${voice}/silero_vad_half.onnx`, dims: speech, params: 177_537 },
  { path: `${voice}/silero_vad_op18_ifless.onnx`, dims: speech, params: 0, constants },
  { path: `${voice}/silero_vad_openvino_16k.onnx`, dims: {}, params: 177_537 },
]

/** The model with its open inputs at fixed sizes; what its file says of sizes inside goes. */
export function fixed(model: Model, dims: PackagedModel['dims']): Model {
  const inputs = model.graph.inputs.map((value) => {
    const own = dims[value.name]
    return own ? { ...value, type: tensorType(asTensor(value.type)?.dtype, own) } : value
  })
  return { ...model, graph: untyped(model.graph).with({ inputs }) }
}

const untyped = (graph: Graph): Graph =>
  graph.with({ types: new Map(), nodes: graph.nodes.map((node) => throughSubgraphs(node, untyped)) })

/** A dark line of text on a light page: on noise, a text detector is sure of its answer and has no gradient. */
function page(): Tensor {
  const isInk = (y: number, x: number) => y > 24 && y < 40 && (x % 8 < 3 || y % 8 < 2)
  const values = Array.from({ length: 3 * 64 * 64 }, (_, i) => (isInk((i >> 6) % 64, i % 64) ? -2 : 2))
  return tensorOf('f32', [1, 3, 64, 64], Float32Array.from(values))
}

export function feedsOf(model: Model): Record<string, Tensor> {
  const random = mulberry32(5)
  const values = model.graph.requiredInputs.map((value) => [value.name, randomValue(value, random)] as const)
  const feeds: Record<string, Tensor> = Object.fromEntries(values)
  // The sampling rate of the voice nets is not any number.
  return 'sr' in feeds ? { ...feeds, sr: i64([16_000], []) } : feeds
}

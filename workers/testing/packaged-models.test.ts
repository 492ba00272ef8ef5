import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { fromOrt, toOrt } from '../executors/ort/tensors.ts'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import { mulberry32 } from '../graph/random.ts'
import { i64, tensorOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, tensorType } from '../graph/types.ts'
import { verify } from '../graph/verify.ts'
import type { Graph, Model } from '../graph/graph.ts'
import { decodeModel, encodeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { inlineFunctions, specialize } from '../passes/index.ts'
import { throughSubgraphs } from '../passes/names.ts'
import { missing, packagedModels } from './assets.ts'
import { randomValue, trainBriefly } from './train-briefly.ts'

/*
 * Trained models that other people publish, from five exporters (paddle2onnx, tf2onnx, both of PyTorch, spox): opened,
 * verified, typed, printed and parsed back, counted, written and run to the same bits, and trained until a loss falls.
 */
interface Case {
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
const cases: readonly Case[] = [
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
function fixed(model: Model, dims: Case['dims']): Model {
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

function feedsOf(model: Model): Record<string, Tensor> {
  const random = mulberry32(5)
  const values = model.graph.requiredInputs.map((value) => [value.name, randomValue(value, random)] as const)
  const feeds: Record<string, Tensor> = Object.fromEntries(values)
  // The sampling rate of the voice nets is not any number.
  return 'sr' in feeds ? { ...feeds, sr: i64([16_000], []) } : feeds
}

async function outputsOf(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>) {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  const results = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)])))
  const outputs = Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor, true).bytes] as const)
  await session.release()
  return Object.fromEntries(outputs)
}

test.for(cases.map((c) => ({ ...c, name: basename(c.path) })))('$name', async (wanted, ctx) => {
  const { path, dims, params, feeds: chosen = {} } = wanted
  const folder = packagedModels()
  if (folder === undefined) return ctx.skip(missing('packaged-models'))
  expect(existsSync(join(folder, path))).toBe(true)
  const bytes = readFileSync(join(folder, path))
  const model = decodeModel(bytes)
  verify(model.graph, { types: (g) => typeProblems(g, model.functions) })

  // Text leaves out what Alambic does not model (the exporter's notes): printing it again must give the same.
  const text = print(model.graph, { weights: 'all', types: true, doc: true })
  expect(print(parse(text), { weights: 'all', types: true, doc: true }) === text).toBe(true)

  const sized = fixed(model, dims)
  const typed = inferTypes(sized.graph, { functions: model.functions })
  const untyped = typed.nodes.flatMap((node) => node.outputs).filter((y) => y !== '' && !asTensor(typed.type(y))?.dtype)
  expect(untyped).toEqual([])
  expect(costOf(typed, {}).params).toBe(params)

  const feeds = feedsOf(sized)
  const [theirs, ours] = [await outputsOf(bytes, feeds), await outputsOf(encodeModel(model), feeds)]
  expect(isDeepStrictEqual(ours, theirs)).toBe(true)

  const trained = wanted.constants ? specialize(sized.graph, { inputs: wanted.constants }) : inlineFunctions(sized)
  if (wanted.constants) {
    const own = Object.fromEntries(trained.requiredInputs.map(({ name }) => [name, feeds[name] as Tensor]))
    expect(isDeepStrictEqual(await outputsOf(encodeModel({ ...model, graph: trained }), own), theirs)).toBe(true)
  }
  // Twenty steps on one batch lower the loss.
  const { losses } = await trainBriefly(trained, { frozenBatchNorm: true, feeds: chosen })
  expect(losses.every(Number.isFinite)).toBe(true)
  expect(losses.at(-1)).toBeLessThan(losses[0] as number)
})

import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { fromOrt, toOrt } from '../executors/ort/tensors.ts'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import type { Tensor } from '../graph/tensor.ts'
import { asTensor } from '../graph/types.ts'
import { verify } from '../graph/verify.ts'
import { decodeModel, encodeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { inlineFunctions, specialize } from '../passes/index.ts'
import { missing, packagedModels } from './assets.ts'
import { feedsOf, fixed, packagedCases } from './packaged-cases.ts'
import { trainBriefly } from './train-briefly.ts'

/*
 * Trained models that other people publish, from five exporters (paddle2onnx, tf2onnx, both of PyTorch, spox): opened,
 * verified, typed, printed and parsed back, counted, written and run to the same bits, and trained until a loss falls.
 */
async function outputsOf(bytes: Uint8Array, feeds: Readonly<Record<string, Tensor>>) {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  const results = await session.run(Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)])))
  const outputs = Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor, true).bytes] as const)
  await session.release()
  return Object.fromEntries(outputs)
}

test.for(packagedCases.map((c) => ({ ...c, name: basename(c.path) })))('$name', async (wanted, ctx) => {
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

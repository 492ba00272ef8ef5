import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import * as ort from 'onnxruntime-node'
import { afterAll, describe, expect, test } from 'vitest'
import { fromOrt, toOrt } from '../executors/ort/tensors.ts'
import { modelOf, type Model } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import { mulberry32 } from '../graph/random.ts'
import { asTensor } from '../graph/types.ts'
import { verify } from '../graph/verify.ts'
import { openDims } from '../measure/assess.ts'
import { decodeModel, encodeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { inlineFunctions } from '../passes/index.ts'
import { trainability } from '../train/source.ts'
import { missing, onnxPackageModels, writeReport } from './assets.ts'
import { randomValue, trainBriefly } from './train-briefly.ts'

/*
 * Models as the world exports them: our own folder `models` (made by export.py from architectures for detection, OCR,
 * speech, text, embeddings and images, by PyTorch's two exporters, then quantized, fused and halved by onnxruntime's
 * tools), and those that Python's onnx package brings (Caffe2, PyTorch 0.3).
 */
const ours = globSync('*.onnx', { cwd: join(import.meta.dirname, 'models') })
  .toSorted()
  .map((name) => join(import.meta.dirname, 'models', name))
const packaged = onnxPackageModels()
const inPackage = (pattern: string): string[] =>
  packaged === undefined
    ? []
    : globSync(pattern, { cwd: packaged })
        .toSorted()
        .map((name) => join(packaged, name))

const nameOf = (path: string): string => {
  const file = basename(path)
  return file === 'model.onnx' ? basename(join(path, '..')) : file.replace('.onnx', '')
}

/** Models that can't be trained as they are, and what a person is told. */
const untrainable: Readonly<Record<string, RegExp>> = {
  'speech-keywords-qdq': /QuantizeLinear.*it rounds activations to integers/,
  'text-bert-classifier-int8': /DynamicQuantizeLinear.*it rounds activations to integers/,
  'detector-nms': /the static shape of value "\d+" is not known/,
}

/** onnxruntime 1.30 to 1.32 end with a segmentation fault on a float16 GRU: see native-crash.test.ts. */
const crashing: ReadonlySet<string> = new Set(['speech-vad-fp16'])

interface Line {
  readonly name: string
  readonly producer: string
  readonly opset: number
  readonly nodes: number
  readonly params: number
  readonly macs: number | undefined
  training: string
}
const lines = new Map<string, Line>()

afterAll(() => {
  writeReport('models', [
    '# Real models',
    '',
    'Opened, verified, typed, printed and parsed back, written and run to bit-equal outputs in onnxruntime.',
    '',
    '| model | producer | opset | nodes | params | MACs | 20 training steps |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    // Of the nets of one layer only the number is worth a line.
    ...[...lines.values()]
      .filter(({ name }) => !name.startsWith('test_'))
      .map((line) => `| ${Object.values(line).join(' | ')} |`),
  ])
})

const open = (path: string): Model => decodeModel(readFileSync(path))

/** Opens, verifies, types, prints and counts. */
function read(path: string): Model {
  const model = open(path)
  const { graph, functions } = model
  verify(graph, { types: (g) => typeProblems(g, functions) })
  const bare = inferTypes(graph.with({ types: new Map() }), { functions })
  const unknown = bare.nodes.flatMap((node) => node.outputs).filter((y) => y !== '' && !asTensor(bare.type(y))?.dtype)
  expect(unknown).toEqual([])
  // Text has types where values are computed: exporters also state those of constants, and of values long gone.
  const terse = graph.with({ types: new Map([...graph.types].filter(([value]) => graph.producer(value))) })
  expect(isDeepStrictEqual(parse(print(graph, { weights: 'all', types: true, doc: true })), terse)).toBe(true)
  const flat = inlineFunctions(model)
  const { params, macs, unknown: open_ } = costOf(flat, openDims(flat))
  expect(open_).toEqual([])
  const producer = [model.producer.name, model.producer.version].join(' ').trim()
  const { name, nodes } = { name: nameOf(path), nodes: graph.nodes.length }
  lines.set(name, { name, producer, opset: graph.opset, nodes, params, macs, training: '' })
  return model
}

async function outputsOf(bytes: Uint8Array, model: Model): Promise<Record<string, Uint8Array>> {
  const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 })
  const random = mulberry32(5)
  const feeds = Object.fromEntries(
    model.graph.requiredInputs.map((value) => [value.name, toOrt(randomValue(value, random))]),
  )
  const results = await session.run(feeds)
  const outputs = Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor, true).bytes] as const)
  await session.release()
  return Object.fromEntries(outputs)
}

/** What we write gives the very bits that the file gives, whole and as a runtime gets it. */
async function runsTheSame(path: string, model: Model): Promise<void> {
  if (crashing.has(nameOf(path))) return
  const expected = await outputsOf(readFileSync(path), model)
  expect(Object.keys(expected)).toEqual(model.graph.outputs.map((v) => v.name))
  expect(isDeepStrictEqual(await outputsOf(encodeModel(model), model), expected)).toBe(true)
}

/** One step must run; after twenty the loss on the batch is lower. */
async function trains(name: string, model: Model): Promise<void> {
  const graph = inlineFunctions(model)
  const { losses, source, trained } = await trainBriefly(graph)
  const [first = NaN, last = NaN] = [losses[0], losses.at(-1)]
  expect(losses.every(Number.isFinite)).toBe(true)
  expect(last).toBeLessThan(first)
  const restored = source.restore(trained)
  verify(restored)
  const written = encodeModel({ ...modelOf(restored), irVersion: Math.max(model.irVersion, 4) })
  if (!crashing.has(name)) await outputsOf(written, model)
  const line = lines.get(name)
  if (line) line.training = `loss ${first.toPrecision(4)} → ${last.toPrecision(4)}`
}

test('there are enough of them', () => {
  expect(ours.length).toBeGreaterThanOrEqual(20)
})

describe('models of several exporters', () => {
  test.each(ours.map((path) => ({ path, name: nameOf(path) })))('$name', async ({ path, name }) => {
    const model = read(path)
    await runsTheSame(path, model)
    const reason = untrainable[name]
    if (!reason) return trains(name, model)
    const line = lines.get(name)
    if (line) line.training = 'not differentiable'
    const { blocked } = trainability(inlineFunctions(model))
    const told = blocked.map((obstacle) => `${obstacle.op}: ${obstacle.reason}`).join('; ')
    if (told === '') await expect(trains(name, model)).rejects.toThrow(reason)
    else expect(told).toMatch(reason)
  })
})

describe('vision nets in Python’s onnx package', () => {
  test.each(inPackage('light/*.onnx').map((path) => ({ path, name: nameOf(path) })))(
    '$name',
    async ({ path, name }) => {
      const model = read(path)
      const isLong = Boolean(process.env['ALAMBIC_LONG'])
      if (isLong || (lines.get(name)?.macs ?? Infinity) < 2e9) await runsTheSame(path, model)
      // Their weights are all alike, made by ConstantOfShape: they could be trained, but there is nothing to learn.
      expect(trainability(model.graph).blocked).toEqual([])
    },
  )

  test('and its nets of one layer from PyTorch 0.3', (context) => {
    if (packaged === undefined) return context.skip(missing('python'))
    const paths = inPackage('{pytorch-converted,pytorch-operator}/*/model.onnx')
    expect(paths.length).toBeGreaterThan(100)
    for (const path of paths) read(path)
  })
})

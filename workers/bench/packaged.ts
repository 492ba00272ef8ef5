import { ortCpu } from '../executors/ort/executor.ts'
import type { Tensors } from '../executors/executor.ts'
import { modelOf, type Graph } from '../graph/graph.ts'
import { encodeModel } from '../onnx/index.ts'
import { calibrate } from '../measure/calibrate/index.ts'
import { SignalToNoise } from '../measure/sqnr.ts'
import { factorize } from '../passes/factorize/factorize.ts'
import { planQuantization, quantizeDynamic, quantizeStatic, rangesNeeded } from '../passes/index.ts'
import { missing, packagedModels } from '../testing/assets.ts'
import { feedsFor, openPackaged, packaged, type PackagedModel } from '../testing/packaged.ts'
import { head, inTurn, machine, ratio, row, spell } from './pairs.ts'
import type { TopicOptions } from './topic.ts'

/** What is made of each model. Ranges are calibrated on eight inputs; the ninth and later ones are measured on. */
export const forms: Readonly<Record<string, (graph: Graph, model: PackagedModel) => Promise<Graph>>> = {
  'dynamic int8': async (graph) =>
    quantizeDynamic(graph, { reduceRange: true, ops: new Set(['MatMul', 'Gemm', 'LSTM', 'Gather', 'Conv']) }).graph,
  'static int8': async (graph, model) => {
    const plan = planQuantization(graph)
    const data = async function* () {
      for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) yield { feeds: feedsFor(graph, model, seed), first: 0 }
    }
    const { ranges } = await calibrate(ortCpu, plan.source, rangesNeeded(plan), data, { method: 'min-max' })
    return quantizeStatic(plan, { ranges }).graph
  },
  'low rank, half of each layer': async (graph) =>
    factorize(graph, { conv: 'tucker', dense: 'svd', rank: { ratio: 2 } }).graph,
}

export interface Measured {
  readonly bytes: readonly [before: number, after: number]
  /** Of all outputs over eight inputs, in decibels. */
  readonly sqnr: number
}

/** Writes, loads and runs both graphs on inputs that calibration did not see. */
export async function compared(graph: Graph, changed: Graph, model: PackagedModel): Promise<Measured> {
  const [float, other] = [await ortCpu.compile(graph, { threads: 1 }), await ortCpu.compile(changed, { threads: 1 })]
  const noise = new SignalToNoise()
  try {
    for (const seed of [11, 12, 13, 14, 15, 16, 17, 18]) {
      const feeds: Tensors = feedsFor(graph, model, seed)
      const [real, own] = [await float.run(feeds), await other.run(feeds)]
      for (const { name } of graph.outputs) {
        const [a, b] = [real[name], own[name]]
        if (a?.dtype === 'f32' && b) noise.add(a, b)
      }
    }
  } finally {
    await float.dispose()
    await other.dispose()
  }
  const bytes = [graph, changed].map((g) => encodeModel(modelOf(g)).length) as [number, number]
  return { bytes, sqnr: noise.decibels }
}

/**
 * `npm run bench -- packaged`: trained models that others published (text detection, recognition and orientation, file
 * types, voice activity) in int8 and with low-rank layers: size, noise of the outputs, latency in turn with the model as
 * it came. Inputs are drawn: pages of strokes, vowel-like sound, files of this folder.
 */
export async function benchmarkPackaged({ wanted }: TopicOptions): Promise<void> {
  if (packagedModels() === undefined) return console.log(missing('packaged-models'))
  console.log(`${machine(ortCpu.runtime)}; one thread, milliseconds as median / minimum, in turn\n`)
  head('model', 'form', 'kB', 'SQNR, dB', 'as it came', 'form', 'speed-up, of medians / of minima')
  for (const model of packaged.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
    const graph = openPackaged(model)
    for (const [name, make] of Object.entries(forms)) {
      const changed = await make(graph, model)
      const { bytes, sqnr } = await compared(graph, changed, model)
      const programs = [await ortCpu.compile(changed, { threads: 1 }), await ortCpu.compile(graph, { threads: 1 })]
      const feeds = feedsFor(graph, model, 1)
      const once = (i: number) => async () => {
        const started = performance.now()
        await programs[i]?.run(feeds)
        return performance.now() - started
      }
      const pair = await inTurn(once(0), once(1), 5)
      for (const program of programs) await program.dispose()
      const sizes = bytes.map((b) => (b / 1000).toFixed(0)).join(' → ')
      row(model.name, name, sizes, sqnr.toFixed(1), spell(pair.theirs), spell(pair.ours), ratio(pair))
    }
  }
}

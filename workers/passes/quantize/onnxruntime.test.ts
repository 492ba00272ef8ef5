import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { ortCpu } from '../../executors/ort/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import { arrayOf, numbersOf, type Tensor } from '../../graph/tensor.ts'
import { calibrate } from '../../measure/calibrate/index.ts'
import { digest, nets, noiseBatches, preparedNet, settings, type Recording } from '../../testing/quantizer/cases.ts'
import { planQuantization, rangesNeeded } from './plan.ts'
import { quantizeStatic, type Range } from './static.ts'

/** What onnxruntime's Python quantizer said; workers/testing/quantizer/record.ts records it. */
const recorded = JSON.parse(
  readFileSync(new URL('../../testing/quantizer/onnxruntime.json', import.meta.url), 'utf8'),
) as { readonly nets: Recording }

const graphs = new Map<string, Graph>()
const netOf = (id: (typeof nets)[number]): Graph => {
  const graph = graphs.get(id) ?? preparedNet(id)
  graphs.set(id, graph)
  return graph
}

const calibrated = new Map<string, Promise<ReadonlyMap<string, Range>>>()

/** Extremes of every value that any of the settings asks for, over the same samples as recorded. */
function rangesOf(id: (typeof nets)[number]): Promise<ReadonlyMap<string, Range>> {
  const known = calibrated.get(id) ?? calibrateNet(netOf(id))
  calibrated.set(id, known)
  return known
}

async function calibrateNet(graph: Graph): Promise<ReadonlyMap<string, Range>> {
  const plans = [true, false].map((symmetric) => planQuantization(graph, { symmetric, floatOutputs: false }))
  const values = [...new Set(plans.flatMap(rangesNeeded))]
  const input = graph.requiredInputs[0]?.name ?? ''
  const data = async function* () {
    for (const [i, x] of noiseBatches(graph).entries()) yield { feeds: { [input]: x }, first: 2 * i }
  }
  return (await calibrate(ortCpu, graph, values, data, { method: 'min-max', threads: 1 })).ranges
}

/** Scales and zero points of activations, and digests of constants, by value name. */
function parametersOf(graph: Graph) {
  const activations = new Map<string, readonly [number, number]>()
  const constants = new Map<string, string>()
  const constant = (name = ''): Tensor | undefined => graph.initializers.get(name)
  for (const { op, inputs, name } of graph.nodes) {
    const [scale, zero] = [constant(inputs[1]), constant(inputs[2])]
    const codes = constant(inputs[0])
    if (op === 'QuantizeLinear' && scale && zero) {
      activations.set(name.replace(/_q$/, ''), [(arrayOf(scale) as Float32Array)[0] ?? NaN, numbersOf(zero)[0] ?? NaN])
    }
    if (op === 'DequantizeLinear' && codes) {
      constants.set((inputs[0] ?? '').replace(/_quantized$/, ''), digest([scale, zero, codes]))
    }
  }
  return { activations, constants }
}

describe.each(nets)("%s, against onnxruntime's quantizer", (id) => {
  test.each(Object.keys(settings))('%s: the same scales, zero points and codes', async (label) => {
    const scheme = settings[label]
    const theirs = recorded.nets[id]?.[label]
    if (!scheme || !theirs) throw new Error(`nothing is recorded of ${id}, ${label}`)
    const plan = planQuantization(netOf(id), { symmetric: scheme.symmetricActivations, floatOutputs: false })
    // Extremes of convolutions differ in their last bits between processors: the recorded ones make the rest exact.
    const own = await rangesOf(id)
    const ranges = new Map([...own].map(([name, range]) => [name, rangeOf(theirs.ranges[name]) ?? range]))
    const ours = parametersOf(quantizeStatic(plan, { ranges, scheme }).graph)

    const shared = [...ours.activations].filter(([name]) => theirs.activations[name])
    expect(shared.length).toBeGreaterThan(0.95 * ours.activations.size)
    for (const [name, found] of shared) expect(found, name).toEqual(theirs.activations[name])
    const constants = [...ours.constants].filter(([name]) => theirs.constants[name] !== undefined)
    expect(constants.length).toBeGreaterThanOrEqual(plan.weights.length + plan.biases.length)
    for (const [name, found] of constants) expect(found, name).toBe(theirs.constants[name])
  })

  test('and nearly the same extremes', async () => {
    const theirs = recorded.nets[id]?.['u8s8 per channel']?.ranges ?? {}
    for (const [name, { min, max }] of await rangesOf(id)) {
      const [low, high] = theirs[name] ?? [min, max]
      const width = high - low
      expect(Math.abs(min - low) / width, name).toBeLessThan(1e-4)
      expect(Math.abs(max - high) / width, name).toBeLessThan(1e-4)
    }
  })
})

const rangeOf = (pair: readonly [number, number] | undefined): Range | undefined =>
  pair && { min: pair[0], max: pair[1] }

import { z } from 'zod'
import {
  absorbHighBias,
  equalizeLayers,
  normalizedMoments,
  prepareForQuantization,
  withBiases,
} from '../../passes/index.ts'
import { step } from '../step.ts'

const EqualizeOptions = z.strictObject({
  rounds: z.number().int().min(1).default(30).describe('Most rounds over all pairs of layers'),
  replaceRelu6: z
    .boolean()
    .default(false)
    .describe('Turn Relu6 into Relu, which scales with its input but is another function'),
  absorbHighBias: z
    .boolean()
    .default(false)
    .describe('Move biases that lie three deviations above zero to the next layer; needs batch normalizations'),
})

export const equalize = step({
  id: 'equalize',
  family: 'quantization',
  source: 'Nagel et al. 2019, arXiv:1906.04721',
  options: EqualizeOptions,
  run: async ({ model }, options) => {
    const moments = normalizedMoments(model.graph)
    const { graph, report } = equalizeLayers(withBiases(prepareForQuantization(model.graph)), options)
    const { pairs, rounds, replaced } = report
    const summary = {
      pairs: pairs.map(({ first, second }) => [first, second]),
      factors: pairs.map(({ factors }) => [Math.min(...factors), Math.max(...factors)]),
      rounds,
      replaced,
    }
    if (!options.absorbHighBias) return { model: { ...model, graph }, report: summary }
    // Channels were divided by their factors, and so were their moments.
    for (const { first, factors } of pairs) {
      const value = graph.nodes.find((node) => node.name === first)?.outputs[0] ?? ''
      const found = moments.get(value)
      const scaled = (values: readonly number[]) => values.map((v, c) => v / (factors[c] ?? 1))
      if (found) moments.set(value, { mean: scaled(found.mean), deviation: scaled(found.deviation) })
    }
    const absorbed = absorbHighBias(graph, moments)
    return { model: { ...model, graph: absorbed.graph }, report: { ...summary, absorbed: absorbed.report.absorbed } }
  },
})

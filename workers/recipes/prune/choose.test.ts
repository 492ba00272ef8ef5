import { describe, expect, test } from 'vitest'
import { modelOf } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { zoo } from '../../zoo/index.ts'
import { pruneWithoutData, pruningProblems, roundRatios } from './choose.ts'
import { ChoiceOptions, parseBudget } from './options.ts'

const options = (more: object = {}) => ChoiceOptions.parse(more)
const problems = (text: string) => pruningProblems(modelOf(parse(text)), options())

describe('what cannot be pruned is said before anything runs', () => {
  test('an int8 model asks for the float one', () => {
    const text = `graph (x: f32[1,3,4,4]) -> (y: f32) opset 17 { const s: f32[] = 0.1 const z: i8[] = 0
      q = QuantizeLinear(x, s, z) "quantize" d = DequantizeLinear(q, s, z) const w: f32[4,3,1,1] = 1 y = Conv(d, w) }`
    expect(problems(text)[0]).toMatch(/quantized \(QuantizeLinear "quantize"\): prune the float model/)
  })

  test('a model whose only channels are its output', () => {
    const text = 'graph (x: f32[1,4]) -> (y: f32[1,3]) { const w: f32[4,3] = 1 y = MatMul(x, w) "last" }'
    expect(problems(text)[0]).toMatch(/Nothing .* node "last" \(MatMul\): it is the output "y"/)
  })

  test('a model that is all inside a branch', () => {
    const text = `graph (x: f32[1,4], c: bool[]) -> (y: f32) {
      y = If(c) { then_branch = graph () -> (a) { const w: f32[4,3] = 1 a = MatMul(x, w) }, else_branch = graph () -> (b) { b = Identity(x) } } "rates" }`
    expect(problems(text)[0]).toMatch(/inside node "rates" \(If\), .* alambic specialize --input/)
  })

  test('an operator that is unknown here keeps its channels whole, and the others go', () => {
    const graph = parse(`graph (x: f32[1,3,4,4]) -> (y: f32[1,4,4,4]) opset 17, my.own 1 {
      const w1: f32[4,3,1,1] = 1 a = Conv(x, w1) "first" b: f32[1,4,4,4] = my.own.Blur(a) "blur"
      const w2: f32[6,4,1,1] = 1 c = Conv(b, w2) "second" const w3: f32[4,6,1,1] = 1 y = Conv(c, w3) "third" }`)
    const { report } = pruneWithoutData(modelOf(graph), options(), 1)
    expect(report.groups).toEqual([{ group: 0, name: 'second', before: 6, after: 3 }])
    expect(report.whole.map(({ node, reason }) => `${node} ${reason}`)).toEqual([
      'node "first" (Conv) node "blur" (my.own.Blur): operator my.own::Blur is unknown here',
      'node "third" (Conv) it is the output "y"',
    ])
  })
})

test('the ratios of rounds make the whole ratio together', () => {
  const left = roundRatios(0.6, 3).reduce((rest, ratio) => rest * (1 - ratio), 1)
  expect(left).toBeCloseTo(0.4, 12)
  expect(roundRatios(0.5, 1)).toEqual([0.5])
})

test('rounds end where one cut ends, and look at the scores again in between', () => {
  const model = modelOf(zoo['resnet-20'].build())
  const once = pruneWithoutData(model, options({ ratio: 0.5 }), 1)
  const thrice = pruneWithoutData(model, options({ ratio: 0.5, steps: 4 }), 1)
  expect(thrice.report.params).toEqual(once.report.params)
  expect(thrice.report.groups.map((g) => [g.before, g.after])).toEqual(
    once.report.groups.map((g) => [g.before, g.after]),
  )
  expect(thrice.report.ratio).toBeCloseTo(0.5, 12)
})

test('budgets', () => {
  expect(parseBudget('macs=50%')).toEqual({ kind: 'macs', limit: 0.5, isShare: true })
  expect(parseBudget('params = 1.2e6')).toEqual({ kind: 'params', limit: 1.2e6, isShare: false })
  expect(parseBudget('latency=3ms')).toEqual({ kind: 'latency', limit: 3, isShare: false })
  expect(parseBudget('latency=80%')).toEqual({ kind: 'latency', limit: 0.8, isShare: true })
  for (const wrong of ['half', 'macs', 'flops=50%', 'macs=3ms', 'latency=3', 'params=0']) {
    expect(parseBudget(wrong)).toBeUndefined()
  }
})

test('every criterion that needs no data prunes a bare net, and random ones by their seed', () => {
  const model = modelOf(zoo['resnet-20'].build({ width: 0.5 }))
  for (const method of ['l1', 'l2', 'lp', 'fpgm', 'bn-scale', 'lamp', 'random'] as const) {
    for (const scope of ['layer', 'global'] as const) {
      const { report } = pruneWithoutData(model, options({ method, scope, ratio: 0.4, members: 'out' }), 1)
      expect(report.params[1]).toBeLessThan(0.85 * report.params[0])
    }
  }
  const random = (seed: number) => pruneWithoutData(model, options({ method: 'random' }), seed).model.graph
  const weight = (seed: number) => random(seed).initializers.get('conv1.weight')?.bytes
  expect(weight(1)).toEqual(weight(1))
  expect(weight(1)).not.toEqual(weight(2))
})

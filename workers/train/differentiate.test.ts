import { describe, expect, test } from 'vitest'
import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { schemas } from '../graph/schema.ts'
import { isDecomposed } from '../ops/decompose.ts'
import { gradientRules } from '../ops/gradient.ts'
import { inferTypes } from '../ops/infer.ts'
import { unfuse, unfusedOperators, upgrade } from '../passes/index.ts'
import { gradientError } from '../testing/gradient-check.ts'
import { fusedGradientCases, gradientCases } from '../testing/gradient-cases.ts'
import { toTrainingMode } from './mode.ts'

const named = (cases: typeof gradientCases) => cases.map(([name, text, options]) => ({ name, text, options }))
const operatorsOf = (cases: typeof gradientCases): ReadonlySet<string> =>
  new Set(cases.flatMap(([, text]) => parse(text).nodes.map((node) => node.op)))

describe('gradient rules agree with central finite differences in float64', () => {
  test.each(named(gradientCases))('$name', ({ text, options }) => {
    expect(gradientError(text, options)).toBeLessThan(1e-4)
  })
})

describe('onnxruntime’s fused operators are differentiated as what they are made of', () => {
  test.each(named(fusedGradientCases))('$name', ({ text, options }) => {
    const { graph } = unfuse(inferTypes(parse(text)))
    expect(graph.nodes.filter((node) => node.domain !== '')).toEqual([])
    expect(gradientError(graph, options)).toBeLessThan(1e-4)
  })

  test('all that have a standard form', () => {
    const covered = operatorsOf(fusedGradientCases)
    expect(unfusedOperators.filter((op) => !covered.has(op))).toEqual([])
  })
})

describe('what later opsets replaced is differentiated after the upgrade', () => {
  const error = (text: string): number => gradientError(upgrade(inferTypes(parse(text)), 18))
  test.each([
    [
      'Upsample',
      'graph (x: f32[1,2,3,3]) -> (y) opset 9 { const s: f32[4] = [1,1,2,2] y = Upsample(x, s) {mode = "linear"} }',
    ],
    ['Scatter', 'graph (x: f32[3,2], u: f32[1,2]) -> (y) opset 9 { const i: i64[1,2] = [2,0] y = Scatter(x, i, u) }'],
  ])('%s', (_, text) => {
    expect(error(text)).toBeLessThan(1e-4)
  })
})

test('a dropout is differentiated with its mask', () => {
  const graph: Graph = inferTypes(parse('graph (x: f32[2,3]) -> (y) opset 18 { h = Dropout(x) y = Tanh(h) }'))
  const training = toTrainingMode(graph)
  expect(training.masks).toHaveLength(1)
  const [mask] = training.masks
  const error = gradientError(training.graph, { feeds: { [mask?.input ?? '']: [1, 0, 1, 1, 0, 1] } })
  expect(error).toBeLessThan(1e-4)
})

describe('every operator of the default domain', () => {
  const covered = operatorsOf(gradientCases)
  const hasRule = (op: string): boolean =>
    typeof gradientRules[op as keyof typeof gradientRules] === 'function' ||
    isDecomposed({ name: '', op, domain: '', inputs: [], outputs: [], attributes: {} })

  test('with a gradient is checked above', () => {
    const differentiable = Object.keys(schemas).filter(hasRule)
    expect(differentiable.length).toBeGreaterThanOrEqual(105)
    expect(differentiable.filter((op) => !covered.has(op))).toEqual([])
  })

  test('without one says why, in words', () => {
    const silent = Object.keys(schemas)
      .filter((op) => !hasRule(op))
      .flatMap((op) => {
        const rule = gradientRules[op as keyof typeof gradientRules]
        return typeof rule !== 'function' && /^\w[\w ,:;]{8,}/.test(rule.reason) ? [] : [op]
      })
    expect(silent).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { parse } from '../graph/parse.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import { arrayOf, f32, i64 } from '../graph/tensor.ts'
import { crossEntropy } from '../train/losses.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep } from '../train/step.ts'
import { checkRules, ParameterRule, perParameter } from './rules.ts'

const rules = (...list: object[]) => list.map((rule) => ParameterRule.parse(rule))

describe('rules for parameters', () => {
  test('the last that matches and says something counts', () => {
    const { decay, rate } = perParameter(
      rules({ names: '*.bias', weightDecay: 0 }, { names: 'head.*', lr: 10 }, { names: 'head.bias', lr: 0 }),
      1e-4,
    )
    expect(['conv.weight', 'conv.bias', 'head.bias'].map((name) => decay?.(name, []))).toEqual([1e-4, 0, 0])
    expect(['conv.weight', 'head.weight', 'head.bias'].map((name) => rate?.(name, []))).toEqual([1, 10, 0])
  })

  test('characters of regular expressions stand for themselves', () => {
    const { rate } = perParameter(rules({ names: 'a.(b)+', lr: 2 }), 0)
    expect([rate?.('a.(b)+', []), rate?.('axbb', [])]).toEqual([2, 1])
  })

  test('a rule that matches nothing is named', () => {
    const check = () => checkRules(rules({ names: 'fc.*', lr: 0 }), ['conv.weight', 'conv.bias'])
    expect(check).toThrow(expect.objectContaining({ code: 'recipe.rule', subject: 'fc.*' }))
    expect(check).toThrow('matches no trained parameter')
  })

  test('a frozen parameter stays, the others move', async () => {
    const graph = parse(`graph (x: f32[N,2]) -> (z: f32[N,2]) {
      y = MatMul(x, kept) z = MatMul(y, moved)
      const kept: f32[2,2] = [1, 2, 3, 4] const moved: f32[2,2] = [1, 0, 0, 1] }`)
    const step = buildStep(prepare(graph, { batch: 1 }), {
      losses: [crossEntropy()],
      optimizer: optimizer('sgd'),
      ...perParameter(rules({ names: 'kept', lr: 0 }), 0),
    })
    const program = await referenceExecutor.compile(step.graph, { state: step.state })
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    await program.run({ x: f32([1, -1], [1, 2]), labels: i64([0], [1]), ...step.hyper(1, 0.1) })
    const trained = step.trained(await program.readState())
    const values = (name: string) => [...(arrayOf(trained.get(name) ?? f32([])) as Float32Array)]
    expect(values('kept')).toEqual([1, 2, 3, 4])
    expect(values('moved')).not.toEqual([1, 0, 0, 1])
  })
})

import { describe, expect, test } from 'vitest'
import { trainingSource } from '../../train/source.ts'
import { planDistillation } from '../../train/distil/plan.ts'
import { buildZoo } from '../../zoo/index.ts'
import { openRecipe } from '../recipe.ts'
import { DistilOptions, termsOf } from './options.ts'

/** Names and weights of the terms that options come to. */
const weights = (options: object, labelled = true) =>
  Object.fromEntries(termsOf(DistilOptions.parse(options), labelled).map(({ term, weight }) => [term, weight]))

describe('the terms of a loss', () => {
  test('share a weight of one between teacher and labels', () => {
    expect(weights({})).toEqual({ kd: 0.9, ce: 1 - 0.9 })
    expect(weights({ alpha: 0.25 })).toEqual({ kd: 0.25, ce: 0.75 })
    expect(weights({ alpha: 1 })).toEqual({ kd: 1 })
    expect(weights({ alpha: 0.5, losses: ['soft-ce', 'at'] })).toEqual({ 'soft-ce': 0.5, at: 1000, ce: 0.5 })
  })

  test('stand beside the labels at full weight where they compare features', () => {
    expect(weights({ losses: ['at', 'rkd:2'] })).toEqual({ at: 1000, rkd: 2, ce: 1 })
    expect(weights({ losses: ['hint:3', { term: 'ce', weight: 0.5 }] })).toEqual({ hint: 3, ce: 0.5 })
  })

  test('are the teacher alone without labels', () => {
    expect(weights({ losses: ['kd', 'sp'] }, false)).toEqual({ kd: 0.9, sp: 3000 })
    expect(() => weights({ losses: ['kd', 'ce'] }, false)).toThrow(
      expect.objectContaining({ code: 'distil.needs-labels' }),
    )
  })

  test('take temperature, smoothing and pairs from the step unless they have their own', () => {
    const pairs = [{ student: 'a', teacher: 'b' }]
    const [kd, at, ce] = termsOf(
      DistilOptions.parse({ temperature: 2, labelSmoothing: 0.1, pairs, losses: ['kd', 'at'] }),
      true,
    )
    expect([kd?.options['temperature'], at?.pairs, ce?.options['labelSmoothing']]).toEqual([2, pairs, 0.1])
    const [own] = termsOf(DistilOptions.parse({ temperature: 2, losses: [{ term: 'kd', temperature: 7 }] }), true)
    expect(own?.options['temperature']).toBe(7)
  })
})

describe("the tutorial's three ways", () => {
  const plan = async (name: string) => {
    const recipe = await openRecipe(name)
    const options = recipe.steps[1]?.options as DistilOptions
    const planned = planDistillation({
      student: trainingSource(buildZoo('lightnn').graph).graph,
      teacher: buildZoo('deepnn').graph,
      terms: termsOf(options, true),
      batch: 2,
      seed: 1,
    })
    return {
      losses: planned.losses.map(({ name: term, weight }) => [term, weight]),
      between: planned.pairing.map((p) => `${p.studentDims.join('×')} ${p.teacherDims.join('×')} ${p.between}`),
    }
  }

  test.each([
    [
      'kd-tutorial',
      [
        ['kd', 0.25],
        ['ce', 0.75],
      ],
      [],
    ],
    [
      'kd-tutorial-cosine',
      [
        ['cosine', 0.25],
        ['ce', 0.75],
      ],
      ["1024 2048 the teacher's 2048 values averaged to 1024"],
    ],
    [
      'kd-tutorial-regressor',
      [
        ['hint', 0.25],
        ['ce', 0.75],
      ],
      ['16×8×8 32×8×8 a 3×3 convolution 16 → 32, trained'],
    ],
  ] as const)('%s', async (name, losses, between) => {
    expect(await plan(name)).toEqual({ losses, between })
  })
})

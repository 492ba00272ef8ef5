import { expect, test } from 'vitest'
import { costOf } from '../../ops/cost.ts'
import { zoo, type ZooId } from '../../zoo/index.ts'
import { analyse } from './analysis.ts'
import { cut } from './cut.ts'
import { groupsOf } from './groups.ts'
import { plan, type Rule } from './plan.ts'

/** Parameters and MACs after these rules. */
function cost(id: ZooId, rules: readonly Rule[]): readonly [number, number | undefined] {
  const groups = groupsOf(analyse(zoo[id].build()))
  const scores = new Map(groups.groups.map((g) => [g.id, new Float64Array(g.size)]))
  const { removal } = plan(groups, scores, { ratio: 0, scope: 'layer', roundTo: 1, maxRatio: 1, rules })
  const { params, macs } = costOf(cut(groups, removal, { shapesOnly: true }))
  return [params, macs]
}

/** A share for the first convolution of every block of a stage; the paper counts convolutions from 1. */
const blocks = (shares: readonly number[], skipped: readonly number[]): Rule[] =>
  shares.flatMap((ratio, stage) =>
    Array.from({ length: 9 }, (_, b) => ({ at: 2 * (9 * stage + b) + 2, layer: `layer${stage + 1}.${b}.conv1`, ratio }))
      .filter(({ at }) => !skipped.includes(at))
      .map(({ layer }) => ({ layer, ratio })),
  )

// Li et al. 2017, arXiv:1608.08710, table 1: the columns of parameters and operations (theirs are MACs).
test('VGG-16 A: the first and the last six convolutions halved', () => {
  const halved = [0, 24, 27, 30, 34, 37, 40].map((i) => ({ layer: `features.${i}`, ratio: 0.5 }))
  expect(cost('vgg-16-cifar', halved)).toEqual([5_396_010, 206_279_680])
})

test('ResNet-56 A: a tenth of each block, but of four', () => {
  expect(cost('resnet-56', blocks([0.1, 0.1, 0.1], [16, 20, 38, 54]))).toEqual([773_336, 112_435_840])
})

test('ResNet-56 B: 60, 30 and 10 % by stage, but of six blocks', () => {
  expect(cost('resnet-56', blocks([0.6, 0.3, 0.1], [16, 18, 20, 34, 38, 54]))).toEqual([735_712, 90_907_264])
})

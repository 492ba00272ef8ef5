import { expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { modelOf } from '../../graph/graph.ts'
import { explainGroups, layerChannels } from './outcome.ts'
import { pruneWithoutData } from './choose.ts'
import { ChoiceOptions } from './options.ts'

const graph = parse(`graph (x: f32[1,3,4,4]) -> (y: f32) opset 17 {
  const w: f32[4,3,1,1] = 1 a = Conv(x, w) "left" const v: f32[4,3,1,1] = 1 b = Conv(x, v) "right"
  s = Add(a, b) "sum" const u: f32[2,4,1,1] = 1 y = Conv(s, u) "last" }`)

test('a group says what goes with a channel and why, and each layer how many channels it has', () => {
  const options = ChoiceOptions.parse({ ratio: 0.5 })
  const [group, ...others] = explainGroups(graph, options)
  expect(others).toEqual([])
  expect(group).toMatchObject({ name: 'left', units: 4, more: { members: 0, because: 0 } })
  expect(group?.members.map(({ tensor, axis, uses }) => [tensor, axis, uses])).toEqual([
    ['w', 0, [{ role: 'out', node: 'node "left" (Conv)' }]],
    ['v', 0, [{ role: 'out', node: 'node "right" (Conv)' }]],
    ['u', 1, [{ role: 'in', node: 'node "last" (Conv)' }]],
  ])
  expect(group?.because).toContain('node "sum" (Add): Add combines them element by element')
  const { model } = pruneWithoutData(modelOf(graph), options, 1)
  expect(layerChannels(graph, model.graph)).toEqual([
    { layer: 'left', before: 4, after: 2 },
    { layer: 'right', before: 4, after: 2 },
    { layer: 'last', before: 2, after: 2 },
  ])
})

import { describe, expect, test } from 'vitest'
import { bindDims } from '../../ops/bind.ts'
import { symbolsOf } from '../../ops/bind.ts'
import { costOf } from '../../ops/cost.ts'
import { architectures } from '../../testing/architectures.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { randomRemoval } from '../../testing/pruning.ts'
import type { Graph } from '../../graph/graph.ts'
import { analyse } from './analysis.ts'
import { cut, type Removal } from './cut.ts'
import { groupsOf, type Group } from './groups.ts'
import { masked } from './mask.ts'

/** Random prunings of each net: twenty when there is time for it. */
const runs = process.env['ALAMBIC_LONG'] ? 20 : 3

/** With a batch of two. */
const bound = (graph: Graph): Graph =>
  bindDims(graph, Object.fromEntries([...symbolsOf(graph)].map((name) => [name, 2])))

/** A LayerNormalization's statistics count the channels: cutting some is not the same as zeroing them. */
const countsChannels = (group: Group): boolean =>
  group.members.some((m) => m.roles.some(({ node }) => node.op === 'LayerNormalization'))

describe.each(Object.entries(architectures))('%s', (_, build) => {
  const graph = bound(build())
  const groups = groupsOf(analyse(graph))
  const feeds = randomFeeds(graph)

  test('has something to prune', () => {
    expect(groups.groups.length).toBeGreaterThan(0)
  })

  test.each(Array.from({ length: runs }, (_, i) => i + 1))(
    'random pruning %i is valid, runs and equals zeros',
    async (seed) => {
      const share = [0.2, 0.5, 0.8][seed % 3] as number
      const removal = randomRemoval(groups, share, seed)
      const smaller = cut(groups, removal)
      expect(costOf(smaller).params).toBeLessThan(costOf(graph).params)
      const found = await runInOnnxruntime(smaller, feeds)
      const exact: Removal = new Map([...removal].filter(([id]) => !countsChannels(groups.groups[id] as Group)))
      const isAll = exact.size === removal.size
      const same = isAll ? found : await runInOnnxruntime(cut(groups, exact), feeds)
      const expected = await runInOnnxruntime(masked(groups, exact), feeds)
      for (const [name, { dims, values }] of Object.entries(expected)) {
        expect(found[name]?.dims).toEqual(dims)
        expect(found[name]?.values.every(Number.isFinite)).toBe(true)
        const scale = Math.max(1, ...values.map(Math.abs))
        expect(largestDifference(values, same[name]?.values ?? []) / scale).toBeLessThan(1e-5)
      }
    },
  )

  test('cutting nothing gives the very outputs', async () => {
    const same = await runInOnnxruntime(groups.coupling.graph, feeds)
    const before = await runInOnnxruntime(graph, feeds)
    expect(same).toEqual(before)
  })
})

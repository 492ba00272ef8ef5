import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { costOf } from '../../ops/cost.ts'
import { denseNet121Text, hollowGraph, vitText } from '../../testing/architectures.ts'
import { zoo } from '../../zoo/index.ts'
import { analyse, type AnalysisOptions } from './analysis.ts'
import { cut } from './cut.ts'
import { groupsOf, type Group } from './groups.ts'
import { plan } from './plan.ts'

/** Recorded by fixtures/record.py: L2 magnitude at a ratio of .5 with Torch-Pruning 1.6.1. */
type Counts = Readonly<Record<string, { readonly params: number; readonly before: { readonly params: number } }>>
const { channels, transformers } = JSON.parse(
  readFileSync(new URL('./fixtures/torch.json', import.meta.url), 'utf8'),
) as { readonly channels: Counts; readonly transformers: Counts }

/** Parameters before and after half of the channels of groups that `which` picks are gone. */
function halved(
  graph: Graph,
  which: (group: Group) => boolean = () => true,
  options: AnalysisOptions = {},
): readonly [number, number] {
  const groups = groupsOf(analyse(graph, options))
  const scores = new Map(groups.groups.filter(which).map((g) => [g.id, new Float64Array(g.size)]))
  const { removal } = plan(groups, scores, { ratio: 0.5, scope: 'layer', roundTo: 1, maxRatio: 1, rules: [] })
  return [costOf(graph).params, costOf(cut(groups, removal, { shapesOnly: true })).params]
}

const vitB16 = () =>
  hollowGraph(vitText({ image: 224, patch: 16, heads: 12, size: 64, mlp: 3072, depth: 12, classes: 1000 }))

describe('half of the channels is what Torch-Pruning makes of it', () => {
  test.each([
    ['resnet18', () => zoo['resnet-18'].build()],
    ['resnet50', () => zoo['resnet-50'].build()],
    ['mobilenet_v2', () => zoo['mobilenet-v2'].build()],
    ['densenet121', () => hollowGraph(denseNet121Text())],
  ])('%s', (name, build) => {
    const expected = channels[name]
    expect(halved(build())).toEqual([expected?.before.params, expected?.params])
  })

  test.each(['heads', 'dims'] as const)(
    'ViT-B/16, with %s of the attention, the MLPs and the residual stream',
    (what) => {
      const { params = 0, before } = transformers[what] ?? {}
      // The class token (768 elements, half of them cut) is expanded, not multiplied or added: it does not count here.
      expect(halved(vitB16(), undefined, { attention: what })).toEqual([(before?.params ?? 0) - 768, params - 384])
    },
  )

  test("torchvision's vit_b_16, of which it cuts the MLPs only", () => {
    const graph = vitB16()
    const isMlp = ({ size }: Group) => size === 3072
    // The class token is expanded, not multiplied or added: it does not count as a weight here.
    const [before, after] = [channels['vit_b_16']?.before.params ?? 0, channels['vit_b_16']?.params ?? 0]
    expect(halved(graph, isMlp)).toEqual([before - 768, after - 768])
  })
})

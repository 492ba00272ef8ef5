import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { analyse } from '../passes/prune/analysis.ts'
import { scoreGroup } from '../passes/prune/criteria.ts'
import { cut } from '../passes/prune/cut.ts'
import { groupsOf } from '../passes/prune/groups.ts'
import { plan } from '../passes/prune/plan.ts'
import { zoo } from '../zoo/index.ts'
import { head, inTurn, least, machine, ratio, row, spell } from './pairs.ts'
import { Peer } from './peer.ts'
import type { Topic } from './topic.ts'

const RUNS = 7

/** Groups, scores by L2, half of every layer planned and cut; milliseconds. */
function halve(graph: Graph): number {
  const started = performance.now()
  const groups = groupsOf(analyse(graph))
  const options = { seed: 1, p: 2, members: 'all', criterion: 'l2', reduction: 'mean', normalizer: 'mean' } as const
  const scores = new Map(groups.groups.map((g) => [g.id, scoreGroup(g, options) ?? new Float64Array(g.size)]))
  cut(groups, plan(groups, scores, { ratio: 0.5, scope: 'layer', roundTo: 1, maxRatio: 1, rules: [] }).removal)
  return performance.now() - started
}

/** Residual blocks of 32 channels, four nodes each. */
function chain(nodes: number): Graph {
  const lines = Array.from({ length: nodes / 4 }, (_, i) => {
    const last = i === 0 ? 'stem' : `r${i - 1}`
    return `const v${i}: f32[32,32,1,1] = 1 a${i} = Conv(${last}, v${i}) b${i} = Relu(a${i})
      const w${i}: f32[32,32,1,1] = 1 c${i} = Conv(b${i}, w${i}) r${i} = Add(c${i}, ${last})`
  })
  return parse(`graph (x: f32[1,3,8,8]) -> (y: f32) opset 17 {
    const w: f32[32,3,1,1] = 1 stem = Conv(x, w) ${lines.join(' ')} y = GlobalAveragePool(r${nodes / 4 - 1}) }`)
}

/** Cutting half of every layer by L2: ResNet-50 beside Torch-Pruning, and how the time grows with the nodes. */
export const prune: Topic = async ({ peers }) => {
  const peer = peers ? await Peer.open('prune.py') : undefined
  console.log(machine(peer?.name))
  console.log('half of every layer by L2, scores included; ms as median / min\n')
  const graph = zoo['resnet-50'].build()
  halve(graph)
  const pair = await inTurn(async () => halve(graph), peer && (() => peer.once('resnet50')), RUNS)
  peer?.close()
  head('net', 'Alambic', 'peer', 'times faster')
  row('resnet-50', spell(pair.ours), spell(pair.theirs), ratio(pair))
  console.log()
  head('nodes', 'ms, least of 3')
  for (const nodes of [2500, 5000, 10_000, 20_000]) {
    const long = chain(nodes)
    row(String(nodes), least([halve(long), halve(long), halve(long)]).toFixed(0))
  }
}

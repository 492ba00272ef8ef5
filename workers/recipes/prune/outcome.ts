import { nodeLabel, type Graph } from '../../graph/graph.ts'
import { latenciesInTurn, type Latency } from '../../measure/latency.ts'
import { weightUseOf } from '../../ops/quant.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { groupsOf, type Group } from '../../passes/prune/groups.ts'
import type { ExplainedGroup, LayerChannels } from '../../protocol/files/methods.ts'
import type { StepContext } from '../step.ts'
import type { ChoiceOptions } from './options.ts'

/** More members or reasons of a group than these are counted, not listed. */
const MOST_MEMBERS = 48
const MOST_REASONS = 24

const explained = ({ name, size, members, because }: Group): ExplainedGroup => ({
  name,
  units: size,
  members: members.slice(0, MOST_MEMBERS).map(({ constant, axis, indices, roles }) => ({
    tensor: constant.name,
    axis,
    indices: indices.length,
    uses: roles.map(({ role, node }) => ({ role, node: nodeLabel(node) })),
  })),
  because: because.slice(0, MOST_REASONS),
  more: { members: Math.max(0, members.length - MOST_MEMBERS), because: Math.max(0, because.length - MOST_REASONS) },
})

/** What can only be cut together, and why, of a model before it is cut. */
export const explainGroups = (graph: Graph, options: Pick<ChoiceOptions, 'attention'>): readonly ExplainedGroup[] =>
  groupsOf(analyse(graph, { attention: options.attention })).groups.map(explained)

/** Output channels of every layer that has a weight, in the order of the graph. */
function channelsOf(graph: Graph): ReadonlyMap<string, { readonly layer: string; readonly channels: number }> {
  return new Map(
    layerWeights(graph).flatMap(({ name, node, tensor }) => {
      const axis = weightUseOf(node, graph)?.axis
      const size = axis === undefined ? undefined : tensor.dims[axis]
      return size === undefined ? [] : [[name, { layer: node.name || name, channels: size }] as const]
    }),
  )
}

/** Channels of every layer before and after; layers without a counterpart are left out. */
export function layerChannels(before: Graph, after: Graph): readonly LayerChannels[] {
  const now = channelsOf(after)
  return [...channelsOf(before)].flatMap(([name, { layer, channels }]) => {
    const found = now.get(name)
    return found ? [{ layer, before: channels, after: found.channels }] : []
  })
}

export interface PruneOutcome {
  /** What was cut together, of the model as it was. */
  readonly explanation: readonly ExplainedGroup[]
  readonly channels: readonly LayerChannels[]
  /** One sample, measured in turn. */
  readonly latency: { readonly before: Latency; readonly after: Latency }
  readonly warning?: string
}

/** Medians that differ by less are the same: so much they do from one measurement to the next. */
const NOISE = 0.03

/** What became of a model: its groups, its layers, and whether the smaller one is faster here, too. */
export async function outcomeOf(
  { executor, threads }: StepContext,
  before: Graph,
  after: Graph,
  options: Pick<ChoiceOptions, 'attention'>,
): Promise<PruneOutcome> {
  const timed = { batch: 1, runs: 30, threads: threads ?? 1 }
  const [old, now] = (await latenciesInTurn(executor, [before, after], timed)) as [Latency, Latency]
  const isFaster = now.medianMs < (1 - NOISE) * old.medianMs
  return {
    explanation: explainGroups(before, options),
    channels: layerChannels(before, after),
    latency: { before: old, after: now },
    ...(isFaster ? {} : { warning: 'The model is smaller, but not faster on this machine.' }),
  }
}

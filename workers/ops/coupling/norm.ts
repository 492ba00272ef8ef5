import { toAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { fixed, isLive, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules, Cut } from './call.ts'
import { same } from './elementwise.ts'

const CHANNELS = 'it normalizes channel by channel'

function batchNorm(c: CouplingCall): Coupled {
  const axes = c.axes(0)
  if (!axes || axes.length < 2) return c.barrier('its shape is not known')
  const channels = axes[1] as Axis
  c.perChannel(1, channels, 'scale', CHANNELS)
  c.perChannel(2, channels, 'shift', CHANNELS)
  c.perChannel(3, channels, 'statistic', CHANNELS)
  c.perChannel(4, channels, 'statistic', CHANNELS)
  return { outputs: c.node.outputs.map((_, k) => (k === 0 ? axes : [channels])) }
}

function instanceNorm(c: CouplingCall): Coupled {
  const axes = c.axes(0)
  if (!axes || axes.length < 2) return c.barrier('its shape is not known')
  c.perChannel(1, axes[1] as Axis, 'scale', CHANNELS)
  c.perChannel(2, axes[1] as Axis, 'shift', CHANNELS)
  return { outputs: [axes] }
}

/** γ and β have the shape of the axes that are normalized, the last ones. Cutting changes the statistics a little. */
function layerNorm(c: CouplingCall<{ readonly axis?: number }>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  const axis = c.attr.axis ?? -1
  const first = axis < 0 ? axis + axes.length : axis
  for (const [i, role] of [[1, 'scale'] as const, [2, 'shift'] as const]) {
    const own = c.axes(i) ?? []
    own.forEach((a, k) => {
      const at = axes.length - own.length + k
      if (at >= first && c.shape(i)?.[k] === c.shape(0)?.[at]) c.join(a, axes[at] as Axis, 'it scales every channel')
    })
    c.weight(i, ...own.map(() => role))
  }
  const rest = axes.map((a, k) => (k < first ? a : fixed('a statistic')))
  return { outputs: c.node.outputs.map((_, k) => (k === 0 ? axes : rest)) }
}

/** Every group of channels keeps equally many: index i of each goes together. */
function groupNorm(c: CouplingCall<{ readonly num_groups?: number }>): Coupled {
  const axes = c.axes(0)
  const channels = axes?.[1]
  if (!axes || !channels) return c.barrier('its shape is not known')
  const groups = c.attr.num_groups ?? 1
  const size = isLive(channels) ? channels.length / groups : 0
  if (isLive(channels) && size > 1) {
    for (let g = 1; g < groups; g++) {
      c.join(channels.subarray(0, size), channels.subarray(g * size, (g + 1) * size), EQUAL)
    }
  }
  for (const [i, role] of [[1, 'scale'] as const, [2, 'shift'] as const]) {
    // Before opset 21 there was one γ and β for each group.
    if (c.opset < 21 && size !== 1) c.pinInput(i, 'one element for each group')
    else c.perChannel(i, channels, role, CHANNELS)
  }
  if (size !== 1) return { outputs: [axes] }
  const fewer = (cut: Cut, node: Node): readonly Node[] => {
    const attributes = toAttributes('GroupNormalization', '', { num_groups: cut.size(channels, groups) })
    return [{ ...node, attributes: { ...node.attributes, ...attributes } }]
  }
  return { outputs: [axes], cut: fewer }
}

const EQUAL = 'its groups keep equally many channels'

/** Statistics over all channels of a window change a little when some of them go. */
const meanVariance = (c: CouplingCall<{ readonly axes?: readonly number[] }>): Coupled => {
  const over = c.attr.axes ?? [0, 2, 3]
  return over.includes(1) ? c.barrier('it normalizes over the channels') : same(c)
}

export const norm = {
  BatchNormalization: batchNorm,
  InstanceNormalization: instanceNorm,
  LayerNormalization: layerNorm,
  RMSNormalization: layerNorm,
  GroupNormalization: groupNorm,
  MeanVarianceNormalization: meanVariance,
  LRN: same,
} satisfies CouplingRules

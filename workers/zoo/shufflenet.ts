import type { Graph } from '../graph/graph.ts'
import { normalOf, schemes } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { makeDivisible, scaled, type Plan } from './plan.ts'

/** Units per stage, the first of each with stride 2. */
const repeats = [4, 8, 4]

/** Output channels per stage by the number of groups (Zhang et al. 2018, arXiv:1707.01083, table 1). */
const v1Channels = {
  1: [144, 288, 576],
  2: [200, 400, 800],
  3: [240, 480, 960],
  4: [272, 544, 1088],
  8: [384, 768, 1536],
} as const
export type ShuffleGroups = keyof typeof v1Channels

/** Channels that divide into groups of a quarter: the inner width is a quarter and grouped itself. */
const v1Wide = (channels: number, width: number, groups: number): number =>
  width === 1 ? channels : makeDivisible(channels * width, 4 * groups)

/**
 * Grouped 1×1, shuffle, depthwise 3×3, grouped 1×1 (figure 2 b and c). With stride 2 the input's mean over 3×3 is put
 * beside the result instead of being added. The first unit's first convolution sees few channels and is not grouped.
 */
interface V1Unit {
  readonly channels: number
  readonly stride: number
  readonly groups: number
  /** Groups of the first convolution. */
  readonly first: number
}

function v1Unit(net: Net, x: Feature, name: string, { channels, stride, groups, first }: V1Unit): Feature {
  const inner = channels / 4
  const grown = stride === 2 ? channels - (x.dims[0] ?? 0) : channels
  let y = net.conv(x, `${name}.conv1`, inner, { group: first, bias: false })
  y = net.relu(net.batchNorm(y, `${name}.bn1`), `${name}.relu1`)
  y = net.shuffle(y, `${name}.shuffle`, groups)
  y = net.conv(y, `${name}.conv2`, inner, { kernel: 3, stride, group: inner, bias: false })
  y = net.conv(net.batchNorm(y, `${name}.bn2`), `${name}.conv3`, grown, { group: groups, bias: false })
  y = net.batchNorm(y, `${name}.bn3`)
  if (stride === 1) return net.relu(net.add(x, y, `${name}.add`), `${name}.relu2`)
  const shortcut = net.averagePool(x, `${name}.pool`, { kernel: 3, stride: 2, pad: 1 })
  return net.concat([shortcut, net.relu(y, `${name}.relu2`)], `${name}.concat`)
}

/** Small images keep their size here: no stride, no pooling. */
function stem(net: Net, channels: number, isSmall: boolean): Feature {
  const stride = isSmall ? 1 : 2
  const conv = net.conv(net.input, 'conv1', channels, { kernel: 3, stride, bias: false, init: normalOf(0.01) })
  const x = net.relu(net.batchNorm(conv, 'bn1'), 'relu1')
  return isSmall ? x : net.maxPool(x, 'maxpool', { kernel: 3, stride: 2, pad: 1 })
}

function head(net: Net, x: Feature, classes: number, bias: boolean): Graph {
  const pooled = net.flatten(net.globalAveragePool(x, 'avgpool'), 'flatten')
  return net.finish(net.linear(pooled, 'fc', classes, 'logits', bias))
}

export const shufflenetV1 =
  (groups: ShuffleGroups, isSmall = false) =>
  (plan: Plan): Graph => {
    const net = new Net(plan.name, plan.input, schemes.shufflenet, plan.seed)
    let x = stem(net, v1Wide(24, plan.width, groups), isSmall)
    repeats.forEach((count, stage) => {
      const channels = v1Wide(v1Channels[groups][stage] ?? 0, plan.width, groups)
      for (let i = 0; i < count; i++) {
        const first = stage === 0 && i === 0 ? 1 : groups
        x = v1Unit(net, x, `stage${stage + 2}.${i}`, { channels, stride: i === 0 ? 2 : 1, groups, first })
      }
    })
    return head(net, x, plan.classes, false)
  }

/** Stage widths and the last convolution's, by multiplier (Ma et al. 2018, arXiv:1807.11164, table 5). */
const v2Channels: ReadonlyMap<number, readonly number[]> = new Map([
  [0.5, [24, 48, 96, 192, 1024]],
  [1, [24, 116, 232, 464, 1024]],
  [1.5, [24, 176, 352, 704, 1024]],
  [2, [24, 244, 488, 976, 2048]],
])

/** Multipliers beside the paper's scale the stages of 1× to even numbers. */
const v2Scaled = (width: number): readonly number[] =>
  [24, 116, 232, 464, 1024].map((channels, i) => (i % 4 === 0 ? channels : 2 * scaled(channels / 2, width)))

type Unit = (x: Feature, name: string, channels: number, stride?: number) => Feature

/** Half of the channels pass by at stride 1; at stride 2 both halves see everything (figure 3 c and d). */
function v2Unit(net: Net, x: Feature, name: string, channels: number, stride: number): Feature {
  const half = channels / 2
  const pointwise: Unit = (v, at, c) => {
    const conv = net.conv(v, `${at}.conv`, c, { bias: false })
    return net.relu(net.batchNorm(conv, `${at}.bn`), `${at}.relu`)
  }
  const depthwise: Unit = (v, at, c, s = 1) =>
    net.batchNorm(net.conv(v, `${at}.conv`, c, { kernel: 3, stride: s, group: c, bias: false }), `${at}.bn`)
  const [left, right] = stride === 1 ? net.halve(x, `${name}.split`) : [x, x]
  const beside =
    stride === 1 ? left : pointwise(depthwise(left, `${name}.left.dw`, left.dims[0] ?? 1, 2), `${name}.left.pw`, half)
  let y = pointwise(right, `${name}.right.pw1`, half)
  y = pointwise(depthwise(y, `${name}.right.dw`, half, stride), `${name}.right.pw2`, half)
  return net.shuffle(net.concat([beside, y], `${name}.concat`), `${name}.shuffle`, 2)
}

export const shufflenetV2 =
  (isSmall = false) =>
  (plan: Plan): Graph => {
    const net = new Net(plan.name, plan.input, schemes.torch, plan.seed)
    const [first = 24, ...stages] = v2Channels.get(plan.width) ?? v2Scaled(plan.width)
    let x = stem(net, first, isSmall)
    repeats.forEach((count, stage) => {
      for (let i = 0; i < count; i++) {
        x = v2Unit(net, x, `stage${stage + 2}.${i}`, stages[stage] ?? 0, i === 0 ? 2 : 1)
      }
    })
    const last = net.conv(x, 'conv5', stages[3] ?? 1024, { bias: false })
    return head(net, net.relu(net.batchNorm(last, 'bn5'), 'relu5'), plan.classes, true)
  }

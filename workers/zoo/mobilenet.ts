import type { Graph } from '../graph/graph.ts'
import { schemes } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { makeDivisible, scaled, strides, type Plan } from './plan.ts'

type Activation = 'relu' | 'relu6' | 'hardSwish' | 'none'

interface UnitOptions {
  readonly kernel?: number
  readonly stride?: number
  readonly depthwise?: boolean
  readonly activation: Activation
  readonly epsilon?: number
}

/** Convolution, batch normalization and activation; `depthwise` keeps every channel to itself. */
function unit(net: Net, x: Feature, name: string, channels: number, options: UnitOptions): Feature {
  const { kernel = 1, stride = 1, depthwise = false, activation, epsilon = 1e-5 } = options
  const group = depthwise ? channels : 1
  const conv = net.conv(x, `${name}.conv`, channels, { kernel, stride, group, bias: false })
  const y = net.batchNorm(conv, `${name}.bn`, epsilon, epsilon === 1e-5 ? 0.9 : 0.99)
  return activation === 'none' ? y : net[activation](y, `${name}.act`)
}

function pooled(net: Net, x: Feature): Feature {
  return net.flatten(net.globalAveragePool(x, 'avgpool'), 'flatten')
}

/** Output channels and stride of MobileNet V1's blocks (Howard et al. 2017, table 1). */
const v1Blocks: readonly (readonly [channels: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
]

/** `skipped` strides less, for small images. */
export const mobilenetV1 =
  (skipped = 0) =>
  (plan: Plan): Graph => {
    const at = strides(skipped)
    const net = new Net(plan.name, plan.input, schemes.heFanOut, plan.seed)
    const activation = 'relu'
    let x = unit(net, net.input, 'stem', scaled(32, plan.width), { kernel: 3, stride: at(2), activation })
    v1Blocks.forEach(([channels, stride], i) => {
      const name = `blocks.${i}`
      x = unit(net, x, `${name}.depthwise`, x.dims[0] ?? 1, {
        kernel: 3,
        stride: at(stride),
        depthwise: true,
        activation,
      })
      x = unit(net, x, `${name}.pointwise`, scaled(channels, plan.width), { activation })
    })
    return net.finish(net.linear(pooled(net, x), 'fc', plan.classes, 'logits'))
  }

interface Bottleneck {
  readonly kernel: number
  /** Channels inside the block. */
  readonly expanded: number
  readonly channels: number
  readonly stride: number
  readonly activation: Activation
  /** Squeeze-and-excitation's inner width; none when absent. */
  readonly squeeze?: number | undefined
  readonly epsilon?: number
}

/** Expand, filter depthwise, project without activation; a skip where the shape stays (Sandler et al. 2018, fig. 4). */
function invertedResidual(net: Net, x: Feature, name: string, block: Bottleneck): Feature {
  const { kernel, expanded, channels, stride, activation, epsilon = 1e-5 } = block
  let y = x
  if (expanded !== x.dims[0]) y = unit(net, y, `${name}.expand`, expanded, { activation, epsilon })
  y = unit(net, y, `${name}.depthwise`, expanded, { kernel, stride, depthwise: true, activation, epsilon })
  if (block.squeeze !== undefined) y = squeezeExcite(net, y, `${name}.se`, block.squeeze)
  y = unit(net, y, `${name}.project`, channels, { activation: 'none', epsilon })
  return stride === 1 && x.dims[0] === channels ? net.add(x, y, `${name}.add`) : y
}

/** Hu et al. 2018, arXiv:1709.01507, with MobileNetV3's hard sigmoid. */
function squeezeExcite(net: Net, x: Feature, name: string, width: number): Feature {
  const inner = net.relu(net.conv(net.globalAveragePool(x, `${name}.pool`), `${name}.fc1`, width), `${name}.relu`)
  const gate = net.hardSigmoid(net.conv(inner, `${name}.fc2`, x.dims[0] ?? 1), `${name}.gate`)
  return net.scale(x, gate, `${name}.scale`)
}

/** Expansion, channels, repeats and first stride (Sandler et al. 2018, table 2). */
const v2Stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const

export const mobilenetV2 =
  (skipped = 0) =>
  (plan: Plan): Graph => {
    const at = strides(skipped)
    const net = new Net(plan.name, plan.input, schemes.heFanOut, plan.seed)
    const activation = 'relu6'
    const wide = (channels: number) => makeDivisible(channels * plan.width)
    let x = unit(net, net.input, 'stem', wide(32), { kernel: 3, stride: at(2), activation })
    let index = 0
    for (const [expansion, channels, repeats, first] of v2Stages) {
      for (let i = 0; i < repeats; i++) {
        const expanded = (x.dims[0] ?? 1) * expansion
        const stride = at(i === 0 ? first : 1)
        x = invertedResidual(net, x, `blocks.${index++}`, {
          kernel: 3,
          expanded,
          channels: wide(channels),
          stride,
          activation,
        })
      }
    }
    x = unit(net, x, 'head', makeDivisible(1280 * Math.max(1, plan.width)), { activation })
    return net.finish(net.linear(net.dropout(pooled(net, x), 'dropout', 0.2), 'fc', plan.classes, 'logits'))
  }

type V3Row = readonly [k: number, expanded: number, channels: number, se: 0 | 1, act: 'R' | 'H', stride: number]

/** Howard et al. 2019, arXiv:1905.02244, tables 1 and 2. */
const v3Large: readonly V3Row[] = [
  [3, 16, 16, 0, 'R', 1],
  [3, 64, 24, 0, 'R', 2],
  [3, 72, 24, 0, 'R', 1],
  [5, 72, 40, 1, 'R', 2],
  [5, 120, 40, 1, 'R', 1],
  [5, 120, 40, 1, 'R', 1],
  [3, 240, 80, 0, 'H', 2],
  [3, 200, 80, 0, 'H', 1],
  [3, 184, 80, 0, 'H', 1],
  [3, 184, 80, 0, 'H', 1],
  [3, 480, 112, 1, 'H', 1],
  [3, 672, 112, 1, 'H', 1],
  [5, 672, 160, 1, 'H', 2],
  [5, 960, 160, 1, 'H', 1],
  [5, 960, 160, 1, 'H', 1],
]
const v3Small: readonly V3Row[] = [
  [3, 16, 16, 1, 'R', 2],
  [3, 72, 24, 0, 'R', 2],
  [3, 88, 24, 0, 'R', 1],
  [5, 96, 40, 1, 'H', 2],
  [5, 240, 40, 1, 'H', 1],
  [5, 240, 40, 1, 'H', 1],
  [5, 120, 48, 1, 'H', 1],
  [5, 144, 48, 1, 'H', 1],
  [5, 288, 96, 1, 'H', 2],
  [5, 576, 96, 1, 'H', 1],
  [5, 576, 96, 1, 'H', 1],
]

const mobilenetV3 =
  (rows: readonly V3Row[], hidden: number) =>
  (skipped = 0) =>
  (plan: Plan): Graph => {
    const at = strides(skipped)
    const net = new Net(plan.name, plan.input, schemes.heFanOut, plan.seed)
    const wide = (channels: number) => makeDivisible(channels * plan.width)
    const epsilon = 1e-3
    let x = unit(net, net.input, 'stem', wide(16), { kernel: 3, stride: at(2), activation: 'hardSwish', epsilon })
    rows.forEach(([kernel, expansion, channels, se, act, stride], i) => {
      const expanded = wide(expansion)
      const squeeze = se ? makeDivisible(expanded / 4) : undefined
      const activation = act === 'H' ? 'hardSwish' : 'relu'
      const block = {
        kernel,
        expanded,
        channels: wide(channels),
        stride: at(stride),
        activation,
        squeeze,
        epsilon,
      } as const
      x = invertedResidual(net, x, `blocks.${i}`, block)
    })
    x = unit(net, x, 'head', 6 * (x.dims[0] ?? 1), { activation: 'hardSwish', epsilon })
    x = net.hardSwish(net.linear(pooled(net, x), 'fc1', scaled(hidden, plan.width)), 'act')
    return net.finish(net.linear(net.dropout(x, 'dropout', 0.2), 'fc2', plan.classes, 'logits'))
  }

export const mobilenetV3Large = mobilenetV3(v3Large, 1280)
export const mobilenetV3Small = mobilenetV3(v3Small, 1024)

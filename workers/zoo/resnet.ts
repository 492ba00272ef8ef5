import type { Graph } from '../graph/graph.ts'
import { schemes } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { scaled, widthAt, type Plan } from './plan.ts'

/** One residual block: the channels inside it, those that leave it, and the stride of its entrance. */
interface Block {
  readonly name: string
  readonly inner: number
  readonly channels: number
  readonly stride: number
}

/** The blocks of all stages, names `layer1.0`, `layer1.1`, …; inner widths come from the plan. */
function blocksOf(plan: Plan, counts: readonly number[], channels: readonly number[]): readonly Block[] {
  let index = 0
  return counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i) => ({
      name: `layer${stage + 1}.${i}`,
      inner: widthAt(plan, index++),
      channels: scaled(channels[stage] ?? 1, plan.width),
      stride: stage > 0 && i === 0 ? 2 : 1,
    })),
  )
}

/** The skip connection's way from `x` to `channels` planes at a stride. */
type Shortcut = (net: Net, x: Feature, block: Block) => Feature

const projection =
  (suffix: string): Shortcut =>
  (net, x, { name, channels, stride }) => {
    if (stride === 1 && x.dims[0] === channels) return x
    const conv = net.conv(x, `${name}.${suffix}.0`, channels, { stride, bias: false })
    return net.batchNorm(conv, `${name}.${suffix}.1`)
  }

const shortcuts: Readonly<Record<'A' | 'B', Shortcut>> = {
  /** Every second pixel, then zero channels: no parameters (He et al. 2016, arXiv:1512.03385, section 4.2). */
  A: (net, x, { name, channels, stride }) => {
    if (stride === 1 && x.dims[0] === channels) return x
    const sampled = stride === 1 ? x : net.averagePool(x, `${name}.shortcut.pool`, { kernel: 1, stride })
    return net.padChannels(sampled, `${name}.shortcut`, channels)
  },
  B: projection('shortcut'),
}

/** Two 3×3 convolutions (He et al. 2016, figure 5 left). */
function basicBlock(net: Net, x: Feature, block: Block, shortcut: Shortcut): Feature {
  const { name, inner, channels, stride } = block
  let y = net.conv(x, `${name}.conv1`, inner, { kernel: 3, stride, bias: false })
  y = net.relu(net.batchNorm(y, `${name}.bn1`), `${name}.relu1`)
  y = net.conv(y, `${name}.conv2`, channels, { kernel: 3, bias: false })
  y = net.batchNorm(y, `${name}.bn2`)
  return net.relu(net.add(y, shortcut(net, x, block), `${name}.add`), `${name}.relu2`)
}

/** 1×1, 3×3, 1×1 (figure 5 right), with the stride on the 3×3 as torchvision has it. */
function bottleneck(net: Net, x: Feature, block: Block, shortcut: Shortcut): Feature {
  const { name, inner, channels, stride } = block
  let y = net.conv(x, `${name}.conv1`, inner, { bias: false })
  y = net.relu(net.batchNorm(y, `${name}.bn1`), `${name}.relu1`)
  y = net.conv(y, `${name}.conv2`, inner, { kernel: 3, stride, bias: false })
  y = net.relu(net.batchNorm(y, `${name}.bn2`), `${name}.relu2`)
  y = net.batchNorm(net.conv(y, `${name}.conv3`, channels, { bias: false }), `${name}.bn3`)
  return net.relu(net.add(y, shortcut(net, x, block), `${name}.add`), `${name}.relu3`)
}

function head(net: Net, x: Feature, name: string, classes: number): Graph {
  const pooled = net.flatten(net.globalAveragePool(x, 'avgpool'), 'flatten')
  return net.finish(net.linear(pooled, name, classes, 'logits'))
}

/** The CIFAR ResNet of 6n + 2 layers: three stages of n basic blocks with 16, 32 and 64 channels. */
export const resnetCifar =
  (n: number) =>
  (plan: Plan): Graph => {
    const net = new Net(plan.name, plan.input, schemes.resnetCifar, plan.seed)
    const stem = net.conv(net.input, 'conv1', scaled(16, plan.width), { kernel: 3, bias: false })
    let x = net.relu(net.batchNorm(stem, 'bn1'), 'relu')
    for (const block of blocksOf(plan, [n, n, n], [16, 32, 64])) {
      x = basicBlock(net, x, block, shortcuts[plan.shortcut])
    }
    return head(net, x, 'linear', plan.classes)
  }

/** The inner widths of a CIFAR ResNet's blocks. */
export const resnetCifarWidths = (n: number): readonly number[] =>
  [16, 32, 64].flatMap((channels) => Array.from({ length: n }, () => channels))

/** torchvision's ResNets for 224² images. */
function resnet(plan: Plan, counts: readonly number[], channels: readonly number[], block: typeof basicBlock): Graph {
  const net = new Net(plan.name, plan.input, schemes.resnet, plan.seed)
  const stem = net.conv(net.input, 'conv1', scaled(64, plan.width), { kernel: 7, stride: 2, bias: false })
  let x = net.relu(net.batchNorm(stem, 'bn1'), 'relu')
  x = net.maxPool(x, 'maxpool', { kernel: 3, stride: 2, pad: 1 })
  for (const each of blocksOf(plan, counts, channels)) x = block(net, x, each, projection('downsample'))
  return head(net, x, 'fc', plan.classes)
}

export const resnet18 = (plan: Plan): Graph => resnet(plan, [2, 2, 2, 2], [64, 128, 256, 512], basicBlock)
export const resnet50 = (plan: Plan): Graph => resnet(plan, [3, 4, 6, 3], [256, 512, 1024, 2048], bottleneck)

/** The inner widths of the blocks, by stage. */
export const resnetWidths = (counts: readonly number[]): readonly number[] =>
  counts.flatMap((count, stage) => Array.from({ length: count }, () => 64 * 2 ** stage))

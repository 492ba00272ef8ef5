import type { Graph } from '../graph/graph.ts'
import { schemes } from './init.ts'
import { mlp, tutorialNet } from './lenet.ts'
import { Net } from './layers.ts'
import { widthAt, type Plan } from './plan.ts'
import { resnetCifar, resnetCifarWidths } from './resnet.ts'
import { tableOf } from './zoo.ts'

/** Five depthwise-separable blocks (3×3 depthwise, then 1×1), after MobileNet V1. */
function mobile(plan: Plan): Graph {
  const net = new Net(plan.name, plan.input, schemes.torch, plan.seed)
  let x = net.conv(net.input, 'conv1', widthAt(plan, 0), { kernel: 3, bias: false })
  x = net.relu(net.batchNorm(x, 'bn1'), 'relu')
  ;[1, 2, 1, 2, 1].forEach((stride, i) => {
    const name = `block${i + 1}`
    const group = x.dims[0] ?? 1
    x = net.conv(x, `${name}.conv1`, group, { kernel: 3, stride, group, bias: false })
    x = net.relu(net.batchNorm(x, `${name}.bn1`), `${name}.relu1`)
    x = net.conv(x, `${name}.conv2`, widthAt(plan, i + 1), { bias: false })
    x = net.relu(net.batchNorm(x, `${name}.bn2`), `${name}.relu2`)
  })
  const pooled = net.flatten(net.globalAveragePool(x, 'avgpool'), 'flatten')
  return net.finish(net.linear(pooled, 'fc', plan.classes, 'logits'))
}

const cifar = { input: [3, 32, 32], classes: 10 } as const

/** The nets that the benchmark trains side by side with PyTorch. They are not part of the zoo. */
export const benchmarkNets = tableOf({
  'bench-light': {
    ...cifar,
    title: 'light: two convolutions, two fully connected layers',
    source: "LightNN of PyTorch's knowledge distillation tutorial",
    params: 267_738,
    macs: 1_296_896,
    widths: [16, 16, 256],
    architecture: tutorialNet([0, 1]),
  },
  'bench-deep': {
    ...cifar,
    title: 'deep: four convolutions, two fully connected layers',
    source: "DeepNN of PyTorch's knowledge distillation tutorial",
    params: 1_186_986,
    macs: 94_245_888,
    widths: [128, 64, 64, 32, 512],
    architecture: tutorialNet([1, 3]),
  },
  'bench-resnet20': {
    ...cifar,
    title: 'resnet20: projection shortcuts',
    source: 'He et al. 2016, arXiv:1512.03385, option B',
    params: 272_474,
    macs: 40_813_184,
    widths: resnetCifarWidths(3),
    architecture: (plan) => resnetCifar(3)({ ...plan, shortcut: 'B' }),
  },
  'bench-mobile': {
    ...cifar,
    title: 'mobile: five depthwise-separable blocks',
    source: 'after Howard et al. 2017, arXiv:1704.04861',
    params: 136_778,
    macs: 16_525_824,
    widths: [32, 64, 128, 128, 256, 256],
    architecture: mobile,
  },
  'bench-mlp': {
    input: [1, 28, 28],
    classes: 10,
    title: 'mlp: 784-300-100-10',
    source: 'LeCun et al. 1998',
    params: 266_610,
    macs: 266_200,
    widths: [300, 100],
    architecture: mlp,
  },
})

export type BenchmarkId = keyof typeof benchmarkNets

import type { Graph } from '../graph/graph.ts'
import { schemes, type Scheme } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { sequence } from './lenet.ts'
import { widthAt, type Plan } from './plan.ts'

/** Convolutions per stage of configurations D and E (Simonyan and Zisserman 2015, arXiv:1409.1556, table 1). */
export const vggStages = { 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4] } as const

/** The channels of a VGG's convolutions: 64, 128, 256, 512 and 512 by stage. */
export const vggWidths = (stages: readonly number[]): readonly number[] =>
  stages.flatMap((count, stage) => Array.from({ length: count }, () => Math.min(64 * 2 ** stage, 512)))

/** The convolutions of a VGG, a pooling behind each stage but, where `lastPool` is false, the last. */
function features(net: Net, stages: readonly number[], plan: Plan, bn: boolean, lastPool = true): Feature {
  const name = sequence('features')
  let x: Feature = net.input
  let conv = 0
  stages.forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      x = net.conv(x, name(), widthAt(plan, conv++), { kernel: 3, bias: !bn })
      if (bn) x = net.batchNorm(x, name())
      x = net.relu(x, name())
    }
    if (lastPool || stage + 1 < stages.length) x = net.maxPool(x, name(), { kernel: 2 })
  })
  return x
}

/** torchvision's VGG without batch normalization: two hidden layers with Dropout 0.5. */
export function vgg16(plan: Plan): Graph {
  const net = new Net(plan.name, plan.input, schemes.heFanOut, plan.seed)
  return classifier(net, features(net, vggStages[16], plan, false), plan)
}

function classifier(net: Net, x: Feature, plan: Plan): Graph {
  const name = sequence('classifier')
  let y = net.flatten(x, 'flatten')
  for (const width of plan.widths.slice(-2)) {
    y = net.relu(net.linear(y, name(), width), name())
    y = net.dropout(y, name(), 0.5)
  }
  return net.finish(net.linear(y, name(), plan.classes, 'logits'))
}

/** VGG-16 for CIFAR as Li et al. 2017 (arXiv:1608.08710) prune it: batch-normalized, one hidden layer of 512. */
export function vgg16Cifar(plan: Plan): Graph {
  const net = cifarNet(plan, schemes.heFanOut)
  const x = net.flatten(features(net, vggStages[16], plan, true), 'flatten')
  const hidden = net.relu(net.linear(x, 'classifier.0', widthAt(plan, plan.widths.length - 1)), 'classifier.1')
  return net.finish(net.linear(hidden, 'classifier.2', plan.classes, 'logits'))
}

/** VGG-19 for CIFAR as in Network Slimming (Liu et al. 2017, arXiv:1708.06519): one classifier behind a mean. */
export function vgg19Cifar(plan: Plan): Graph {
  const net = cifarNet(plan, schemes.slimming)
  const x = net.globalAveragePool(features(net, vggStages[19], plan, true, false), 'avgpool')
  return net.finish(net.linear(net.flatten(x, 'flatten'), 'classifier', plan.classes, 'logits'))
}

const cifarNet = (plan: Plan, scheme: Scheme) => new Net(plan.name, plan.input, scheme, plan.seed)

/**
 * AlexNet as torchvision has it (Krizhevsky 2014, arXiv:1404.5997). Its adaptive pooling to 6×6 changes nothing at
 * 224², so it is left out; the first hidden layer takes whatever plane is left at other sizes.
 */
export function alexnet(plan: Plan): Graph {
  const net = new Net(plan.name, plan.input, schemes.torch, plan.seed)
  const pool = { kernel: 3, stride: 2 }
  let x = net.conv(net.input, 'features.0', widthAt(plan, 0), { kernel: 11, stride: 4, pad: 2 })
  x = net.maxPool(net.relu(x, 'features.1'), 'features.2', pool)
  x = net.maxPool(
    net.relu(net.conv(x, 'features.3', widthAt(plan, 1), { kernel: 5 }), 'features.4'),
    'features.5',
    pool,
  )
  x = net.relu(net.conv(x, 'features.6', widthAt(plan, 2), { kernel: 3 }), 'features.7')
  x = net.relu(net.conv(x, 'features.8', widthAt(plan, 3), { kernel: 3 }), 'features.9')
  x = net.relu(net.conv(x, 'features.10', widthAt(plan, 4), { kernel: 3 }), 'features.11')
  x = net.flatten(net.maxPool(x, 'features.12', pool), 'flatten')
  x = net.relu(net.linear(net.dropout(x, 'classifier.0', 0.5), 'classifier.1', widthAt(plan, 5)), 'classifier.2')
  x = net.relu(net.linear(net.dropout(x, 'classifier.3', 0.5), 'classifier.4', widthAt(plan, 6)), 'classifier.5')
  return net.finish(net.linear(x, 'classifier.6', plan.classes, 'logits'))
}

import type { Graph } from '../graph/graph.ts'
import { schemes } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { widthAt, type Plan } from './plan.ts'

/** Fully connected layers with ReLUs between them. */
export function mlp(plan: Plan): Graph {
  const net = new Net(plan.name, plan.input, schemes.caffe, plan.seed)
  let x = net.flatten(net.input, 'flatten')
  plan.widths.forEach((width, i) => {
    x = net.relu(net.linear(x, `ip${i + 1}`, width), `relu${i + 1}`)
  })
  return net.finish(net.linear(x, `ip${plan.widths.length + 1}`, plan.classes, 'logits'))
}

/** Caffe's LeNet (`examples/mnist/lenet.prototxt`): no activation behind the convolutions, one ReLU behind `ip1`. */
export function lenet5(plan: Plan): Graph {
  const net = new Net(plan.name, plan.input, schemes.caffe, plan.seed)
  let x = net.conv(net.input, 'conv1', widthAt(plan, 0), { kernel: 5, pad: 0 })
  x = net.maxPool(x, 'pool1', { kernel: 2 })
  x = net.conv(x, 'conv2', widthAt(plan, 1), { kernel: 5, pad: 0 })
  x = net.maxPool(x, 'pool2', { kernel: 2 })
  x = net.relu(net.linear(net.flatten(x, 'flatten'), 'ip1', widthAt(plan, 2)), 'relu1')
  return net.finish(net.linear(x, 'ip2', plan.classes, 'logits'))
}

/** Numbers the layers of a `torch.nn.Sequential`: `features.0`, `features.1`, … */
export function sequence(prefix: string): () => string {
  let index = 0
  return () => `${prefix}.${index++}`
}

/**
 * DeepNN and LightNN of PyTorch's knowledge distillation tutorial: 3×3 convolutions with ReLUs, a pooling behind those
 * whose index is in `pools`, and a hidden layer with Dropout 0.1.
 */
export const tutorialNet =
  (pools: readonly number[]) =>
  (plan: Plan): Graph => {
    const net = new Net(plan.name, plan.input, schemes.torch, plan.seed)
    const features = sequence('features')
    let x: Feature = net.input
    plan.widths.slice(0, -1).forEach((width, i) => {
      x = net.relu(net.conv(x, features(), width, { kernel: 3 }), features())
      if (pools.includes(i)) x = net.maxPool(x, features(), { kernel: 2 })
    })
    const classifier = sequence('classifier')
    x = net.linear(net.flatten(x, 'flatten'), classifier(), widthAt(plan, plan.widths.length - 1))
    x = net.dropout(net.relu(x, classifier()), classifier(), 0.1)
    return net.finish(net.linear(x, classifier(), plan.classes, 'logits'))
  }

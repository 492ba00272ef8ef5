import type { Graph } from '../graph/graph.ts'
import { normalOf, schemes } from './init.ts'
import { Net, type Feature } from './layers.ts'
import { scaled, type Plan } from './plan.ts'

/** Squeeze to few channels, then widen by 1×1 and 3×3 convolutions side by side (Iandola et al. 2016, fig. 1). */
function fire(net: Net, x: Feature, name: string, squeeze: number, expand: number): Feature {
  const s = net.relu(net.conv(x, `${name}.squeeze`, squeeze), `${name}.squeeze.relu`)
  const ways = [1, 3].map((kernel) => {
    const expanded = `${name}.expand${kernel}x${kernel}`
    return net.relu(net.conv(s, expanded, expand, { kernel }), `${expanded}.relu`)
  })
  return net.concat(ways, `${name}.concat`)
}

/** Squeezed channels of fire modules 2 to 9; each way of a module expands to four times as many. */
const squeezes = [16, 16, 32, 32, 48, 48, 64, 64]

/** `pools` are the fire modules behind which a pooling stands, beside the one behind the first convolution. */
const squeezenet =
  (
    stem: { readonly channels: number; readonly kernel: number; readonly isSmall?: boolean },
    pools: readonly number[],
  ) =>
  (plan: Plan): Graph => {
    const net = new Net(plan.name, plan.input, schemes.squeezenet, plan.seed)
    const pool = { kernel: 3, stride: 2, ceil: true }
    const { channels, kernel, isSmall } = stem
    // Small images keep their size in front: no stride, no pooling.
    const first = isSmall ? { kernel } : { kernel, stride: 2, pad: 0 }
    let x = net.relu(net.conv(net.input, 'conv1', scaled(channels, plan.width), first), 'relu1')
    if (!isSmall) x = net.maxPool(x, 'pool1', pool)
    squeezes.forEach((squeeze, i) => {
      const index = i + 2
      x = fire(net, x, `fire${index}`, scaled(squeeze, plan.width), scaled(4 * squeeze, plan.width))
      if (pools.includes(index)) x = net.maxPool(x, `pool${index}`, pool)
    })
    x = net.dropout(x, 'dropout', 0.5)
    x = net.relu(net.conv(x, 'conv10', plan.classes, { init: normalOf(0.01) }), 'relu10')
    return net.finish(net.flatten(net.globalAveragePool(x, 'avgpool'), 'flatten', 'logits'))
  }

export const squeezenet10 = squeezenet({ channels: 96, kernel: 7 }, [4, 8])
export const squeezenet11 = squeezenet({ channels: 64, kernel: 3 }, [3, 5])
export const squeezenetCifar = squeezenet({ channels: 64, kernel: 3, isSmall: true }, [3, 5])

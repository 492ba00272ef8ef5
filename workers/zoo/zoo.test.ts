import { describe, expect, test } from 'vitest'
import * as ort from 'onnxruntime-node'
import { numbersOf, sizeOf } from '../graph/tensor.ts'
import { modelOf, type Graph } from '../graph/graph.ts'
import { verify } from '../graph/verify.ts'
import { encodeModel } from '../onnx/index.ts'
import { costOf } from '../ops/cost.ts'
import { benchmarkNets, buildZoo, zoo, type ZooEntry, type ZooId, type ZooOptions } from './index.ts'

const count = (graph: Graph) => {
  const { params, macs } = costOf(graph, { N: 1 })
  return { params, macs }
}
const countOf = (id: ZooId, options: ZooOptions = {}) => count(zoo[id].build(options))
const entries: readonly ZooEntry[] = [...Object.values(zoo), ...Object.values(benchmarkNets)]

/** What is left of each block's inner width: the given fraction of every stage, but for the skipped convolutions. */
const li56 = (keep: readonly number[], skipped: readonly number[]) =>
  zoo['resnet-56'].widths.map((width, block) =>
    skipped.includes(2 * block + 2) ? width : Math.floor(width * (keep[Math.floor(block / 9)] ?? 1)),
  )

describe('parameters and multiply-accumulates', () => {
  test.each(entries.map((entry) => [entry.id, entry] as const))('%s costs what its entry says', (_, entry) => {
    expect(count(entry.build())).toEqual({ params: entry.params, macs: entry.macs })
  })

  test('projection shortcuts cost what they cost', () => {
    expect(countOf('resnet-20', { shortcut: 'B' })).toEqual({ params: 272_474, macs: 40_813_184 })
  })

  test("Li et al.'s pruned VGG-16 and ResNet-56 (arXiv:1608.08710, table 1)", () => {
    const vgg = [32, 64, 128, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256, 512]
    expect(countOf('vgg-16-cifar', { widths: vgg })).toEqual({ params: 5_396_010, macs: 206_279_680 })
    const a = li56([0.9, 0.9, 0.9], [16, 20, 38, 54])
    expect(countOf('resnet-56', { widths: a })).toEqual({ params: 773_336, macs: 112_435_840 })
    const b = li56([0.4, 0.7, 0.9], [16, 18, 20, 34, 38, 54])
    expect(countOf('resnet-56', { widths: b })).toEqual({ params: 735_712, macs: 90_907_264 })
  })

  // Table 1 of the paper counts everything but the classifier: 143, 140, 137, 133 and 137 million.
  test.each([
    ['shufflenet-v1-g1', 576, 143],
    ['shufflenet-v1-g2', 800, 140],
    ['shufflenet-v1', 960, 137],
    ['shufflenet-v1-g4', 1088, 133],
    ['shufflenet-v1-g8', 1536, 137],
  ] as const)('%s has the complexity of Zhang et al., table 1', (id, channels, millions) => {
    expect(Math.round(((countOf(id).macs ?? NaN) - 1000 * channels) / 1e6)).toBe(millions)
  })

  test.each([
    ['squeezenet-cifar', 'squeezenet-1.1'],
    ['mobilenet-v1-cifar', 'mobilenet-v1'],
    ['mobilenet-v2-cifar', 'mobilenet-v2'],
    ['mobilenet-v3-large-cifar', 'mobilenet-v3-large'],
    ['mobilenet-v3-small-cifar', 'mobilenet-v3-small'],
    ['shufflenet-v1-cifar', 'shufflenet-v1'],
    ['shufflenet-v2-cifar', 'shufflenet-v2'],
  ] as const)('%s has the weights of %s for ten classes', (id, large) => {
    expect(countOf(id).params).toBe(countOf(large, { classes: 10 }).params)
  })

  // The literature gives multiply-accumulates rounded, so they are compared as it prints them.
  test.each<[ZooId, ZooOptions, number, string]>([
    ['lenet-300-100', {}, 266_610, '0.3'],
    ['lenet-5', {}, 431_080, '2.3'],
    ['deepnn', {}, 1_186_986, '94.2'],
    ['lightnn', {}, 267_738, '1.3'],
    ['resnet-56', {}, 853_018, '125.5'],
    ['vgg-16-cifar', {}, 14_986_698, '313.5'],
    ['vgg-19-cifar', {}, 20_035_018, '398.1'],
    ['resnet-20', {}, 269_722, '40.6'],
    ['alexnet', {}, 61_100_840, '714.2'],
    ['vgg-16', {}, 138_357_544, '15470.3'],
    ['resnet-50', {}, 25_557_032, '4089.2'],
    ['squeezenet-1.0', {}, 1_248_424, '818.9'],
    ['squeezenet-1.1', {}, 1_235_496, '349.2'],
    ['mobilenet-v1', {}, 4_231_976, '568.7'],
    ['mobilenet-v2', {}, 3_504_872, '300.8'],
    ['mobilenet-v3-large', {}, 5_483_032, '216.6'],
    ['mobilenet-v3-small', {}, 2_542_856, '56.5'],
    ['shufflenet-v1', {}, 1_864_728, '137.5'],
    ['shufflenet-v2', { width: 0.5 }, 1_366_792, '40.5'],
    ['shufflenet-v2', {}, 2_278_604, '144.9'],
    ['shufflenet-v2', { width: 1.5 }, 3_503_624, '295.8'],
    ['shufflenet-v2', { width: 2 }, 7_393_996, '583.3'],
  ])('%s %o has the numbers of the literature', (id, options, params, millions) => {
    const found = countOf(id, options)
    expect(found.params).toBe(params)
    expect(((found.macs ?? NaN) / 1e6).toFixed(1)).toBe(millions)
  })
})

/** A size at which every stage of a net still has a pixel, so that the big ones run quickly. */
const smallDims = (entry: ZooEntry) => (entry.input[1] === 224 ? [3, 64, 64] : entry.input)
const tooBig: readonly string[] = ['vgg-16', 'alexnet'] satisfies ZooId[]

describe('graphs', () => {
  test.each(entries.map((entry) => [entry.id, entry] as const))(
    '%s is valid and runs in onnxruntime',
    async (id, entry) => {
      const inputDims = smallDims(entry)
      // A quarter of the width keeps hundreds of megabytes of fully connected weights away.
      const graph = entry.build({ inputDims, ...(tooBig.includes(id) ? { width: 0.25 } : {}) })
      verify(graph)
      const session = await ort.InferenceSession.create(encodeModel(modelOf(graph)))
      const pixels = new Float32Array(2 * sizeOf(inputDims)).map((_, i) => Math.sin(i))
      const { logits } = await session.run({ input: new ort.Tensor('float32', pixels, [2, ...inputDims]) })
      expect(logits?.dims).toEqual([2, entry.classes])
      const values = Array.from(logits?.data as Float32Array)
      expect(values.every(Number.isFinite)).toBe(true)
      expect(new Set(values).size).toBeGreaterThan(1)
      await session.release()
    },
  )

  test('the residual block reads like the paper', () => {
    const nodes = zoo['resnet-20'].build().nodes.filter((node) => node.name.startsWith('layer2.0'))
    expect(nodes.map((node) => `${node.outputs[0]} = ${node.op}(${node.inputs.join(', ')})`)).toMatchInlineSnapshot(`
      [
        "layer2.0.conv1 = Conv(layer1.2.relu2, layer2.0.conv1.weight)",
        "layer2.0.bn1 = BatchNormalization(layer2.0.conv1, layer2.0.bn1.weight, layer2.0.bn1.bias, layer2.0.bn1.running_mean, layer2.0.bn1.running_var)",
        "layer2.0.relu1 = Relu(layer2.0.bn1)",
        "layer2.0.conv2 = Conv(layer2.0.relu1, layer2.0.conv2.weight)",
        "layer2.0.bn2 = BatchNormalization(layer2.0.conv2, layer2.0.bn2.weight, layer2.0.bn2.bias, layer2.0.bn2.running_mean, layer2.0.bn2.running_var)",
        "layer2.0.shortcut.pool = AveragePool(layer1.2.relu2)",
        "layer2.0.shortcut = Pad(layer2.0.shortcut.pool, layer2.0.shortcut.pads)",
        "layer2.0.add = Add(layer2.0.bn2, layer2.0.shortcut)",
        "layer2.0.relu2 = Relu(layer2.0.add)",
      ]
    `)
  })
})

describe('initial weights', () => {
  const weights = (graph: Graph, name: string) => {
    const tensor = graph.initializers.get(name)
    if (!tensor) throw new Error(`no ${name}`)
    return numbersOf(tensor)
  }
  const deviation = (values: readonly number[]) => Math.sqrt(values.reduce((n, v) => n + v * v, 0) / values.length)

  test('come from the seed, tensor by tensor', () => {
    const first = zoo['lenet-5'].build({ seed: 1 })
    const again = zoo['lenet-5'].build({ seed: 1 })
    const wider = zoo['lenet-5'].build({ seed: 1, widths: [20, 60, 500] })
    const other = zoo['lenet-5'].build({ seed: 2 })
    expect(weights(again, 'conv2.weight')).toEqual(weights(first, 'conv2.weight'))
    expect(weights(wider, 'conv1.weight')).toEqual(weights(first, 'conv1.weight'))
    expect(weights(other, 'conv1.weight')).not.toEqual(weights(first, 'conv1.weight'))
  })

  test.each([
    ['resnet-20', 'layer3.1.conv2.weight', Math.sqrt(2 / (64 * 9))],
    ['resnet-50', 'layer1.0.conv2.weight', Math.sqrt(2 / (64 * 9))],
    ['vgg-16', 'features.5.weight', Math.sqrt(2 / (128 * 9))],
    ['lightnn', 'classifier.0.weight', 1 / Math.sqrt(3 * 1024)],
    ['lenet-5', 'ip1.weight', 1 / Math.sqrt(800)],
    ['squeezenet-1.1', 'fire4.expand3x3.weight', Math.sqrt(2 / (32 * 9))],
    ['alexnet', 'features.3.weight', 1 / Math.sqrt(3 * 64 * 25)],
    ['shufflenet-v1', 'stage3.1.conv1.weight', 1 / (480 / 3)],
  ] as const)("%s: %s has its paper's deviation", (id, name, expected) => {
    const found = deviation(weights(zoo[id].build(), name))
    expect(Math.abs(found / expected - 1)).toBeLessThan(0.05)
  })

  test('a copy of a tensor sees the same bytes', () => {
    const tensor = zoo.lightnn.build().initializers.get('features.0.weight')
    expect({ ...tensor }.bytes).toEqual(tensor?.bytes)
    expect(structuredClone(tensor)?.bytes).toEqual(tensor?.bytes)
  })

  test('batch normalization starts as the identity, and at half in Network Slimming', () => {
    const graph = zoo['vgg-19-cifar'].build()
    expect(new Set(weights(graph, 'features.1.weight'))).toEqual(new Set([0.5]))
    expect(new Set(weights(graph, 'features.1.running_var'))).toEqual(new Set([1]))
    expect(new Set(weights(graph, 'features.1.running_mean'))).toEqual(new Set([0]))
    expect(new Set(weights(zoo['resnet-18'].build(), 'bn1.weight'))).toEqual(new Set([1]))
  })
})

describe('options', () => {
  test('classes, input size and width change the graph', () => {
    const graph = zoo['lenet-5'].build({ classes: 7, inputDims: [3, 20, 20], width: 0.5 })
    expect(graph.type('logits')).toMatchObject({ shape: ['N', 7] })
    expect(graph.initializers.get('conv1.weight')?.dims).toEqual([10, 3, 5, 5])
    expect(graph.initializers.get('ip1.weight')?.dims).toEqual([250, 25 * 2 * 2])
  })

  test.each([
    ['lenet-5', { shortcut: 'A' }, 'one of: seed, classes, inputDims, width, widths'],
    ['lenet-5', { widths: [1, 2] }, '3 channel counts of at least 1'],
    ['mobilenet-v2', { widths: [1] }, 'one of: seed, classes, inputDims, width'],
    ['lenet-5', { classes: 0 }, 'a whole number of at least 1'],
    ['lenet-5', { width: -1 }, 'a positive factor'],
    ['lenet-5', { inputDims: [28, 28] }, 'three sizes: C, H, W'],
    ['lenet-5', { inputDims: [1, 6, 6] }, 'an image that leaves at least one pixel'],
  ] as const)('%s refuses %o', (id, options, expected) => {
    expect(() => zoo[id].build(options)).toThrow(expect.objectContaining({ code: 'zoo.option', expected }))
  })

  test('a model names the net it is and its seed', () => {
    expect(Object.fromEntries(buildZoo('lightnn', { seed: 3 }).metadata)).toEqual({
      'alambic.zoo': 'lightnn',
      'alambic.zoo.seed': '3',
    })
  })
})

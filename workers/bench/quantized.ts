import { baseNets, baseSizes, onBase, tuning, type BaseNet } from './bases.ts'
import { cellTopic } from './cells.ts'
import { numberIn } from './recipes.ts'

/** `tune` are the epochs of training with rounding, `iterations` the steps that each layer's rounding is learned in. */
const sizes = { ...baseSizes, tune: 5, iterations: 3000 }
type Sizes = typeof sizes

const trained = (net: BaseNet, of: Sizes) => ({
  ...tuning(net, of),
  epochs: of.tune,
  lr: 1e-3,
})
// What accuracy and speed are is measured by the run itself.
const plain = { diagnose: false, portability: false }
const w4 = { weightBits: 4, ...plain }
const blocks = { step: 'quantize', mode: 'weights', bits: 4, convolutions: true, diagnose: false }

/** Steps by name; int8 kernels but for the last two, which keep activations in float. */
const ways: Readonly<Record<string, (net: BaseNet, of: Sizes) => readonly object[]>> = {
  float: () => [],
  int8: () => [{ step: 'quantize', ...plain }],
  'int8 per tensor': () => [{ step: 'quantize', perChannel: false, ...plain }],
  'w4 nearest': () => [{ step: 'quantize', ...w4 }],
  'w4 gptq': () => [{ step: 'quantize', rounding: 'gptq', ...w4 }],
  'w4 adaround': (_net, { iterations }) => [{ step: 'adaround', iterations, ...w4 }],
  'w4 qat': (net, of) => [{ step: 'qat', weightBits: 4, ...trained(net, of) }],
  'w4 lsq': (net, of) => [{ step: 'qat', scales: 'learn', weightBits: 4, ...trained(net, of) }],
  'w4 lsq from float': (net, of) => [
    { step: 'qat', scales: 'learn', teacher: 'float', weightBits: 4, ...trained(net, of) },
  ],
  'w4 per tensor nearest': () => [{ step: 'quantize', perChannel: false, ...w4 }],
  'w4 per tensor lsq': (net, of) => [
    { step: 'qat', scales: 'learn', perChannel: false, weightBits: 4, ...trained(net, of) },
  ],
  'w2 nearest': () => [{ step: 'quantize', ...plain, weightBits: 2 }],
  'w2 lsq': (net, of) => [{ step: 'qat', scales: 'learn', weightBits: 2, ...trained(net, of) }],
  'blocks nearest': () => [{ ...blocks, method: 'rtn' }],
  'blocks gptq': () => [{ ...blocks, method: 'gptq' }],
}

const cases = Object.fromEntries(
  baseNets.flatMap((net) => Object.entries(ways).map(([way, steps]) => [`${net}/${way}`, { net, steps }])),
)

/**
 * Accuracy of nets that were trained here, in fewer bits and by every way to get there, over seeds.
 * `npm run bench -- quantized --only lenet-5 --seed 1 lenetEpochs=2 limit=5000` is a short slice.
 */
export const benchmarkQuantized = cellTopic({
  name: 'quantized',
  methods: Object.keys(cases),
  seeds: [1, 2, 3],
  sizes,
  columns: [
    { title: 'float, %', of: 'before' },
    { title: 'quantized, %', of: 'after' },
    { title: 'difference, pp', of: 'change' },
    { title: 'file, %', of: 'bytes' },
  ],
  make: async (method, maker) => {
    const { net, steps } = cases[method] as (typeof cases)[string]
    const { before, after } = await onBase(net, steps(net, maker.sizes), maker)
    const accuracies = [before, after].map((report) => numberIn(report, 'accuracy')) as [number, number]
    return {
      before: accuracies[0],
      after: accuracies[1],
      change: accuracies[1] - accuracies[0],
      bytes: numberIn(after, 'bytes') / numberIn(before, 'bytes'),
    }
  },
})

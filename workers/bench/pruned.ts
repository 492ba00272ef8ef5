import { baseSizes, onBase, tuning, type BaseNet } from './bases.ts'
import { cellTopic } from './cells.ts'
import { numberIn } from './recipes.ts'

/** `tune` are the epochs of fine-tuning, and of sparse training before a cut. */
const sizes = { ...baseSizes, tune: 20 }
type Sizes = typeof sizes

interface Case {
  readonly net: BaseNet
  /** The steps after the training of the base. */
  readonly steps: (sizes: Sizes) => readonly object[]
}

const budget = { scope: 'global', budget: 'macs=50%', recover: 'finetune' } as const
const tuned = (net: BaseNet, of: Sizes) => ({ ...tuning(net, of), epochs: of.tune, lr: 0.001 })
const cut = (method: string): Case => ({
  net: 'resnet-20',
  steps: (of) => [{ step: 'prune', method, ...budget, ...tuned('resnet-20', of) }],
})
const slim = (regularizer: string, strength: number): Case => ({
  net: 'resnet-20',
  steps: (of) => [{ step: 'slim', regularizer, strength, ...budget, ...tuned('resnet-20', of), sparseEpochs: of.tune }],
})

/** ResNet-20 at half of its multiply-accumulates by five methods, and LeNet-5 with half of its filters. */
const cases: Readonly<Record<string, Case>> = {
  'resnet-20': { net: 'resnet-20', steps: () => [] },
  'lenet-5': { net: 'lenet-5', steps: () => [] },
  l1: cut('l1'),
  fpgm: cut('fpgm'),
  taylor: cut('taylor'),
  // λ of the authors' ResNets, and the decay of DepGraph's ResNet-56.
  slimming: slim('scale', 1e-5),
  depgraph: slim('group', 5e-4),
  gdp: {
    net: 'lenet-5',
    steps: (of) => [
      {
        step: 'slim',
        regularizer: 'masked',
        ratio: 0.5,
        recover: 'finetune',
        ...tuned('lenet-5', of),
        epochs: of.lenetEpochs,
        sparseEpochs: of.lenetEpochs,
      },
    ],
  },
}

/**
 * What is left of accuracy when half of the multiply-accumulates are gone, over seeds. It takes hours:
 * `npm run bench -- pruned l1 gdp --seed 1 epochs=2 lenetEpochs=2 tune=1 limit=2000` is a short slice.
 */
export const benchmarkPruned = cellTopic({
  name: 'pruned',
  methods: Object.keys(cases),
  seeds: [1, 2, 3],
  sizes,
  columns: [
    { title: 'before, %', of: 'before' },
    { title: 'after, %', of: 'after' },
    { title: 'parameters left, %', of: 'params' },
    { title: 'MACs left, %', of: 'macs' },
  ],
  make: async (method, maker) => {
    const { net, steps } = cases[method] as Case
    const { before, after } = await onBase(net, steps(maker.sizes), maker)
    const share = (key: string) => numberIn(after, key) / numberIn(before, key)
    return {
      before: numberIn(before, 'accuracy'),
      after: numberIn(after, 'accuracy'),
      params: share('params'),
      macs: share('macs'),
    }
  },
})

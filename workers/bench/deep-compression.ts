import type { PackReport } from '../pack/index.ts'
import { cellTopic } from './cells.ts'
import { numberIn, recipeOf } from './recipes.ts'

/** Han, Mao & Dally 2016, arXiv:1510.00149, table 1: error in per cent before and after, and times smaller. */
const paper: Readonly<Record<string, { before: number; after: number; ratio: number; epochs: number }>> = {
  'lenet-300-100': { before: 1.64, after: 1.58, ratio: 40, epochs: 30 },
  'lenet-5': { before: 0.8, after: 0.74, ratio: 39, epochs: 12 },
}

/**
 * `npm run bench -- deep-compression`: trains both LeNets on MNIST and runs the built-in recipe on each, beside the
 * paper's numbers. Sizes count everything in the file.
 */
export const benchmarkDeepCompression = cellTopic({
  name: 'deep-compression',
  methods: Object.keys(paper),
  seeds: [1, 2, 3],
  sizes: {},
  columns: [
    { title: 'error before, %', of: 'before' },
    { title: 'error after, %', of: 'after' },
    { title: 'kB before', of: 'rawKilobytes', as: 0 },
    { title: 'kB after', of: 'kilobytes', as: 1 },
    { title: 'ratio', of: 'ratio', as: '1×' },
    { title: 'paper: error before, %', of: 'paperBefore' },
    { title: 'after, %', of: 'paperAfter' },
    { title: 'ratio', of: 'paperRatio', as: '0×' },
  ],
  make: async (net, { run }) => {
    const published = paper[net] as (typeof paper)[string]
    const augmentation = { padCrop: { pad: 2 } }
    const step = { step: 'train', epochs: published.epochs, validation: 0, augmentation }
    const base = await run({ recipe: recipeOf(step), model: net, data: 'mnist' })
    const small = await run({ recipe: 'deep-compression', model: String(base['output']), data: 'mnist' })
    const packed = (small['steps'] as readonly { packed?: PackReport }[]).at(-1)?.packed
    if (!packed) throw new Error('the last step of the recipe did not pack')
    return {
      before: 1 - numberIn(base, 'accuracy'),
      after: 1 - numberIn(small, 'accuracy'),
      rawKilobytes: packed.rawBytes / 1000,
      kilobytes: packed.bytes / 1000,
      ratio: packed.ratio,
      paperBefore: published.before / 100,
      paperAfter: published.after / 100,
      paperRatio: published.ratio,
    }
  },
})

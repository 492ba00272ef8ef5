import type { Report } from '../protocol/worker.ts'
import type { CellMaker } from './cells.ts'
import { recipeOf } from './recipes.ts'

/** How the nets that tables begin with are trained: what a person would do first, nothing tuned to a method. */
const bases = {
  // He et al. 2015, arXiv:1512.03385, §4.2: mirror images and crops out of a border of four.
  'resnet-20': { data: 'cifar-10', augmentation: { flip: 0.5, padCrop: { pad: 4 } } },
  'lenet-5': { data: 'mnist', augmentation: { padCrop: { pad: 2 } } },
} as const
export type BaseNet = keyof typeof bases

/** Numbers of training that are shared by all tables: the same ones give the same base. */
export const baseSizes = { epochs: 40, lenetEpochs: 10, batch: 128, limit: 50_000 } as const
export type BaseSizes = Readonly<Record<keyof typeof baseSizes, number>>

export const baseNets = Object.keys(bases) as readonly BaseNet[]

/** Options that further training shares with the base's. */
export const tuning = (net: BaseNet, { batch }: BaseSizes) => ({
  batch,
  validation: 0,
  augmentation: bases[net].augmentation,
})

/** A trained net of the cell's seed. */
export function trainedBase(net: BaseNet, { sizes, run }: CellMaker<BaseSizes>): Promise<Report> {
  const epochs = net === 'lenet-5' ? sizes.lenetEpochs : sizes.epochs
  const step = { step: 'train', epochs, lr: 0.003, schedule: 'cosine', ...tuning(net, sizes) }
  return run({ recipe: recipeOf(step), model: net, data: bases[net].data, limit: sizes.limit })
}

/** Runs steps on the trained net of the cell's seed. */
export async function onBase(
  net: BaseNet,
  steps: readonly object[],
  maker: CellMaker<BaseSizes>,
): Promise<{ readonly before: Report; readonly after: Report }> {
  const before = await trainedBase(net, maker)
  if (steps.length === 0) return { before, after: before }
  const { data } = bases[net]
  const model = String(before['output'])
  return { before, after: await maker.run({ recipe: recipeOf(...steps), model, data, limit: maker.sizes.limit }) }
}

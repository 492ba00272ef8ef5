import type { z } from 'zod'
import { isImage, Loader, openDataset, preprocessingFor, subset, type Dataset, type Split } from '../datasets/index.ts'
import { Preprocessing, presets } from '../datasets/index.ts'
import type { Executor } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { numbersOf } from '../graph/tensor.ts'
import { evaluate } from '../measure/accuracy.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { PreviewReport, PreviewSample } from '../protocol/studio.ts'
import type { BaselineRequest, PreviewRequest, Report } from '../protocol/worker.ts'
import { openForRecipe } from '../recipes/open.ts'

/** Of a zoo net's fresh weights; which they are makes no difference here. */
const SEED = 42

/** The split that shows what a model will be fed: training samples where there are some. */
function shownSplit(data: Dataset): Split {
  const split = data.splits.train ?? data.splits.validation ?? data.splits.test
  if (split) return split
  throw new AlambicError('data.no-split', `the data set "${data.id}" has no samples`)
}

/** Some samples, as they are stored and as the model would see them. */
export async function previewCall(request: z.output<typeof PreviewRequest>): Promise<Report> {
  const data = await openDataset(request.data)
  const given = request.preprocessing && Preprocessing.parse(request.preprocessing)
  const split = shownSplit(data)
  const preprocessing = request.model
    ? preprocessingFor(data, await openForRecipe(request.model, SEED), given)
    : (given ?? Preprocessing.parse({}))
  const some = subset(split, Math.min(request.count, split.count), request.seed)
  const loader = new Loader(some, { batch: some.count, shuffle: false, preprocessing })
  const { x } = await loader.batchAt(0)
  const values = Float64Array.from(numbersOf(x), Number)
  const { samples, mean, std } = pictures(some, values, loader.dims, preprocessing, data.classes)
  const report: PreviewReport = {
    samples,
    counts: Object.fromEntries(Object.entries(data.splits).map(([name, { count }]) => [name, count])),
    ...(data.classes ? { classes: data.classes } : {}),
    mean,
    std,
    dims: loader.dims,
    preprocessing,
  }
  return report as unknown as Report
}

function pictures(
  some: Split,
  values: Float64Array,
  dims: readonly number[],
  preprocessing: Preprocessing,
  classes: readonly string[] | undefined,
) {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length)
  const [low, high] = rangeOf(values)
  const size = values.length / some.count
  const samples = Array.from({ length: some.count }, (_, index): PreviewSample => {
    const own = values.subarray(index * size, (index + 1) * size)
    const label = some.labels?.[index]
    const seen = seenPicture(own, dims, preprocessing, some, [low, high])
    return {
      index,
      ...(label === undefined ? {} : { label: classes?.[label] ?? String(label) }),
      ...storedPicture(some, index),
      ...(seen ? { seen } : {}),
      range: rangeOf(own),
    }
  })
  return { samples, mean, std }
}

const rangeOf = (values: Float64Array): [number, number] => [
  values.reduce((least, v) => Math.min(least, v), Infinity),
  values.reduce((most, v) => Math.max(most, v), -Infinity),
]

function storedPicture({ sample, data }: Split, index: number): Pick<PreviewSample, 'image'> {
  if (!isImage(sample) || !(data instanceof Uint8Array)) return {}
  const { width, height, channels } = sample
  const size = width * height * channels
  return { image: { width, height, channels, pixels: data.slice(index * size, (index + 1) * size) } }
}

/** Values back as a picture `[height, width, channels]`, the same grey for the same value in every sample. */
function seenPicture(
  values: Float64Array,
  dims: readonly number[],
  { layout, resize, crop }: Preprocessing,
  { sample }: Split,
  [low, high]: [number, number],
): PreviewSample['seen'] {
  if (!isImage(sample)) return undefined
  const { height, width } = crop ?? resize ?? sample
  const channels = values.length / (height * width)
  if (!Number.isInteger(channels) || channels < 1 || dims.length === 0) return undefined
  const isLast = layout === 'NHWC'
  const pixels = new Uint8Array(values.length)
  for (let p = 0; p < height * width; p++) {
    for (let c = 0; c < channels; c++) {
      const value = values[isLast ? p * channels + c : c * height * width + p] as number
      pixels[p * channels + c] = Math.round((255 * (value - low)) / (high - low || 1))
    }
  }
  return { width, height, channels, pixels }
}

/** Other ways to feed a model that people mix up; which of them fit depends on the model. */
const others: Readonly<Record<string, (own: Preprocessing) => Preprocessing>> = {
  scale1: (own) => ({ ...own, scale: 1, mean: [0], std: [1] }),
  scale255: (own) => ({ ...own, scale: 1 / 255, mean: [0], std: [1] }),
  symmetric: (own) => ({ ...own, scale: 1 / 127.5, mean: [1], std: [1] }),
  imagenet: (own) => ({
    ...own,
    scale: presets.imagenet.scale,
    mean: presets.imagenet.mean,
    std: presets.imagenet.std,
  }),
  mnist: (own) => ({ ...own, scale: 1 / 255, mean: [0.1307], std: [0.3081] }),
  bgr: (own) => ({ ...own, colour: own.colour === 'bgr' ? 'rgb' : 'bgr' }),
}

/** How much better another way must be to be worth a word. */
const NOTABLE = 0.1

/**
 * How good a model is on some samples before anything is done to it, against chance; and whether it would do notably
 * better if it were fed in another way: an accuracy near chance is mostly a slip in scale, mean or order of colours.
 */
export async function baselineCall(
  request: z.output<typeof BaselineRequest>,
  { executor }: { readonly executor: () => Promise<Executor> },
): Promise<Report> {
  const data = await openDataset(request.data)
  const model = await openForRecipe(request.model, SEED)
  const held = data.splits.test ?? data.splits.validation ?? shownSplit(data)
  const split = subset(held, Math.min(request.samples, held.count), SEED)
  const given = request.preprocessing && Preprocessing.parse(request.preprocessing)
  const preprocessing = preprocessingFor(data, model, given)
  const where = { executor: await executor(), threads: request.threads }
  const { accuracy, error, n } = await evaluate(model.graph, split, preprocessing, where)
  const classes = data.classes?.length ?? new Set(split.labels).size
  const better = await betterWay(model, split, preprocessing, accuracy, where)
  return {
    accuracy,
    error,
    n,
    classes,
    chance: 1 / Math.max(1, classes),
    // Three standard errors of guessing.
    nearChance: accuracy < 1 / classes + 3 * Math.sqrt((1 - 1 / classes) / classes / n),
    preprocessing,
    dataHash: held.hash,
    ...(better ? { better } : {}),
  }
}

async function betterWay(
  model: Model,
  split: Split,
  own: Preprocessing,
  accuracy: number,
  where: Parameters<typeof evaluate>[3],
) {
  const fewer = subset(split, Math.min(256, split.count), SEED)
  let best: { way: string; accuracy: number; preprocessing: Preprocessing } | undefined
  for (const [way, change] of Object.entries(others)) {
    const preprocessing = change(own)
    const tried = await accuracyOf(model, fewer, preprocessing, where)
    if (tried !== undefined && tried > Math.max(accuracy + NOTABLE, best?.accuracy ?? 0)) {
      best = { way, accuracy: tried, preprocessing }
    }
  }
  return best
}

/** Undefined where samples can't be fed like that: colours that are not there. */
async function accuracyOf(
  ...[model, split, preprocessing, where]: [Model, Split, Preprocessing, Parameters<typeof evaluate>[3]]
) {
  try {
    return (await evaluate(model.graph, split, preprocessing, where)).accuracy
  } catch {
    return undefined
  }
}

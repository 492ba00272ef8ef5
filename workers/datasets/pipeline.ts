import type { Random } from '../graph/random.ts'
import { numberToHalf, sizeOf } from '../graph/tensor.ts'
import { badData } from './errors.ts'
import { isIdentity, type Augmentation, type Preprocessing } from './preprocessing.ts'
import { cropStage, cutoutStage, flipStage, grayStage, padCropStage, resizeStage, type Stage } from './stages.ts'
import { describeSample, isImage } from './types.ts'
import type { ImageSample, Sample, SampleData, TensorSample } from './types.ts'

/** Arrays that a batch is written to; float16 as its 16-bit patterns. */
export type BatchArray = Float32Array | Uint16Array | Uint8Array | Int32Array | BigInt64Array

/** Preprocessing and augmentation made ready for samples of one kind. */
export interface Pipeline {
  /** Dims of one sample for the model. */
  readonly dims: readonly number[]
  readonly dtype: Preprocessing['dtype']
  /** Whether a sample comes out the same every time, so that what a teacher says of it can be kept. */
  readonly repeats: boolean
  allocate(count: number): BatchArray
  /** Writes sample `index` of a split's data as sample `position` of a batch; `random` is that sample's own stream. */
  write(data: SampleData, index: number, out: BatchArray, position: number, random: Random): void
}

const arrays = {
  f32: Float32Array,
  f16: Uint16Array,
  u8: Uint8Array,
  i32: Int32Array,
  i64: BigInt64Array,
} as const

/** Makes a pipeline; `mayBeRandom` is false for evaluation, where a random crop becomes the centre. */
export function compilePipeline(
  sample: Sample,
  preprocessing: Preprocessing,
  augmentation: Augmentation = {},
  mayBeRandom = true,
): Pipeline {
  return isImage(sample)
    ? imagePipeline(sample, preprocessing, augmentation, mayBeRandom)
    : tensorPipeline(sample, preprocessing, augmentation)
}

function imagePipeline(
  from: ImageSample,
  preprocessing: Preprocessing,
  augmentation: Augmentation,
  mayBeRandom: boolean,
): Pipeline {
  const stages = stagesOf(from, preprocessing, augmentation, mayBeRandom)
  const size = stages.at(-1)?.size ?? from
  const order = channelOrder(size, preprocessing)
  const dims = outputDims(size, order.length, preprocessing)
  const tables = order.map((_, c) => tableOf(preprocessing, c, order.length))
  const elements = sizeOf(dims)
  const stored = from.height * from.width * from.channels
  const write = preprocessing.layout === 'NHWC' ? writeInterleaved : writePlanes
  return {
    dims,
    dtype: preprocessing.dtype,
    repeats: !stages.some(({ random }) => random),
    allocate: (count) => new arrays[preprocessing.dtype](count * elements),
    write(data, index, out, position, random) {
      let pixels = { data: data as Uint8Array, offset: index * stored }
      for (const stage of stages) pixels = stage.apply(pixels, random)
      write(pixels.data, pixels.offset, size, order, tables, out, position * elements)
    },
  }
}

function stagesOf(
  from: ImageSample,
  { resize, crop, colour, scale, mean }: Preprocessing,
  { padCrop, flip, cutout }: Augmentation,
  mayBeRandom: boolean,
): Stage[] {
  const stages: Stage[] = []
  const add = (make: (size: ImageSample) => Stage): void => {
    stages.push(make(stages.at(-1)?.size ?? from))
  }
  if (resize) add((size) => resizeStage(size, resize))
  if (crop) add((size) => cropStage(size, crop, mayBeRandom))
  if (colour === 'gray' && from.channels > 1) add(grayStage)
  if (padCrop) add((size) => padCropStage(size, padCrop))
  if (flip !== undefined && flip > 0) add((size) => flipStage(size, flip))
  const meanByte = (c: number): number => Math.min(255, Math.max(0, Math.round((mean[c] ?? mean[0] ?? 0) / scale)))
  if (cutout) {
    add((size) => {
      const order = channelOrder(size, { colour })
      const fill = Array.from({ length: size.channels }, (_, c) => meanByte(Math.max(0, order.indexOf(c))))
      return cutoutStage(size, cutout.size, fill)
    })
  }
  return stages
}

/** Which stored channel each of the model's channels comes from. */
function channelOrder({ channels }: ImageSample, { colour }: Pick<Preprocessing, 'colour'>): readonly number[] {
  if (colour === undefined || colour === 'gray') return Array.from({ length: channels }, (_, c) => c)
  if (channels < 3) return [0, 0, 0]
  return colour === 'rgb' ? [0, 1, 2] : [2, 1, 0]
}

function outputDims({ height, width }: ImageSample, channels: number, { layout }: Preprocessing): readonly number[] {
  if (layout === 'NHW' && channels !== 1) {
    throw badData('layout', `images of ${channels} channels have no layout without a channel axis`, {
      file: 'preprocessing',
      expected: 'gray images for the layout NHW',
      found: `${channels} channels`,
      fix: 'Set colour to gray, or use the layout NCHW.',
    })
  }
  const dims = {
    NCHW: [channels, height, width],
    NHWC: [height, width, channels],
    NHW: [height, width],
    flat: [channels * height * width],
  }
  return dims[layout]
}

/** The value that each byte becomes for one channel of the model: scaling and normalization cost one load a pixel. */
function tableOf(preprocessing: Preprocessing, channel: number, channels: number): BatchArray {
  const { dtype, scale } = preprocessing
  const mean = perChannel(preprocessing.mean, channel, channels, 'mean')
  const std = perChannel(preprocessing.std, channel, channels, 'std')
  const values = Float32Array.from({ length: 256 }, (_, byte) => (byte * scale - mean) / std)
  if (dtype === 'f32') return values
  if (dtype === 'f16') return Uint16Array.from(values, numberToHalf)
  return dtype === 'i64' ? BigInt64Array.from(values, BigInt) : arrays[dtype].from(values)
}

function perChannel(values: readonly number[], channel: number, channels: number, name: string): number {
  if (values.length === 1 || values.length === channels) return values[values.length === 1 ? 0 : channel] as number
  throw badData(
    'channels',
    `the preprocessing has ${values.length} numbers as ${name}, and the images ${channels} channels`,
    {
      file: 'preprocessing',
      expected: channels === 1 ? 'one number' : `one number, or ${channels}`,
      found: `[${values.join(', ')}]`,
    },
  )
}

type WritePixels = (
  source: Uint8Array,
  offset: number,
  size: ImageSample,
  order: readonly number[],
  tables: readonly BatchArray[],
  out: BatchArray,
  at: number,
) => void

const writePlanes: WritePixels = (source, offset, { height, width, channels }, order, tables, out, at) => {
  const area = height * width
  // Tables and batch are arrays of one type; naming one of them spares a loop for each.
  const target = out as Float32Array
  for (let c = 0; c < order.length; c++) {
    const table = tables[c] as Float32Array
    let from = offset + (order[c] as number)
    const end = at + area
    for (; at < end; at++, from += channels) target[at] = table[source[from] as number] as number
  }
}

const writeInterleaved: WritePixels = (source, offset, { height, width, channels }, order, tables, out, at) => {
  const area = height * width
  const target = out as Float32Array
  for (let i = 0, from = offset; i < area; i++, from += channels) {
    for (let c = 0; c < order.length; c++) {
      target[at++] = (tables[c] as Float32Array)[source[from + (order[c] as number)] as number] as number
    }
  }
}

function tensorPipeline(sample: TensorSample, preprocessing: Preprocessing, augmentation: Augmentation): Pipeline {
  const { resize, crop, colour, dtype, layout } = preprocessing
  const wrong = Object.entries({ resize, crop, colour, ...augmentation }).find(([, value]) => value !== undefined)?.[0]
  if (wrong !== undefined) {
    throw badData('not-images', `"${wrong}" is for images, and the samples are tensors`, {
      file: 'preprocessing',
      expected: 'images of bytes',
      found: `${sample.dtype} of ${describeSample(sample)}`,
    })
  }
  const elements = sizeOf(sample.dims)
  const leading = preprocessing.mean.length > 1 || preprocessing.std.length > 1 ? (sample.dims[0] ?? 1) : 1
  const convert = converterOf(preprocessing, leading)
  const plane = elements / leading
  return {
    dims: layout === 'flat' ? [elements] : sample.dims,
    dtype,
    repeats: true,
    allocate: (count) => new arrays[dtype](count * elements),
    write(data, index, out, position) {
      const from = index * elements
      const to = position * elements
      const target = out as Float32Array
      for (let i = 0; i < elements; i++) {
        target[to + i] = convert(data[from + i] as number, Math.floor(i / plane)) as number
      }
    },
  }
}

function converterOf(
  preprocessing: Preprocessing,
  channels: number,
): (value: number, channel: number) => number | bigint {
  const { dtype, scale } = preprocessing
  if (dtype === 'i64') return (value) => BigInt(value)
  if (isIdentity(preprocessing) && dtype !== 'f16') return (value) => value
  const mean = Array.from({ length: channels }, (_, c) => perChannel(preprocessing.mean, c, channels, 'mean'))
  const std = Array.from({ length: channels }, (_, c) => perChannel(preprocessing.std, c, channels, 'std'))
  const normal = (value: number, c: number): number => (value * scale - (mean[c] as number)) / (std[c] as number)
  return dtype === 'f16' ? (value, c) => numberToHalf(normal(value, c)) : normal
}

import type { Graph } from '../graph/graph.ts'
import type { DType } from '../graph/dtype.ts'
import { asTensor, type Dim } from '../graph/types.ts'
import { AlambicError } from '../protocol/errors.ts'
import { compilePipeline } from './pipeline.ts'
import { Preprocessing, presets } from './preprocessing.ts'
import { dimsOf, isImage, type Dataset, type ImageSample } from './types.ts'

/** What is known of the input that samples go to; the first of `dims` is the batch. Symbolic dims fit any size. */
export interface ModelInput {
  readonly name: string
  readonly dims?: readonly Dim[] | undefined
  readonly dtype?: DType | undefined
}

type Data = Pick<Dataset, 'id' | 'sample'>
type Layout = Preprocessing['layout']

/** The first input of a graph that has no value of its own. */
export function modelInput(graph: Graph): ModelInput {
  const input = graph.requiredInputs[0]
  const type = asTensor(input?.type)
  return { name: input?.name ?? '', dims: type?.shape, dtype: type?.dtype }
}

/**
 * How a data set's samples are fed to a model: `given` after checking that it fits, else the preset of the data set
 * (bytes to 0 … 1 if it has none) with the layout, size and element type of the input. A model of another size gets
 * resized images. Throws `data.shape`, naming both sides, where no such change would be right.
 */
export function preprocessorFor(data: Data, model: Graph | ModelInput, given?: Preprocessing): Preprocessing {
  const input = 'requiredInputs' in model ? modelInput(model) : model
  const preprocessing = given ?? (isImage(data.sample) ? forImages(data, data.sample, input) : forTensors(data, input))
  const dims = compilePipeline(data.sample, preprocessing).dims
  const wanted = input.dims?.slice(1)
  if (wanted && !fits(dims, wanted)) throw misfit(data, input, dims)
  return preprocessing
}

const fits = (dims: readonly number[], wanted: readonly Dim[]): boolean =>
  dims.length === wanted.length && wanted.every((d, i) => typeof d === 'string' || d === dims[i])

const show = (dims: readonly Dim[]): string => `[${['N', ...dims].join(', ')}]`

function misfit(data: Data, input: ModelInput, dims: readonly number[], fix?: string): AlambicError {
  return new AlambicError('data.shape', `the samples of "${data.id}" don't fit the model's input "${input.name}"`, {
    subject: input.name,
    expected: input.dims ? show(input.dims.slice(1)) : 'an input of known shape',
    found: `${show(dims)} from "${data.id}"`,
    fix: fix ?? 'Choose data that the model was made for, or give a preprocessing that makes it fit.',
  })
}

/** Element types of inputs as those of batches: a bfloat16 or double input is fed float32. */
const batchTypes: Readonly<Partial<Record<DType, Preprocessing['dtype']>>> = {
  f16: 'f16',
  u8: 'u8',
  i32: 'i32',
  i64: 'i64',
}

const whole = { scale: 1, mean: [0], std: [1] }

/** Channels that an image can have; 4 is RGB with alpha. */
const CHANNELS: ReadonlySet<Dim | undefined> = new Set([1, 3, 4])

function layoutOf(wanted: readonly Dim[]): Layout | undefined {
  if (wanted.length === 1) return 'flat'
  if (wanted.length === 2) return 'NHW'
  if (wanted.length !== 3) return undefined
  return CHANNELS.has(wanted[2]) && !CHANNELS.has(wanted[0]) ? 'NHWC' : 'NCHW'
}

function forImages(data: Data, sample: ImageSample, input: ModelInput): Preprocessing {
  const preset = (presets as Readonly<Record<string, Preprocessing>>)[data.id] ?? presets.mnist
  const dtype = batchTypes[input.dtype ?? 'f32'] ?? 'f32'
  const numbers = dtype === 'f32' || dtype === 'f16' ? preset : { ...preset, ...whole }
  const wanted = input.dims?.slice(1)
  if (!wanted) return { ...numbers, dtype }
  const layout = layoutOf(wanted)
  if (!layout) throw misfit(data, input, dimsOf(sample))
  if (layout === 'flat') return { ...numbers, dtype, layout }
  const axes: Readonly<Record<string, Dim | undefined>> = Object.fromEntries(
    [...layout.slice(1)].map((axis, i) => [axis, wanted[i]]),
  )
  const channels = layout === 'NHW' ? 1 : axes['C']
  if (typeof channels === 'number' && channels !== sample.channels) throw wrongChannels(data, sample, input, channels)
  const height = typeof axes['H'] === 'number' ? axes['H'] : sample.height
  const width = typeof axes['W'] === 'number' ? axes['W'] : sample.width
  if (height === sample.height && width === sample.width) return { ...numbers, dtype, layout }
  const fit = height * sample.width === width * sample.height ? 'fill' : 'cover'
  return { ...numbers, dtype, layout, resize: { height, width, filter: 'bilinear', fit } }
}

function wrongChannels(data: Data, sample: ImageSample, input: ModelInput, channels: number): AlambicError {
  const kinds: Readonly<Record<number, string>> = { 1: 'gray', 3: 'rgb' }
  const kind = kinds[channels]
  return new AlambicError(
    'data.shape',
    `the images of "${data.id}" have ${sample.channels} channels, and the model's input "${input.name}" takes ${channels}`,
    {
      subject: input.name,
      expected: `${channels} channels: ${show(input.dims?.slice(1) ?? [])}`,
      found: `${sample.channels} channels: images of ${sample.height}×${sample.width}×${sample.channels} in "${data.id}"`,
      fix: kind ? `Set the preprocessing's colour to ${kind} if that is what you want.` : 'Choose other data.',
    },
  )
}

function forTensors(data: Data, input: ModelInput): Preprocessing {
  const dims = dimsOf(data.sample)
  const wanted = input.dims?.slice(1)
  const stored = 'dtype' in data.sample ? data.sample.dtype : 'f32'
  const dtype = batchTypes[input.dtype ?? stored] ?? 'f32'
  if (stored === 'f32' && dtype !== 'f32' && dtype !== 'f16') {
    throw misfit(data, input, dims, `The input takes whole numbers (${dtype}), and the samples are floating point.`)
  }
  const layout = wanted?.length === 1 && dims.length !== 1 ? 'flat' : 'NCHW'
  return Preprocessing.parse({ ...whole, dtype, layout })
}

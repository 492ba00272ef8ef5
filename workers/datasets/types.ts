import { createHash } from 'node:crypto'
import { sizeOf } from '../graph/tensor.ts'
import { badData } from './errors.ts'

/** The size of every image of a split; in memory an image is `[height, width, channels]`, one byte each. */
export interface ImageSample {
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** The dims (without the batch) and element type of every sample that is not an image of bytes. */
export interface TensorSample {
  readonly dims: readonly number[]
  readonly dtype: 'f32' | 'u8' | 'i32'
}

export type Sample = ImageSample | TensorSample
export type SampleData = Uint8Array | Float32Array | Int32Array

/** Targets that are not classes: f32 `[count, ...dims]`. */
export interface Targets {
  readonly dims: readonly number[]
  readonly data: Float32Array
}

/** What a split is made of. Unlabelled samples have neither labels nor targets. */
export interface SplitContent {
  readonly sample: Sample
  /** `[count, ...sample]`, row-major. */
  readonly data: SampleData
  /** The class of every sample. */
  readonly labels?: Int32Array | undefined
  readonly targets?: Targets | undefined
}

/** Samples in memory. */
export interface Split extends SplitContent {
  readonly count: number
  /** SHA-256 (hex) of sample type, data, labels and targets; computed when it is first asked for. */
  readonly hash: string
}

export type SplitName = 'train' | 'test' | 'validation'
export type Splits = { readonly [Name in SplitName]?: Split }

/** Something about the data that did not stop it from being opened: a file that was skipped, a class without samples. */
export interface DataWarning {
  /** A stable code, like that of an error. */
  readonly code: string
  readonly file: string
  readonly message: string
}

export interface DatasetContent {
  /** The registered name, or the path it was opened from. */
  readonly id: string
  readonly title: string
  /** Names of the classes, by label; absent for unlabelled samples and for targets that are not classes. */
  readonly classes?: readonly string[] | undefined
  readonly splits: Splits
  readonly warnings?: readonly DataWarning[] | undefined
}

export interface Dataset extends DatasetContent {
  readonly kind: 'images' | 'tensors'
  readonly sample: Sample
  readonly warnings: readonly DataWarning[]
  /** SHA-256 (hex) of the hashes of its splits. */
  readonly hash: string
}

export const splitNames: readonly SplitName[] = ['train', 'validation', 'test']

export const isImage = (sample: Sample): sample is ImageSample => 'height' in sample

/** The dims of one sample in memory. */
export const dimsOf = (sample: Sample): readonly number[] =>
  isImage(sample) ? [sample.height, sample.width, sample.channels] : sample.dims

/** Elements in one sample. */
export const elementsOf = (sample: Sample): number => sizeOf(dimsOf(sample))

/** A sample's dims as people write them: `28×28×1`. */
export const describeSample = (sample: Sample): string => dimsOf(sample).join('×') || 'scalar'

/**
 * A split of given content, after checking that there is one label or target for each sample. `file` is named in the
 * error (`data.count`).
 */
export function makeSplit(content: SplitContent, file: string): Split {
  const { sample, data, labels, targets } = content
  const count = data.length / elementsOf(sample)
  if (!Number.isInteger(count)) {
    throw badData('size', `"${file}" holds a part of a sample`, {
      file,
      expected: `a multiple of ${elementsOf(sample)} elements (${describeSample(sample)})`,
      found: `${data.length} elements`,
    })
  }
  const answers = labels?.length ?? (targets ? targets.data.length / sizeOf(targets.dims) : count)
  if (answers !== count) {
    throw badData('count', `"${file}" has not one ${labels ? 'label' : 'target'} for each sample`, {
      file,
      row: Math.floor(Math.min(answers, count)),
      expected: `${count} ${labels ? 'labels' : 'targets'}, one for each sample`,
      found: `${answers}`,
    })
  }
  let hash: string | undefined
  return {
    ...content,
    count,
    get hash() {
      return (hash ??= hashOf(content))
    },
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

function hashOf({ sample, data, labels, targets }: SplitContent): string {
  const head = { dims: dimsOf(sample), dtype: isImage(sample) ? 'u8' : sample.dtype, targets: targets?.dims ?? null }
  const hash = createHash('sha256').update(JSON.stringify(head)).update(bytesOf(data))
  if (labels) hash.update(bytesOf(labels))
  if (targets) hash.update(bytesOf(targets.data))
  return hash.digest('hex')
}

/** Throws `data.label-range` for the first label that is no class. */
export function checkLabels(labels: Int32Array, classes: number, file: string): void {
  const row = labels.findIndex((label) => label < 0 || label >= classes)
  if (row < 0) return
  throw badData('label-range', `"${file}": sample ${row} has the label ${labels[row]}, which is no class`, {
    file,
    row,
    expected: `a label from 0 to ${classes - 1}`,
    found: String(labels[row]),
  })
}

/** A data set of given splits, which must agree in their samples and hold labels that are classes. */
export function makeDataset(content: DatasetContent): Dataset {
  const { id, splits, classes, warnings = [] } = content
  const present = splitNames.flatMap((name) => splits[name] ?? [])
  const first = present.find(({ count }) => count > 0)
  if (!first) throw badData('empty', `the data set "${id}" has no samples`, { file: id, expected: 'samples' })
  for (const { sample, labels } of present) {
    if (describeSample(sample) !== describeSample(first.sample) || isImage(sample) !== isImage(first.sample)) {
      throw badData('ragged', `the splits of "${id}" hold samples of different sizes`, {
        file: id,
        expected: describeSample(first.sample),
        found: describeSample(sample),
      })
    }
    if (labels && classes) checkLabels(labels, classes.length, id)
  }
  let hash: string | undefined
  return {
    ...content,
    warnings,
    kind: isImage(first.sample) ? 'images' : 'tensors',
    sample: first.sample,
    get hash() {
      const named = splitNames.flatMap((name) => (splits[name] ? [name, splits[name].hash] : []))
      return (hash ??= createHash('sha256').update(named.join('\n')).digest('hex'))
    },
  }
}

/** Names for classes that have only numbers: as many as the highest label needs. */
export function numberedClasses(splits: Splits): readonly string[] | undefined {
  let highest = -1
  for (const name of splitNames) for (const label of splits[name]?.labels ?? []) highest = Math.max(highest, label)
  return highest < 0 ? undefined : Array.from({ length: highest + 1 }, (_, i) => String(i))
}

import type { FileArray } from './elements.ts'
import { badData } from './errors.ts'
import { makeDataset, makeSplit, numberedClasses, type Dataset, type Split, type SplitContent } from './types.ts'
import type { SplitName, Targets } from './types.ts'

export interface Role {
  readonly split: SplitName
  readonly role: 'inputs' | 'targets'
}

const splitWords: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  test: 'test',
  testing: 'test',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
}

const roleWords: Readonly<Record<string, Role['role']>> = {
  ...Object.fromEntries(['x', 'input', 'inputs', 'image', 'images', 'data', 'features'].map((w) => [w, 'inputs'])),
  ...Object.fromEntries(['y', 'target', 'targets', 'label', 'labels'].map((w) => [w, 'targets'])),
}

/** What an array is by its name: `x_train`, `test_labels`, `inputs` (training), `arr_0` and `arr_1` of `numpy.savez`. */
export function roleOf(name: string): Role | undefined {
  if (name === 'arr_0') return { split: 'train', role: 'inputs' }
  if (name === 'arr_1') return { split: 'train', role: 'targets' }
  let split: SplitName | undefined
  let role: Role['role'] | undefined
  for (const word of name.toLowerCase().split(/[-_. ]+/)) {
    if (word in splitWords && !split) split = splitWords[word]
    else if (word in roleWords && !role) role = roleWords[word]
    else return undefined
  }
  return role && { split: split ?? 'train', role }
}

const CHANNELS: ReadonlySet<number | undefined> = new Set([1, 3, 4])

/**
 * An array as samples. Bytes of `[N, H, W]` and `[N, H, W, 1|3|4]` are images; bytes of `[N, 1|3|4, H, W]` are turned
 * into that order; everything else stays a tensor.
 */
export function asInputs({ file, dims, data }: FileArray): Pick<SplitContent, 'sample' | 'data'> {
  const [count, ...rest] = dims
  if (count === undefined) {
    throw badData('rank', `"${file}" holds one number, not samples`, { file, expected: '[N, …]', found: 'a scalar' })
  }
  if (data instanceof Uint8Array && rest.length >= 2 && rest.length <= 3) {
    const [a = 1, b = 1, c = 1] = rest
    if (rest.length === 2 || CHANNELS.has(c)) return { sample: { height: a, width: b, channels: c }, data }
    if (CHANNELS.has(a)) return { sample: { height: b, width: c, channels: a }, data: channelsLast(data, a, b * c) }
  }
  const dtype = data instanceof Float32Array ? 'f32' : data instanceof Int32Array ? 'i32' : 'u8'
  return { sample: { dims: rest, dtype }, data }
}

function channelsLast(data: Uint8Array, channels: number, area: number): Uint8Array {
  const out = new Uint8Array(data.length)
  for (let base = 0; base < data.length; base += channels * area) {
    for (let c = 0; c < channels; c++) {
      for (let i = 0; i < area; i++) out[base + i * channels + c] = data[base + c * area + i] as number
    }
  }
  return out
}

/** An array of integers `[N]` or `[N, 1]` as labels. */
export function asLabels({ file, dims, data }: FileArray): Int32Array {
  if (data instanceof Float32Array || dims.slice(1).some((d) => d !== 1) || dims.length === 0) {
    throw badData('labels', `"${file}" does not hold labels`, {
      file,
      expected: 'integers of shape [N]',
      found: `${data instanceof Float32Array ? 'floating point' : 'integers'} of shape [${dims.join(', ')}]`,
    })
  }
  return data instanceof Int32Array ? data : Int32Array.from(data)
}

/** Integers `[N]` are labels, anything else is targets. */
function asAnswers(array: FileArray): { labels: Int32Array } | { targets: Targets } {
  const integers = !(array.data instanceof Float32Array)
  if (integers && array.dims.slice(1).every((d) => d === 1)) return { labels: asLabels(array) }
  const data = integers ? Float32Array.from(array.data) : array.data
  return { targets: { dims: array.dims.slice(1), data } }
}

/** A data set from arrays called by what they are; `where` is the file or folder that they came from. */
export function fromArrays(
  where: string,
  title: string,
  arrays: readonly (FileArray & { readonly is: Role })[],
): Dataset {
  const splits: { [Name in SplitName]?: Split } = {}
  for (const split of ['train', 'validation', 'test'] as const) {
    const find = (role: Role['role']) => arrays.find(({ is }) => is.split === split && is.role === role)
    const inputs = find('inputs')
    const targets = find('targets')
    if (targets && !inputs) {
      throw badData('missing-file', `"${where}" has targets ("${targets.file}") but not the inputs they belong to`, {
        file: where,
        expected: 'inputs, images, x or data',
        found: arrays.map(({ file }) => file).join(', '),
      })
    }
    if (!inputs) continue
    splits[split] = makeSplit({ ...asInputs(inputs), ...(targets ? asAnswers(targets) : {}) }, inputs.file)
  }
  return makeDataset({ id: where, title, splits, classes: numberedClasses(splits) })
}

import { createHash } from 'node:crypto'
import type { Graph } from '../../graph/graph.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { f32, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor } from '../../graph/types.ts'
import { defaultScheme, prepareForQuantization, type StaticScheme } from '../../passes/index.ts'
import { buildZoo, type ZooId } from '../../zoo/index.ts'

/** Architectures that onnxruntime's Python quantizer was asked about; weights and samples come from seeds. */
export const nets = [
  'lenet-5',
  'lightnn',
  'resnet-20',
  'squeezenet-1.1',
  'mobilenet-v2',
  'mobilenet-v3-small',
  'shufflenet-v2',
] as const satisfies readonly ZooId[]

/** Settings under which both quantize, by the name that the recording has. */
export const settings: Readonly<Record<string, StaticScheme>> = {
  'u8s8 per channel': defaultScheme,
  'u8s8 per tensor, 7 bits': { ...defaultScheme, perChannel: false, reduceRange: true },
  's8s8 symmetric': { ...defaultScheme, perChannel: false, activations: 'i8', symmetricActivations: true },
  'u8u8 per tensor': { ...defaultScheme, perChannel: false, weights: 'u8' },
}

/** Samples per batch and batches. */
const BATCH = 2
const BATCHES = 2

/** The net with its batch normalizations folded: what both quantizers start from. */
export const preparedNet = (id: ZooId): Graph => prepareForQuantization(buildZoo(id, { seed: 7 }).graph)

/** Batches of normal noise for a graph's input. */
export function noiseBatches(graph: Graph): readonly Tensor[] {
  const random = mulberry32(13)
  const shape = asTensor(graph.requiredInputs[0]?.type)?.shape ?? []
  const dims = shape.map((d, axis) => (typeof d === 'number' ? d : axis === 0 ? BATCH : 1))
  return Array.from({ length: BATCHES }, () =>
    f32(
      Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
      dims,
    ),
  )
}

/** What the recording says of one net under one setting. */
export interface Recorded {
  /** Smallest and largest of each calibrated value. */
  readonly ranges: Readonly<Record<string, readonly [number, number]>>
  /** Scale and zero point of each activation. */
  readonly activations: Readonly<Record<string, readonly [number, number]>>
  /** SHA-256 of each constant's scales, zero points and codes, little-endian, one after another. */
  readonly constants: Readonly<Record<string, string>>
}
export type Recording = Readonly<Record<string, Readonly<Record<string, Recorded>>>>

/** The first 16 hexadecimal digits of the hash of some tensors' bytes. */
export function digest(tensors: readonly (Tensor | undefined)[]): string {
  const hash = createHash('sha256')
  for (const tensor of tensors) hash.update(tensor?.bytes ?? new Uint8Array())
  return hash.digest('hex').slice(0, 16)
}

import type { z } from 'zod'
import type { PackReport } from '../../../../workers/protocol/files/methods.ts'
import type { RunDetail } from '../../../../workers/protocol/studio.ts'

type Packed = z.output<typeof PackReport>['packed']
type PackedTensor = Packed['tensors'][number]

export type PackStage = 'raw' | 'pruned' | 'shared' | 'huffman'

const BITS = 8

/** Bytes of positions in codes of one length; none where every element is written. */
const positionBytes = ({ positions, nonZeros, fillers }: PackedTensor): number =>
  positions === 'dense' ? 0 : Math.ceil(((nonZeros + fillers) * positions) / BITS)

const written = ({ positions, nonZeros, elements }: PackedTensor): number =>
  positions === 'dense' ? elements : nonZeros

/** Zeros left out, the other weights as they are. */
const prunedBytes = (tensor: PackedTensor): number =>
  Math.min(tensor.rawBytes, positionBytes(tensor) + (written(tensor) * tensor.rawBytes) / Math.max(1, tensor.elements))

/** The same with a number of a codebook in place of each weight. */
function sharedBytes(tensor: PackedTensor): number {
  const { codebook, rawBytes, elements } = tensor
  if (codebook === 0) return prunedBytes(tensor)
  const numbers = Math.ceil((written(tensor) * Math.max(1, Math.ceil(Math.log2(codebook)))) / BITS)
  return Math.min(prunedBytes(tensor), positionBytes(tensor) + numbers + (codebook * rawBytes) / Math.max(1, elements))
}

/**
 * What zeros, shared values and Huffman's codes take off a file, in this order (Han, Mao & Dally 2016,
 * arXiv:1510.00149, table 4): the first two in codes of one length. Bytes. What takes nothing off is left out.
 */
export function packStages({ rawBytes, bytes, skeletonBytes, tensors }: Packed): readonly {
  readonly id: PackStage
  readonly bytes: number
}[] {
  const whole = (of: (tensor: PackedTensor) => number) =>
    Math.round(tensors.reduce((sum, tensor) => sum + of(tensor), skeletonBytes))
  const [pruned, shared] = [whole(prunedBytes), whole(sharedBytes)]
  return [
    { id: 'raw' as const, bytes: rawBytes },
    ...(pruned < 0.99 * rawBytes ? [{ id: 'pruned' as const, bytes: pruned }] : []),
    ...(shared < 0.99 * Math.min(pruned, rawBytes) ? [{ id: 'shared' as const, bytes: shared }] : []),
    { id: 'huffman' as const, bytes },
  ]
}

/** Sizes of the model on its way through a run, as far as they were measured; `packed` where it was. */
export function sizesOf(detail: RunDetail): readonly {
  /** The place of the step; -1 is the input. */
  readonly step: number
  readonly bytes: number
  readonly packed: number | undefined
}[] {
  return [detail.input, ...detail.reports.map(({ stage }) => stage)].flatMap((stage, i) => {
    const { bytes, packedBytes } = (stage ?? {}) as { readonly bytes?: unknown; readonly packedBytes?: unknown }
    if (typeof bytes !== 'number') return []
    return [{ step: i - 1, bytes, packed: typeof packedBytes === 'number' ? packedBytes : undefined }]
  })
}

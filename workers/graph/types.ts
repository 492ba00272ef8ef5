import type { DType } from './dtype.ts'

/** A static size or the name of a symbolic one. `'?'` is an unknown size that equals nothing, not even itself. */
export type Dim = number | string
export type Shape = readonly Dim[]

/** What is known of a tensor; an absent shape means an unknown rank, an absent dtype an unknown type. */
export interface TensorType {
  readonly kind: 'tensor' | 'sparse'
  readonly dtype?: DType | undefined
  readonly shape?: Shape | undefined
  /** What the type and its dimensions stand for, as ONNX denotations (`IMAGE`, `DATA_BATCH`); never checked. */
  readonly denotation?: Denotation | undefined
}

/** Denotations of a type and, by position, of its dimensions; `''` where a dimension has none. */
export interface Denotation {
  readonly type?: string | undefined
  readonly dims?: readonly string[] | undefined
}
export type ValueType =
  | TensorType
  | { readonly kind: 'sequence' | 'optional'; readonly of: ValueType }
  | { readonly kind: 'map'; readonly key: DType; readonly of: ValueType }
  /** Absent, or of a kind that is not modelled (opaque types): then its TypeProto is kept byte for byte. */
  | { readonly kind: 'unknown'; readonly verbatim?: Uint8Array | undefined }

export const tensorType = (dtype: DType | undefined, shape?: Shape): TensorType => ({ kind: 'tensor', dtype, shape })

/** The tensor type of a value, or undefined when it is a sequence, map, optional or unknown. */
export const asTensor = (type: ValueType | undefined): TensorType | undefined =>
  type?.kind === 'tensor' ? type : undefined

/** The shape when every dimension is a number. */
export const staticShape = (type: ValueType | undefined): readonly number[] | undefined => {
  const shape = asTensor(type)?.shape
  return shape?.every((d): d is number => typeof d === 'number') ? shape : undefined
}

/**
 * Whether no value can have both types. Sizes contradict each other when both are numbers and differ; unknown ones
 * and names contradict nothing, because a name only says which sizes are equal.
 */
export function contradicts(a: ValueType, b: ValueType): boolean {
  if (a.kind === 'unknown' || b.kind === 'unknown') return false
  if (a.kind === 'tensor' || a.kind === 'sparse') {
    if (a.kind !== b.kind) return true
    return (a.dtype !== undefined && b.dtype !== undefined && a.dtype !== b.dtype) || shapesContradict(a.shape, b.shape)
  }
  if (b.kind === 'tensor' || b.kind === 'sparse' || a.kind !== b.kind) return true
  return (a.kind === 'map' && b.kind === 'map' && a.key !== b.key) || contradicts(a.of, b.of)
}

function shapesContradict(a: Shape | undefined, b: Shape | undefined): boolean {
  if (!a || !b) return false
  if (a.length !== b.length) return true
  return a.some((d, i) => typeof d === 'number' && typeof b[i] === 'number' && d !== b[i])
}

/** The same type with its sizes changed, inside sequences, maps and optionals too. */
export function mapDims(type: ValueType, change: (dim: Dim) => Dim): ValueType {
  if ('of' in type) return { ...type, of: mapDims(type.of, change) }
  return 'shape' in type && type.shape ? { ...type, shape: type.shape.map(change) } : type
}

import type { LooseAttributes } from '../../../graph/attributes.ts'
import type { Emitter } from '../../../ops/emit.ts'

/** A convolution's attributes with every default filled in, one entry per spatial axis. */
export interface Geometry {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding before and after each axis. */
  readonly before: readonly number[]
  readonly after: readonly number[]
  readonly group: number
}

/** Geometry of a window operator from its attributes and the static shapes of its input and output. */
export function geometryOf(
  attr: LooseAttributes,
  x: readonly number[],
  y: readonly number[],
  kernel: readonly number[],
): Geometry {
  const ones = kernel.map(() => 1)
  const strides = (attr['strides'] as readonly number[] | undefined) ?? ones
  const dilations = (attr['dilations'] as readonly number[] | undefined) ?? ones
  const group = (attr['group'] as number | undefined) ?? 1
  const auto = (attr['auto_pad'] as string | undefined) ?? 'NOTSET'
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const total = kernel.map((k, i) =>
      Math.max(
        0,
        ((y[i + 2] as number) - 1) * (strides[i] as number) +
          (k - 1) * (dilations[i] as number) +
          1 -
          (x[i + 2] as number),
      ),
    )
    const small = total.map((t) => Math.floor(t / 2))
    const large = total.map((t) => Math.ceil(t / 2))
    const [before, after] = auto === 'SAME_UPPER' ? [small, large] : [large, small]
    return { kernel, strides, dilations, before, after, group }
  }
  const pads = auto === 'VALID' ? undefined : (attr['pads'] as readonly number[] | undefined)
  const zeros = kernel.map(() => 0)
  const before = pads?.slice(0, kernel.length) ?? zeros
  const after = pads?.slice(kernel.length) ?? zeros
  return { kernel, strides, dilations, before, after, group }
}

/** Every offset in a kernel, row-major. */
export function offsetsOf(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (list, k) => list.flatMap((head) => [...Array(k).keys()].map((i) => [...head, i])),
    [[]],
  )
}

/** Zero padding of the spatial axes; the last axes of `a` are the spatial ones. */
export function padSpatial(g: Emitter, a: string, before: readonly number[], after: readonly number[]): string {
  const lead = Array<number>(g.rank(a) - before.length).fill(0)
  return g.pad(a, [...lead, ...before, ...lead, ...after])
}

/** Batched matrix product with transposes folded in: onnxruntime's own operator, no copies. */
export function fusedMatMul(g: Emitter, a: string, b: string, options: { transA?: 0 | 1; transB?: 0 | 1 }): string {
  const [out = ''] = g.node('com.microsoft', 'FusedMatMul', [a, b], options)
  const [as, bs] = [g.dims(a), g.dims(b)]
  const rows = as.at(options.transA ? -1 : -2) as number
  const columns = bs.at(options.transB ? -2 : -1) as number
  g.types.set(out, { kind: 'tensor', dtype: g.dtype(a), shape: [...as.slice(0, -2), rows, columns] })
  return out
}

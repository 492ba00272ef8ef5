import { sizeOf } from '../../graph/tensor.ts'

/** Which of the spatial attributes of a convolution one of its factors takes over. */
export type Axes = 'none' | 'all' | 'rows' | 'columns'

/** One convolution of those that take the place of a layer: weight `[out, in, …kernel]`, `in` per group. */
export interface Piece {
  readonly out: number
  readonly in: number
  readonly kernel: readonly number[]
  readonly group: number
  readonly axes: Axes
  readonly data: Float64Array
}

/** The weight of a convolution, or of one of its groups: `[out, in, …kernel]`. */
export interface ConvWeight {
  readonly out: number
  readonly in: number
  readonly kernel: readonly number[]
  readonly data: Float64Array
}

export const taps = ({ kernel }: { readonly kernel: readonly number[] }): number => sizeOf(kernel)

/** A convolution of one tap. */
export const pointwise = (out: number, input: number, rank: number, data: Float64Array): Piece => ({
  out,
  in: input,
  kernel: Array<number>(rank).fill(1),
  group: 1,
  axes: 'none',
  data,
})

/** The pieces of all groups of a grouped convolution side by side. */
export function stack(groups: readonly (readonly Piece[])[]): readonly Piece[] {
  const [first = []] = groups
  return first.map((piece, i) => {
    const all = groups.map((pieces) => pieces[i] as Piece)
    const data = new Float64Array(all.reduce((n, p) => n + p.data.length, 0))
    let at = 0
    for (const p of all) {
      data.set(p.data, at)
      at += p.data.length
    }
    return { ...piece, out: piece.out * groups.length, group: piece.group * groups.length, data }
  })
}

/** Sizes that the cost of a layer depends on; spatial sizes of input and output where they are known. */
export interface Geometry {
  readonly input: readonly number[] | undefined
  readonly output: readonly number[] | undefined
}

export interface Cost {
  readonly params: number
  /** Multiply-accumulates of one sample; undefined where a spatial size is open. */
  readonly macs: number | undefined
}

/** A piece without its elements: enough to know what it costs. */
export type PieceShape = Omit<Piece, 'data'>

/** What convolutions in a row cost; up to the one with the stride they run at the size of the input. */
export function costOfPieces(pieces: readonly PieceShape[], { input, output }: Geometry): Cost {
  let params = 0
  let macs: number | undefined = 0
  let size = input
  for (const piece of pieces) {
    const elements = piece.out * piece.in * sizeOf(piece.kernel)
    params += elements
    size = sizeAfter(piece.axes, size, output)
    macs = macs === undefined || size === undefined ? undefined : macs + elements * sizeOf(size)
  }
  return { params, macs }
}

function sizeAfter(
  axes: Axes,
  size: readonly number[] | undefined,
  output: readonly number[] | undefined,
): readonly number[] | undefined {
  if (axes === 'none' || !size || !output) return size && output ? size : undefined
  if (axes === 'all') return output
  const axis = axes === 'rows' ? 0 : 1
  return size.map((d, i) => (i === axis ? (output[i] as number) : d))
}

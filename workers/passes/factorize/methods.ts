import { cp4, type Cp4Options } from './cp.ts'
import { firstColumns, matrixOf, multiply, symmetricEigen, transpose, type Matrix } from './matrix.ts'
import { costOfPieces, taps, type ConvWeight, type Geometry, type Piece, type PieceShape } from './piece.ts'
import { columnsOfFilters, componentsOf, leastOutputError, lostOutput, tuckerOnData } from './refit.ts'
import { balancedFactors, relativeError, singularValues, truncatedSvd } from './svd.ts'
import { byInput, byOutput, tucker2 } from './tucker.ts'

/** The ranks of a layer: one, or for Tucker those of the output and the input channels. */
export type Ranks = readonly number[]

export interface Factors {
  readonly pieces: readonly Piece[]
  /** ‖W − Ŵ‖ / ‖W‖. */
  readonly error: number
  /** Something that the person should know: that another method had to take over. */
  readonly note?: string
}

/** A way to write the weight of a layer, or of one group of it, as several smaller ones in a row. */
export interface Method {
  readonly title: string
  readonly source: string
  /** Why it can't be used on weights of these sizes; undefined when it can. */
  readonly whyNot: (w: ConvShape) => string | undefined
  /** Ranks at which nothing is lost. */
  readonly fullRanks: (w: ConvShape) => Ranks
  /** What the layer becomes, without computing it. */
  readonly shapes: (w: ConvShape, ranks: Ranks) => readonly PieceShape[]
  /** Singular values that each rank cuts off; absent where no such values exist. */
  readonly spectra?: (w: ConvWeight, moments?: Matrix) => readonly Float64Array[]
  /** Whether it makes use of what a layer puts out on data. */
  readonly usesMoments?: boolean
  /** Whether it makes use of what a layer reads on data. */
  readonly usesInputs?: boolean
  /** The matrix behind each spectrum: rows and columns. */
  readonly unfoldings?: (w: ConvShape) => readonly (readonly [number, number])[]
  readonly factor: (w: ConvWeight, ranks: Ranks, context: FactorContext) => Factors
}

export interface FactorContext {
  readonly geometry: Geometry
  /** E[(y − b)(y − b)ᵀ] of what the layer puts out on data, `[out, out]`: then outputs are kept, not weights. */
  readonly moments?: Matrix | undefined
  /** E[xxᵀ] of the patches that the kernel is laid on, `[in·taps, in·taps]`: outputs are kept too, but by other methods. */
  readonly inputs?: Matrix | undefined
  readonly cp?: CpOptions | undefined
}

/** How CP decompositions are computed. */
export interface CpOptions extends Pick<Cp4Options, 'sweeps' | 'ridge'> {
  /** Σ‖component‖² / ‖W‖² from which on Tucker-2 takes its place; 10 unless told. */
  readonly degeneracy?: number
}

export type ConvShape = Omit<ConvWeight, 'data'>

const needsPlane = ({ kernel }: ConvShape): string | undefined =>
  kernel.length !== 2
    ? `its kernel has ${kernel.length} axes, and two are needed`
    : kernel.some((k) => k === 1)
      ? `its kernel is ${kernel.join('×')}: one axis has nothing to separate`
      : undefined

const ones = (n: number): number[] => Array<number>(n).fill(1)
const shapeOf = (
  out: number,
  input: number,
  kernel: readonly number[],
  more: Partial<PieceShape> = {},
): PieceShape => ({
  out,
  in: input,
  kernel,
  group: 1,
  axes: 'none',
  ...more,
})
const withData = (shape: PieceShape, data: Float64Array): Piece => ({ ...shape, data })
const rank1 = (ranks: Ranks): number => ranks[0] ?? 1

/** W = (U·√Σ)·(√Σ·Vᵀ): two matrix products, or two convolutions of one tap. */
const svd: Method = {
  title: 'Singular value decomposition',
  source: 'Denton et al. 2014, arXiv:1404.0736',
  whyNot: (w) => (taps(w) === 1 ? undefined : `its kernel is ${w.kernel.join('×')}, and this method is for one tap`),
  fullRanks: (w) => [Math.min(w.out, w.in)],
  // The stride stands on the first one, whose output is the smaller then; without bias a padded border stays zero.
  shapes: (w, ranks) => [
    shapeOf(rank1(ranks), w.in, w.kernel, { axes: 'all' }),
    shapeOf(w.out, rank1(ranks), ones(w.kernel.length)),
  ],
  spectra: (w, moments) => [moments ? deviations(moments) : singularValues(byOutput(w))],
  usesMoments: true,
  unfoldings: (w) => [[w.out, w.in]],
  factor: (w, ranks, { moments }) => {
    const whole = byOutput(w)
    const { left, right } = moments
      ? principal(whole, moments, rank1(ranks))
      : balancedFactors(truncatedSvd(whole, rank1(ranks)))
    const [first, second] = svd.shapes(w, ranks) as [PieceShape, PieceShape]
    return {
      pieces: [withData(first, right.data), withData(second, left.data)],
      error: moments ? outputError(left, moments) : relativeError(whole, multiply(left, right)),
    }
  },
}

/** Deviations of the outputs along their principal axes, descending. */
const deviations = (moments: Matrix): Float64Array =>
  symmetricEigen(moments).values.map((v) => Math.sqrt(Math.max(0, v)))

/**
 * W ≈ U·(Uᵀ·W) with the principal axes of the outputs: of all W′ of rank R the one of least E‖(W − W′)x‖² (Zhang, Zou, He
 * & Sun 2015, arXiv:1505.06798, section 2.1, without the nonlinearity).
 */
function principal(whole: Matrix, moments: Matrix, rank: number): { left: Matrix; right: Matrix } {
  const left = firstColumns(symmetricEigen(moments).vectors, rank)
  return { left, right: multiply(transpose(left), whole) }
}

/** √(E‖y − ŷ‖² / E‖y‖²): what of the outputs lies outside the axes that are kept. */
function outputError(axes: Matrix, moments: Matrix): number {
  const trace = (m: Matrix) => m.data.reduce((sum, v, i) => (i % (m.columns + 1) === 0 ? sum + v : sum), 0)
  const total = trace(moments)
  const kept = trace(multiply(multiply(transpose(axes), moments), axes))
  return total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - kept / total))
}

/** The whole kernel to few channels, then 1×1: only the output channels are combined. */
const channel: Method = {
  title: 'Output channels: k×k, then 1×1',
  source: 'Zhang et al. 2015, arXiv:1505.06798',
  whyNot: (w) => (taps(w) === 1 ? 'its kernel has one tap: svd is for that' : undefined),
  fullRanks: (w) => [Math.min(w.out, w.in * taps(w))],
  shapes: (w, ranks) => svd.shapes(w, ranks),
  spectra: (w, moments) => (svd.spectra as NonNullable<Method['spectra']>)(w, moments),
  usesMoments: true,
  unfoldings: (w) => [[w.out, w.in * taps(w)]],
  factor: (w, ranks, context) => svd.factor(w, ranks, context),
}

/** `[in·kh, out·kw]`. */
function byRowsAndColumns(w: ConvWeight): Matrix {
  const [kh = 1, kw = 1] = w.kernel
  const columns = w.out * kw
  const data = new Float64Array(w.data.length)
  let at = 0
  for (let t = 0; t < w.out; t++) {
    for (let s = 0; s < w.in; s++) {
      for (let y = 0; y < kh; y++) {
        for (let x = 0; x < kw; x++) data[(s * kh + y) * columns + t * kw + x] = w.data[at++] as number
      }
    }
  }
  return matrixOf(w.in * kh, columns, data)
}

/** A column of filters, then a row of filters. */
const spatial: Method = {
  title: 'Spatial SVD: k×1, then 1×k',
  source: 'Jaderberg, Vedaldi & Zisserman 2014, arXiv:1405.3866, scheme 2',
  whyNot: needsPlane,
  fullRanks: (w) => [Math.min(w.in * (w.kernel[0] ?? 1), w.out * (w.kernel[1] ?? 1))],
  shapes: (w, ranks) => [
    shapeOf(rank1(ranks), w.in, [w.kernel[0] ?? 1, 1], { axes: 'rows' }),
    shapeOf(w.out, rank1(ranks), [1, w.kernel[1] ?? 1], { axes: 'columns' }),
  ],
  spectra: (w) => [singularValues(byRowsAndColumns(w))],
  unfoldings: (w) => [[w.in * (w.kernel[0] ?? 1), w.out * (w.kernel[1] ?? 1)]],
  usesInputs: true,
  factor: (w, ranks, { inputs }) => {
    const r = rank1(ranks)
    const whole = byRowsAndColumns(w)
    const { left, right } = balancedFactors(truncatedSvd(whole, r))
    const [first, second] = spatial.shapes(w, ranks) as [PieceShape, PieceShape]
    const basis = inputs && columnsOfFilters(left, w.kernel[1] ?? 1)
    const fitted = inputs && basis && leastOutputError(byOutput(w), basis, inputs)
    if (fitted) {
      return {
        pieces: [withData(first, transpose(left).data), withData(second, fitted.data)],
        error: lostOutput(byOutput(w), multiply(fitted, basis), inputs),
      }
    }
    const rowsOfFilters = byInput({ out: r, in: w.out, kernel: [w.kernel[1] ?? 1], data: right.data })
    return {
      pieces: [withData(first, transpose(left).data), withData(second, rowsOfFilters.data)],
      error: relativeError(whole, multiply(left, right)),
    }
  },
}

/** 1×1 to few channels, the kernel between few channels, 1×1 back. */
const tucker: Method = {
  title: 'Tucker-2',
  source: 'Kim et al. 2016, arXiv:1511.06530',
  whyNot: (w) => (taps(w) === 1 ? 'its kernel has one tap: svd is for that' : undefined),
  fullRanks: (w) => [Math.min(w.out, w.in * taps(w)), Math.min(w.in, w.out * taps(w))],
  shapes: (w, [rankOut = 1, rankIn = 1]) => [
    shapeOf(rankIn, w.in, ones(w.kernel.length)),
    shapeOf(rankOut, rankIn, w.kernel, { axes: 'all' }),
    shapeOf(w.out, rankOut, ones(w.kernel.length)),
  ],
  spectra: (w) => [singularValues(byOutput(w)), singularValues(byInput(w))],
  unfoldings: (w) => [
    [w.out, w.in * taps(w)],
    [w.in, w.out * taps(w)],
  ],
  usesInputs: true,
  factor: (w, ranks, { inputs }) => {
    const [rankOut = 1, rankIn = 1] = ranks
    const plain = tucker2(w, rankOut, rankIn)
    const { input } = plain
    const { output, core, error } = (inputs && tuckerOnData(w, input, rankOut, inputs)) ?? plain
    const [first, middle, last] = tucker.shapes(w, ranks) as [PieceShape, PieceShape, PieceShape]
    return {
      pieces: [withData(first, transpose(input).data), withData(middle, core), withData(last, output.data)],
      error,
    }
  },
}

/** Above this the components of a CP decomposition cancel each other, and rounding or quantization would show. */
const DEGENERATE = 10

/** 1×1, a column and a row of each channel by itself, 1×1. */
const cp: Method = {
  title: 'CP-4',
  source: 'Lebedev et al. 2015, arXiv:1412.6553',
  whyNot: needsPlane,
  fullRanks: ({ out, in: input, kernel: [kh = 1, kw = 1] }) => [
    Math.min(out * input * Math.min(kh, kw), out * kh * kw, input * kh * kw),
  ],
  shapes: ({ out, in: input, kernel: [kh = 1, kw = 1] }, ranks) => {
    const r = rank1(ranks)
    return [
      shapeOf(r, input, [1, 1]),
      shapeOf(r, 1, [kh, 1], { group: r, axes: 'rows' }),
      shapeOf(r, 1, [1, kw], { group: r, axes: 'columns' }),
      shapeOf(out, r, [1, 1]),
    ]
  },
  usesInputs: true,
  factor: (w, ranks, context) => {
    const { degeneracy: limit = DEGENERATE, ...options } = context.cp ?? {}
    const { output, input, rows, columns, error, degeneracy } = cp4(w, rank1(ranks), options)
    if (!(degeneracy < limit)) return fallBack(w, ranks, context, degeneracy)
    const { inputs } = context
    const basis = inputs && componentsOf(input, rows, columns)
    const fitted = inputs && basis && leastOutputError(byOutput(w), basis, inputs)
    const data = [transpose(input), transpose(rows), transpose(columns), fitted ?? output]
    const pieces = cp.shapes(w, ranks).map((shape, i) => withData(shape, (data[i] as Matrix).data))
    return { pieces, error: fitted ? lostOutput(byOutput(w), multiply(fitted, basis), inputs) : error }
  },
}

/** Tucker-2 of at most as many parameters. */
function fallBack(w: ConvWeight, ranks: Ranks, context: FactorContext, degeneracy: number): Factors {
  const { params } = costOfPieces(cp.shapes(w, ranks), context.geometry)
  const found = largestRanks(tucker, w, (shapes) => costOfPieces(shapes, context.geometry).params <= params)
  return {
    ...tucker.factor(w, found, context),
    note: `CP of rank ${rank1(ranks)} degenerates (its components have ${degeneracy.toPrecision(3)} times the energy of the weight); Tucker-2 of ranks ${found.join(' and ')} took its place`,
  }
}

/** Each input channel filtered by itself, then 1×1: rank m gives m filters to each channel. */
const depthwise: Method = {
  title: 'Depthwise-separable approximation',
  source: 'Guo et al. 2018, arXiv:1808.02121',
  whyNot: (w) => (taps(w) === 1 ? 'its kernel has one tap: nothing to separate' : undefined),
  fullRanks: (w) => [Math.min(w.out, taps(w))],
  shapes: (w, ranks) => [
    shapeOf(w.in * rank1(ranks), 1, w.kernel, { group: w.in, axes: 'all' }),
    shapeOf(w.out, w.in * rank1(ranks), ones(w.kernel.length)),
  ],
  spectra: (w) => [together(Array.from({ length: w.in }, (_, s) => singularValues(ofChannel(w, s))))],
  factor: (w, ranks) => {
    const [m, k] = [rank1(ranks), taps(w)]
    const filters = new Float64Array(w.in * m * k)
    const mixing = new Float64Array(w.out * w.in * m)
    let lost = 0
    for (let s = 0; s < w.in; s++) {
      const whole = ofChannel(w, s)
      const { left, right } = balancedFactors(truncatedSvd(whole, m))
      filters.set(right.data, s * m * k)
      for (let t = 0; t < w.out; t++) mixing.set(left.data.subarray(t * m, (t + 1) * m), (t * w.in + s) * m)
      const approximation = multiply(left, right).data
      whole.data.forEach((v, i) => (lost += (v - (approximation[i] as number)) ** 2))
    }
    const total = w.data.reduce((sum, v) => sum + v * v, 0)
    const [first, second] = depthwise.shapes(w, ranks) as [PieceShape, PieceShape]
    return {
      pieces: [withData(first, filters), withData(second, mixing)],
      error: total === 0 ? 0 : Math.sqrt(lost / total),
    }
  },
}

/** What reads one input channel: `[out, taps]`. */
function ofChannel(w: ConvWeight, s: number): Matrix {
  const k = taps(w)
  const data = new Float64Array(w.out * k)
  for (let t = 0; t < w.out; t++) data.set(w.data.subarray((t * w.in + s) * k, (t * w.in + s + 1) * k), t * k)
  return matrixOf(w.out, k, data)
}

/** Spectra that are cut at the same rank as one: energies add up. */
export function together(spectra: readonly Float64Array[]): Float64Array {
  const length = Math.max(...spectra.map((s) => s.length))
  return Float64Array.from({ length }, (_, i) => Math.hypot(...spectra.map((s) => s[i] ?? 0)))
}

/** The ranks at a share of the full ones, 1 at least. */
export const ranksAtShare = (method: Method, w: ConvShape, share: number): Ranks =>
  method.fullRanks(w).map((full) => Math.max(1, Math.min(full, Math.round(share * full))))

/** The largest ranks, all at one share of the full ones, at which the pieces are acceptable; 1 where none are. */
export function largestRanks(method: Method, w: ConvShape, fits: (shapes: readonly PieceShape[]) => boolean): Ranks {
  let [low, high] = [0, 1]
  for (let i = 0; i < 30; i++) {
    const middle = (low + high) / 2
    if (fits(method.shapes(w, ranksAtShare(method, w, middle)))) low = middle
    else high = middle
  }
  return ranksAtShare(method, w, low)
}

export const methods = { svd, spatial, tucker, cp, depthwise, channel } as const satisfies Record<string, Method>
export type MethodId = keyof typeof methods
export const methodIds = Object.keys(methods) as [MethodId, ...MethodId[]]

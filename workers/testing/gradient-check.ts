import { evaluate } from '../executors/reference/evaluate.ts'
import type { NdArray } from '../executors/reference/value.ts'
import { isFloat } from '../graph/dtype.ts'
import { identity, type Graph } from '../graph/graph.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { parse } from '../graph/parse.ts'
import { sizeOf, tensorOf } from '../graph/tensor.ts'
import { staticShape } from '../graph/types.ts'
import { decompose } from '../ops/decompose.ts'
import { Emitter } from '../ops/emit.ts'
import { inferTypes } from '../ops/infer.ts'
import { differentiate } from '../train/differentiate.ts'

export interface CheckOptions {
  /** Values of some inputs; normal noise otherwise. */
  readonly feeds?: Readonly<Record<string, readonly number[]>>
  /** Changes the noise: keep it away from kinks, or positive. */
  readonly map?: (value: number) => number
  readonly seed?: number
}

/**
 * Largest relative error between the gradients that the rules write and central finite differences, both in float64.
 * The outputs are reduced to a scalar by random weights, so that no direction is hidden. All float inputs are
 * differentiated.
 */
export function gradientError(source: string | Graph, options: CheckOptions = {}): number {
  const graph = inferTypes(decompose(inferTypes(typeof source === 'string' ? parse(source) : source)))
  const wrt = graph.requiredInputs.filter((v) => v.type.kind === 'tensor' && v.type.dtype === 'f32').map((v) => v.name)
  const withLoss = addLoss(graph)
  const backward = differentiate(withLoss, { loss: 'check.loss', wrt })
  const feeds = makeFeeds(graph, options)
  const exact = evaluate(backward, feeds, { precision: 'f64' })
  let worst = 0
  wrt.forEach((name, i) => {
    const analytic = (exact[backward.outputs[i + 1]?.name ?? ''] as NdArray).data as Float64Array
    const numeric = finiteDifferences(withLoss, feeds, name)
    worst = Math.max(worst, relativeError(analytic, numeric))
  })
  return worst
}

/** The sum over all float outputs of each, weighted at random. */
function addLoss(graph: Graph): Graph {
  const g = new Emitter(graph)
  const random = mulberry32(7)
  const weighted = graph.outputs
    .filter(({ name }) => isFloat(g.dtype(name)))
    .map(({ name }) => {
      const dims = g.dims(name)
      const weights = tensorOf(
        'f32',
        dims,
        Float32Array.from({ length: sizeOf(dims) }, () => gaussian(random)),
      )
      return g.total(g.mul(name, g.cast(g.constant('check.weights', weights), g.dtype(name))))
    })
  const loss = weighted.map((term) => g.cast(term, 'f32')).reduce((sum, term) => g.add(sum, term))
  g.append(identity(loss, 'check.loss'))
  g.outputs.length = 0
  g.output('check.loss')
  return g.build()
}

function makeFeeds(graph: Graph, { feeds = {}, map = (v) => v, seed = 3 }: CheckOptions): Record<string, NdArray> {
  const random = mulberry32(seed)
  return Object.fromEntries(
    graph.requiredInputs.map(({ name, type }): [string, NdArray] => {
      const dims = staticShape(type) ?? []
      const dtype = type.kind === 'tensor' ? (type.dtype ?? 'f32') : 'f32'
      const given = feeds[name]
      if (dtype === 'i64')
        return [name, { kind: 'tensor', dtype, dims, data: BigInt64Array.from((given ?? []).map(BigInt)) }]
      if (dtype === 'bool' || dtype === 'u8')
        return [name, { kind: 'tensor', dtype, dims, data: Uint8Array.from(given ?? []) }]
      const data = Float64Array.from({ length: sizeOf(dims) }, (_, i) => given?.[i] ?? map(gaussian(random)))
      return [name, { kind: 'tensor', dtype, dims, data }]
    }),
  )
}

const STEP = 1e-5

function finiteDifferences(graph: Graph, feeds: Readonly<Record<string, NdArray>>, name: string): Float64Array {
  const own = feeds[name] as NdArray
  const values = own.data as Float64Array
  const lossAt = (data: Float64Array): number => {
    const result = evaluate(graph, { ...feeds, [name]: { ...own, data } }, { precision: 'f64' })
    return ((result['check.loss'] as NdArray).data as Float64Array)[0] as number
  }
  return values.map((value, i) => {
    const moved = (by: number) => lossAt(values.with(i, value + by))
    return (moved(STEP) - moved(-STEP)) / (2 * STEP)
  })
}

/** Differences of float64 losses over twice the step carry noise of about 1e-10: a gradient of zero must pass. */
const FLOOR = 1e-5

function relativeError(a: Float64Array, b: Float64Array): number {
  const difference = Math.hypot(...a.map((v, i) => v - (b[i] as number)))
  return difference / Math.max(FLOOR, Math.hypot(...a), Math.hypot(...b))
}

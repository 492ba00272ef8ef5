import { AlambicError } from '../../protocol/errors.ts'
import { isFloat } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { nearestNames } from '../../graph/nearest.ts'
import { asTensor } from '../../graph/types.ts'

/** A value inside a net at which its inner representation can be compared with another net's. */
export interface FeaturePoint {
  readonly value: string
  readonly node: string
  readonly op: string
  /** Without the batch: `[C, H, W]`, `[T, D]` or `[D]`. */
  readonly dims: readonly number[]
}

/** Points of one size in a row, as a net has them between two poolings; `point` is the last. */
export interface Stage {
  /** `16×16`, `tokens` or `vector`. */
  readonly size: string
  readonly point: FeaturePoint
}

/**
 * The values that everything passes through on the way from the first input to the first output, in order: nothing
 * runs beside them, so each is a whole representation of the sample. The output itself is not among them. Types must
 * be inferred.
 */
export function featurePoints(graph: Graph): readonly FeaturePoint[] {
  const input = graph.requiredInputs[0]?.name ?? ''
  const last = graph.outputs[0]?.name ?? ''
  const reached = reachedFrom(graph, input)
  const pending = new Map<string, number>([[input, reads(graph, input)]])
  const points: FeaturePoint[] = []
  for (const node of graph.nodes) {
    if (!node.outputs.some((y) => reached.has(y))) continue
    for (const x of new Set(node.inputs)) settle(pending, x, node)
    for (const y of node.outputs) {
      const uses = reads(graph, y)
      if (y !== '' && uses > 0 && carries(graph, y)) pending.set(y, uses)
    }
    const [only, ...others] = pending.keys()
    if (only === undefined || others.length > 0 || !node.outputs.includes(only) || only === last) continue
    const point = pointAt(graph, only)
    if (point) points.push(point)
  }
  return points
}

function settle(pending: Map<string, number>, value: string, node: Node): void {
  const left = pending.get(value)
  if (left === undefined) return
  const rest = left - node.inputs.filter((x) => x === value).length
  if (rest > 0) pending.set(value, rest)
  else pending.delete(value)
}

const carries = (graph: Graph, value: string): boolean => isFloat(asTensor(graph.type(value))?.dtype ?? 'f32')
const reads = (graph: Graph, value: string): number => graph.uses(value).filter((use) => use.kind === 'node').length

function reachedFrom(graph: Graph, input: string): ReadonlySet<string> {
  const reached = new Set([input])
  for (const node of graph.nodes) {
    if (node.inputs.some((x) => reached.has(x))) node.outputs.forEach((y) => reached.add(y))
  }
  return reached
}

/** What is known of a value as a feature; undefined where its sizes behind the batch are open. */
function pointAt(graph: Graph, value: string): FeaturePoint | undefined {
  const type = asTensor(graph.type(value))
  const dims = type?.shape?.slice(1) ?? []
  const node = graph.producer(value)
  if (!node || dims.length === 0 || !dims.every((d) => typeof d === 'number')) return undefined
  return { value, node: node.name, op: node.op, dims }
}

/** `16×16` for maps, `tokens` for `[T, D]`, `vector` for `[D]`: what two features must share to be compared in place. */
export function sizeOfPoint({ dims }: FeaturePoint): string {
  if (dims.length === 1) return 'vector'
  return dims.length === 2 ? 'tokens' : dims.slice(1).join('×')
}

/** A net's points by size, the last of each run. Tokens never change their size: every point is a stage of its own. */
export function stagesOf(points: readonly FeaturePoint[]): readonly Stage[] {
  const stages: Stage[] = []
  for (const point of points) {
    const size = sizeOfPoint(point)
    if (stages.at(-1)?.size === size && size !== 'tokens') stages.pop()
    stages.push({ size, point })
  }
  return stages
}

/**
 * The value that a person named, by its own name or by that of the node that computes it.
 *
 * @throws AlambicError `distil.unknown-feature` with the nearest names; `distil.feature` for a value without fixed sizes
 */
export function findPoint(graph: Graph, name: string, whose: 'student' | 'teacher'): FeaturePoint {
  const node = graph.producer(name) ?? graph.nodes.find((n) => n.name === name)
  const value = graph.producer(name) ? name : (node?.outputs[0] ?? '')
  if (!node || value === '') {
    const nearest = nearestNames(
      name,
      [...graph.nodes.flatMap((n) => [n.outputs[0] ?? '', n.name])].filter((n) => n !== ''),
    )
    throw new AlambicError('distil.unknown-feature', `the ${whose} has no value or node "${name}"`, {
      subject: name,
      expected:
        nearest.length > 0 ? `a name such as ${nearest.map((n) => `"${n}"`).join(', ')}` : 'a name of its graph',
      found: name,
      fix: `List the names with: alambic pairing, or inspect the ${whose} with --text.`,
    })
  }
  const point = carries(graph, value) ? pointAt(graph, value) : undefined
  if (point) return point
  throw new AlambicError('distil.feature', `"${name}" of the ${whose} can't be compared`, {
    subject: name,
    expected: 'floating-point values whose sizes behind the batch are known',
    found: JSON.stringify(asTensor(graph.type(value))?.shape ?? 'an open shape'),
  })
}

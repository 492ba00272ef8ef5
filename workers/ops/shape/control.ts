import { asTensor, tensorType, type Dim, type ValueType } from '../../graph/types.ts'
import { generalize, isNumber } from '../dims.ts'
import { axisOf, type Call, type OutputTypes, type TypeRules } from './call.ts'

/** What two types have in common; undefined when that is nothing. */
export function commonType(a: ValueType | undefined, b: ValueType | undefined): ValueType | undefined {
  const [x, y] = [asTensor(a), asTensor(b)]
  if (x && y) return tensorType(x.dtype === y.dtype ? x.dtype : undefined, generalize(x.shape, y.shape))
  return a?.kind === b?.kind ? a : undefined
}

/** A known condition picks its branch; else the result is what both branches share. */
function ifRule(c: Call): OutputTypes {
  const yes = c.body('then_branch', []).outputs
  const no = c.body('else_branch', []).outputs
  const condition = c.number(0)
  // Exporters write `If` around what a rank or a size of one decides; then the other branch does not even fit.
  if (condition !== undefined) return condition === 0 ? no : yes
  return c.node.outputs.map((_, i) => commonType(yes[i], no[i]))
}

const sameType = (a: ValueType | undefined, b: ValueType | undefined): boolean => {
  const [x, y] = [asTensor(a), asTensor(b)]
  if (!x || !y) return a?.kind === b?.kind
  return (
    x.dtype === y.dtype && String(x.shape) === String(y.shape) && (x.shape === undefined) === (y.shape === undefined)
  )
}

/** Types that a loop's carried values keep in every turn, and the outputs of a body that sees them. */
function settle(
  c: Call,
  attribute: string,
  first: OutputTypes,
  inputs: (carried: OutputTypes) => OutputTypes,
  skip: number,
) {
  let carried = first
  // Each turn only forgets sizes: known, then '?', then an unknown rank, then nothing.
  for (let turn = 0; turn < 4; turn++) {
    const { outputs } = c.body(attribute, inputs(carried))
    const next = carried.map((type, i) =>
      sameType(type, outputs[i + skip]) ? type : commonType(type, outputs[i + skip]),
    )
    if (next.every((type, i) => sameType(type, carried[i]))) return { carried, outputs }
    carried = next
  }
  carried = first.map(() => undefined)
  return { carried, outputs: c.body(attribute, inputs(carried)).outputs }
}

/** A type with an axis of this size put before or between its own. */
function stacked(type: ValueType | undefined, size: Dim, axis = 0): ValueType | undefined {
  const tensor = asTensor(type)
  if (!tensor) return undefined
  const rank = (tensor.shape?.length ?? 0) + 1
  return tensorType(tensor.dtype, tensor.shape?.toSpliced(axisOf(axis, rank) ?? 0, 0, size))
}

/** Inputs: trip count, condition, carried values. Outputs: carried values, then one stack per scan output. */
function loop(c: Call): OutputTypes {
  const first = c.node.inputs.slice(2).map((_, i) => c.valueType(i + 2))
  const count = first.length
  const enter = (carried: OutputTypes) => [tensorType('i64', []), tensorType('bool', []), ...carried]
  const { carried, outputs } = settle(c, 'body', first, enter, 1)
  return c.node.outputs.map((_, i) => (i < count ? carried[i] : stacked(outputs[i + 1], '?')))
}

export interface ScanAttributes {
  readonly num_scan_inputs?: number
  readonly scan_input_axes?: readonly number[]
  readonly scan_output_axes?: readonly number[]
}

/** A type without one of its axes. */
function unstacked(type: ValueType | undefined, axis: number): { element: ValueType | undefined; size: Dim } {
  const tensor = asTensor(type)
  const at = tensor?.shape && axisOf(axis, tensor.shape.length)
  if (!tensor?.shape || at === undefined) return { element: tensor && tensorType(tensor.dtype), size: '?' }
  return { element: tensorType(tensor.dtype, tensor.shape.toSpliced(at, 1)), size: tensor.shape[at] ?? '?' }
}

/** Inputs: state, then scanned tensors; outputs: state, then stacks. Opset 8 had lengths first and a batch axis. */
function scan(c: Call<ScanAttributes>): OutputTypes {
  const batched = c.opset < 9
  const skip = batched ? 1 : 0
  const scanned = Math.max(0, Math.min(c.attr.num_scan_inputs ?? 1, c.node.inputs.length))
  const states = c.node.inputs.length - skip - scanned
  const drop = (type: ValueType | undefined) => (batched ? unstacked(type, 0).element : type)
  const first = Array.from({ length: Math.max(0, states) }, (_, i) => drop(c.valueType(i + skip)))
  const parts = Array.from({ length: scanned }, (_, i) =>
    unstacked(drop(c.valueType(i + skip + states)), batched ? 0 : (c.attr.scan_input_axes?.[i] ?? 0)),
  )
  const length = parts.map((p) => p.size).find(isNumber) ?? parts[0]?.size ?? '?'
  const enter = (carried: OutputTypes) => [...carried, ...parts.map((p) => p.element)]
  const { carried, outputs } = settle(c as Call, 'body', first, enter, 0)
  const batch = batched ? (asTensor(c.valueType(1))?.shape?.[0] ?? '?') : undefined
  return c.node.outputs.map((_, i) => {
    const axis = batched ? 0 : (c.attr.scan_output_axes?.[i - states] ?? 0)
    const type = i < states ? carried[i] : stacked(outputs[i], length, axis)
    return batch === undefined ? type : stacked(type, batch)
  })
}

/** Operators that run graphs of their own. */
export const control = {
  If: ifRule,
  Loop: (c) => loop(c),
  Scan: scan,
} satisfies TypeRules

import type { Call, Kernels } from '../call.ts'
import { concat, normalizeAxis, sliceAxis, stack, reshape } from '../iterate.ts'
import {
  allocate,
  array,
  fromNumbers,
  int64s,
  integers,
  numbers,
  type NdArray,
  type SequenceValue,
  type Value,
} from '../value.ts'
import { asTensor, staticShape } from '../../../graph/types.ts'

const truth = (value: Value | undefined): boolean => value?.kind === 'tensor' && Number(numbers(value)[0]) !== 0

const tensorOf = (value: Value | undefined, call: Call): NdArray =>
  value?.kind === 'tensor' ? value : call.fail('a scanned value is not a tensor')

/** Stacked results of the iterations; of none, an empty tensor of the type that the body declares. */
function scanned(call: Call, parts: readonly Value[], index: number, axis = 0): NdArray {
  if (parts.length > 0)
    return stack(
      parts.map((p) => tensorOf(p, call)),
      axis,
    )
  const type = call.graph('body').outputs[index]?.type
  return array(
    asTensor(type)?.dtype ?? 'f32',
    [0, ...(staticShape(type) ?? [])],
    allocate(asTensor(type)?.dtype ?? 'f32', 0),
  )
}

/** Body: (iteration, condition, carried…) → (condition, carried…, scanned…). */
function loop(call: Call): Value[] {
  const [trips, condition, ...initial] = call.values
  const body = call.graph('body')
  const most = trips?.kind === 'tensor' ? Number(numbers(trips)[0]) : Infinity
  let going = condition?.kind === 'tensor' ? truth(condition) : true
  let carried: readonly (Value | undefined)[] = initial
  const scans: Value[][] = body.outputs.slice(1 + initial.length).map(() => [])
  for (let i = 0; i < most && going; i++) {
    const results = call.runGraph(body, [int64s([i], []), fromNumbers('bool', [], [1]), ...carried])
    going = truth(results[0])
    carried = results.slice(1, 1 + initial.length)
    scans.forEach((scan, s) => scan.push(results[1 + initial.length + s] as Value))
  }
  return [...(carried as Value[]), ...scans.map((parts, s) => scanned(call, parts, 1 + initial.length + s))]
}

/** Body: (carried…, one slice of each scanned input) → (carried…, one slice of each scanned output). */
function scan(call: Call): Value[] {
  if (call.opset < 9) return scanBatched(call)
  return scanOver(call, call.values)
}

function scanOver(call: Call, values: readonly (Value | undefined)[]): Value[] {
  const body = call.graph('body')
  const count = call.number('num_scan_inputs', 1)
  const carriedCount = values.length - count
  const inputs = values.slice(carriedCount).map((v) => tensorOf(v, call))
  const axes = inputs.map((x, i) => normalizeAxis(call.numbers('scan_input_axes')?.[i] ?? 0, x.dims.length))
  // Opset 8 named the directions of its inputs plainly.
  const inputDirections = call.numbers('scan_input_directions') ?? call.numbers('directions')
  const outputDirections = call.numbers('scan_output_directions')
  const length = inputs[0]?.dims[axes[0] as number] ?? 0
  let carried: readonly (Value | undefined)[] = values.slice(0, carriedCount)
  const scans: Value[][] = body.outputs.slice(carriedCount).map(() => [])
  for (let n = 0; n < length; n++) {
    const slices = inputs.map((x, i) => {
      const axis = axes[i] as number
      const at = inputDirections?.[i] === 1 ? length - 1 - n : n
      const dims = x.dims.filter((_, d) => d !== axis)
      return reshape(sliceAxis(x, axis, at, at + 1), dims)
    })
    const results = call.runGraph(body, [...carried, ...slices])
    carried = results.slice(0, carriedCount)
    scans.forEach((parts, s) => {
      const value = results[carriedCount + s] as Value
      if (outputDirections?.[s] === 1) parts.unshift(value)
      else parts.push(value)
    })
  }
  const stacked = scans.map((parts, s) =>
    scanned(call, parts, carriedCount + s, call.numbers('scan_output_axes')?.[s] ?? 0),
  )
  return [...(carried as Value[]), ...stacked]
}

/** Opset 8: the first input holds sequence lengths and everything has a batch axis in front. */
function scanBatched(call: Call): Value[] {
  const values = call.values.slice(1).map((v) => tensorOf(v, call))
  const batch = values[0]?.dims[0] ?? 0
  const entries = Array.from({ length: batch }, (_, b) =>
    scanOver(
      call,
      values.map((x) => reshape(sliceAxis(x, 0, b, b + 1), x.dims.slice(1))),
    ),
  )
  return (entries[0] ?? []).map((_, i) =>
    stack(
      entries.map((e) => tensorOf(e[i], call)),
      0,
    ),
  )
}

const sequence = (items: readonly Value[]): SequenceValue => ({ kind: 'sequence', items })

const sequenceOf = (call: Call, index: number): SequenceValue => {
  const value = call.values[index]
  return value?.kind === 'sequence' ? value : call.fail(`input ${index} is not a sequence`)
}

/** A position in a sequence, counted from the end when negative. */
const positionOf = (call: Call, index: number, length: number): number => {
  const at = integers(call.input(index))[0] as number
  return at < 0 ? at + length : at
}

function splitToSequence(call: Call): SequenceValue {
  const [x, split] = [call.input(0), call.optional(1)]
  const axis = normalizeAxis(call.number('axis', 0), x.dims.length)
  const size = x.dims[axis] as number
  const given = split && integers(split)
  const chunk = given ? (split.dims.length === 0 ? (given[0] as number) : undefined) : 1
  const sizes =
    chunk === undefined
      ? (given as number[])
      : Array.from({ length: Math.ceil(size / chunk) }, (_, i) => Math.min(chunk, size - i * chunk))
  const squeeze = !split && !call.flag('keepdims', true)
  let start = 0
  return sequence(
    sizes.map((length) => {
      const part = sliceAxis(x, axis, start, start + length)
      start += length
      return squeeze
        ? reshape(
            part,
            x.dims.filter((_, d) => d !== axis),
          )
        : part
    }),
  )
}

/** Runs the body for every element of the first sequence; other sequences go along, tensors stay the same. */
function sequenceMap(call: Call): Value[] {
  const body = call.graph('body')
  const { items } = sequenceOf(call, 0)
  const results = items.map((_, i) =>
    call.runGraph(
      body,
      call.values.map((v) => (v?.kind === 'sequence' ? v.items[i] : v)),
    ),
  )
  return body.outputs.map((_, o) => sequence(results.map((r) => r[o] as Value)))
}

const none: Value = { kind: 'none' }

export const controls: Kernels = {
  If: (call) => call.runGraph(call.graph(truth(call.values[0]) ? 'then_branch' : 'else_branch'), []),
  Loop: loop,
  Scan: scan,
  SequenceEmpty: () => sequence([]),
  SequenceConstruct: (call) => sequence(call.rest(0)),
  SequenceLength: (call) => int64s([sequenceOf(call, 0).items.length], []),
  SequenceAt: (call) => {
    const { items } = sequenceOf(call, 0)
    return items[positionOf(call, 1, items.length)] ?? call.fail('the position is outside the sequence')
  },
  SequenceInsert: (call) => {
    const { items } = sequenceOf(call, 0)
    const at = call.optional(2) ? positionOf(call, 2, items.length) : items.length
    return sequence(items.toSpliced(at, 0, call.input(1)))
  },
  SequenceErase: (call) => {
    const { items } = sequenceOf(call, 0)
    return sequence(items.toSpliced(call.optional(1) ? positionOf(call, 1, items.length) : items.length - 1, 1))
  },
  SequenceMap: sequenceMap,
  SplitToSequence: splitToSequence,
  ConcatFromSequence: (call) => {
    const parts = sequenceOf(call, 0).items.map((v) => tensorOf(v, call))
    const axis = call.number('axis', 0)
    return call.flag('new_axis') ? stack(parts, axis) : concat(parts, axis)
  },
  Optional: (call) => call.values[0] ?? none,
  OptionalHasElement: (call) => fromNumbers('bool', [], [call.values[0] && call.values[0].kind !== 'none' ? 1 : 0]),
  OptionalGetElement: (call) => {
    const value = call.values[0]
    return value && value.kind !== 'none' ? value : call.fail('the optional is empty')
  },
}

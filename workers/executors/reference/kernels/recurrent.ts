import type { Call, Kernels } from '../call.ts'
import { sizeOf, transpose } from '../iterate.ts'
import { array, floats, integers, type NdArray } from '../value.ts'
import { activationOf, parameterCount } from './activations.ts'

type Activation = (x: number) => number

/** One direction of a recurrent layer: its weights, and the activations with their clip folded in. */
interface Direction {
  /** [gates·hidden, input] */
  readonly w: Float64Array
  /** [gates·hidden, hidden] */
  readonly r: Float64Array
  /** Biases of the input and of the recurrence, [gates·hidden] each. */
  readonly wb: Float64Array
  readonly rb: Float64Array
  readonly peepholes: Float64Array | undefined
  readonly activations: readonly Activation[]
  readonly hidden: number
}

/** A cell's new state from one row of input and its old state. `project(g, …)` is a gate's W·x + R·h + biases. */
type Cell = (direction: Direction, x: Float64Array, state: State, call: Call) => State
interface State {
  readonly h: Float64Array
  readonly c: Float64Array
}

/** Rows gate·hidden … of a matrix times a vector. */
function rows(matrix: Float64Array, gate: number, hidden: number, v: Float64Array): Float64Array {
  const out = new Float64Array(hidden)
  for (let i = 0; i < hidden; i++) {
    let sum = 0
    const row = (gate * hidden + i) * v.length
    for (let k = 0; k < v.length; k++) sum += (matrix[row + k] as number) * (v[k] as number)
    out[i] = sum
  }
  return out
}

/** W·x + Wb of one gate. */
const fromInput = (d: Direction, gate: number, x: Float64Array) =>
  rows(d.w, gate, d.hidden, x).map((v, i) => v + (d.wb[gate * d.hidden + i] as number))
/** R·h + Rb of one gate. */
const fromState = (d: Direction, gate: number, h: Float64Array) =>
  rows(d.r, gate, d.hidden, h).map((v, i) => v + (d.rb[gate * d.hidden + i] as number))

const added = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + (b[i] as number))
const activation = (d: Direction, i: number): Activation => d.activations[i] as Activation

/** Ht = f(W·Xt + R·Ht−1 + b) */
const rnnCell: Cell = (d, x, { h, c }) => ({
  h: added(fromInput(d, 0, x), fromState(d, 0, h)).map(activation(d, 0)),
  c,
})

/** Cho et al. 2014, arXiv:1406.1078; gates z, r, h. `linear_before_reset` applies r after the recurrence, as cuDNN does. */
const gruCell: Cell = (d, x, { h, c }, call) => {
  const [f, g] = [activation(d, 0), activation(d, 1)]
  const z = added(fromInput(d, 0, x), fromState(d, 0, h)).map(f)
  const r = added(fromInput(d, 1, x), fromState(d, 1, h)).map(f)
  const recurrent = call.flag('linear_before_reset')
    ? fromState(d, 2, h).map((v, i) => v * (r[i] as number))
    : fromState(
        d,
        2,
        h.map((v, i) => v * (r[i] as number)),
      )
  const candidate = added(fromInput(d, 2, x), recurrent).map(g)
  return { h: candidate.map((v, i) => (1 - (z[i] as number)) * v + (z[i] as number) * (h[i] as number)), c }
}

/** Hochreiter & Schmidhuber 1997 with peepholes; gates i, o, f, c, peepholes i, o, f. */
const lstmCell: Cell = (d, x, { h, c }, call) => {
  const [f, g, out] = [activation(d, 0), activation(d, 1), activation(d, 2)]
  const gate = (index: number, peephole: number | undefined, state: Float64Array, act: Activation) =>
    added(fromInput(d, index, x), fromState(d, index, h)).map((v, k) => {
      const peek =
        peephole !== undefined && d.peepholes
          ? (d.peepholes[peephole * d.hidden + k] as number) * (state[k] as number)
          : 0
      return act(v + peek)
    })
  const input = gate(0, 0, c, f)
  const forget = call.flag('input_forget') ? input.map((v) => 1 - v) : gate(2, 2, c, f)
  const candidate = gate(3, undefined, c, g)
  const cell = c.map((v, k) => (forget[k] as number) * v + (input[k] as number) * (candidate[k] as number))
  const output = gate(1, 1, cell, f)
  return { h: cell.map((v, k) => (output[k] as number) * out(v)), c: cell }
}

interface Layer {
  readonly cell: Cell
  readonly gates: number
  readonly activations: readonly string[]
  readonly peepholes: boolean
}

/**
 * The activations of one direction; `clip` bounds what goes into them. Of `activation_alpha` and `activation_beta`,
 * each function in turn takes the next value if it has such a parameter.
 */
function activationsOf(call: Call, layer: Layer, direction: number): Activation[] {
  const names = call.texts('activations') ?? [...layer.activations, ...layer.activations]
  const clip = call.number('clip', Infinity)
  const [alphas, betas] = [[...(call.numbers('activation_alpha') ?? [])], [...(call.numbers('activation_beta') ?? [])]]
  const all = names.map((name) => {
    const count = parameterCount(name)
    const f = activationOf(name, count > 0 ? alphas.shift() : undefined, count > 1 ? betas.shift() : undefined)
    return f ?? call.fail(`has no activation "${name}"`)
  })
  const count = layer.activations.length
  return all.slice(direction * count, (direction + 1) * count).map((f) => (x) => f(Math.max(-clip, Math.min(clip, x))))
}

function directionOf(call: Call, layer: Layer, index: number): Direction {
  const [w, r, b] = [call.input(1), call.input(2), call.optional(3)]
  const hidden = r.dims[2] as number
  const part = (x: NdArray) => {
    const size = sizeOf(x.dims.slice(1))
    return floats(x).subarray(index * size, (index + 1) * size)
  }
  const bias = b ? part(b) : new Float64Array(2 * layer.gates * hidden)
  const peepholes = layer.peepholes ? call.optional(7) : undefined
  return {
    w: part(w),
    r: part(r),
    wb: bias.subarray(0, layer.gates * hidden),
    rb: bias.subarray(layer.gates * hidden),
    peepholes: peepholes && part(peepholes),
    activations: activationsOf(call, layer, index),
    hidden,
  }
}

/** Runs a layer: X [steps, batch, input] → Y [steps, directions, batch, hidden] and the last states. */
const recurrent =
  (layer: Layer) =>
  (call: Call): NdArray[] => {
    // `layout` 1 puts the batch first.
    const batchFirst = call.flag('layout')
    const swap = (x: NdArray) => (batchFirst ? transpose(x, [1, 0, 2]) : x)
    const x = swap(call.input(0))
    const [steps, batch, width] = x.dims as [number, number, number]
    const directions = call.input(1).dims[0] as number
    const hidden = call.input(2).dims[2] as number
    const lengths = call.optional(4)
    const [initialH, initialC] = [call.optional(5), layer.peepholes ? call.optional(6) : undefined].map(
      (s) => s && floats(swap(s)),
    )
    const data = floats(x)
    const y = new Float64Array(steps * directions * batch * hidden)
    const lastH = new Float64Array(directions * batch * hidden)
    const lastC = new Float64Array(directions * batch * hidden)
    for (let d = 0; d < directions; d++) {
      const direction = directionOf(call, layer, d)
      const backwards = d === 1 || call.text('direction', 'forward') === 'reverse'
      for (let b = 0; b < batch; b++) {
        const at = (d * batch + b) * hidden
        const start = (s: Float64Array | undefined) => s?.slice(at, at + hidden) ?? new Float64Array(hidden)
        let state: State = { h: start(initialH), c: start(initialC) }
        const length = lengths ? (integers(lengths)[b] as number) : steps
        for (let n = 0; n < length; n++) {
          const t = backwards ? length - 1 - n : n
          const row = (t * batch + b) * width
          state = layer.cell(direction, data.subarray(row, row + width), state, call)
          y.set(state.h, ((t * directions + d) * batch + b) * hidden)
        }
        lastH.set(state.h, at)
        lastC.set(state.c, at)
      }
    }
    const last = (s: Float64Array) => swap(array(x.dtype, [directions, batch, hidden], s))
    const all = array(x.dtype, [steps, directions, batch, hidden], y)
    return [batchFirst ? transpose(all, [2, 0, 1, 3]) : all, last(lastH), last(lastC)]
  }

export const recurrents: Kernels = {
  RNN: recurrent({ cell: rnnCell, gates: 1, activations: ['Tanh'], peepholes: false }),
  GRU: recurrent({ cell: gruCell, gates: 3, activations: ['Sigmoid', 'Tanh'], peepholes: false }),
  LSTM: recurrent({ cell: lstmCell, gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], peepholes: true }),
}

import { AlambicError } from '../../protocol/errors.ts'
import type { DecomposeContext, Decomposition } from '../decompose.ts'
import type { Emitter } from '../emit.ts'
import { range } from '../gradient/rule.ts'

/** The parameters of one direction, cut out of the stacked inputs. Shapes: w [G·H, I], r [G·H, H], biases [G·H]. */
interface Direction {
  readonly w: string
  readonly r: string
  readonly wb: string | undefined
  readonly rb: string | undefined
  readonly peepholes: string | undefined
  readonly h: string
  readonly c: string | undefined
  readonly activations: readonly string[]
  readonly backward: boolean
}

interface State {
  readonly h: string
  readonly c?: string | undefined
}

/** One time step: the input's share of the gates `[B, G·H]` and the last state give the next state. */
type Cell = (g: Emitter, xw: string, last: State, d: Direction, c: DecomposeContext) => State

interface Kind {
  readonly gates: number
  readonly activations: readonly string[]
  readonly cell: Cell
}

/** Hochreiter & Schmidhuber 1997 with optional peepholes; ONNX's gate order is input, output, forget, cell. */
const lstm: Cell = (g, xw, { h, c }, d, context) => {
  if (c === undefined) throw new Error('an LSTM has a cell state')
  const size = hiddenSize(context)
  const [f, tanhC, tanhH] = d.activations as [string, string, string]
  const [xi, xo, xf, xc] = g.split(g.add(xw, g.matmul(h, d.r)), 1, Array<number>(4).fill(size)) as [
    string,
    string,
    string,
    string,
  ]
  const [pi, po, pf] = d.peepholes ? (g.split(d.peepholes, 0, [size, size, size]) as [string, string, string]) : []
  const peep = (gate: string, p: string | undefined, cell: string) => (p ? g.add(gate, g.mul(p, cell)) : gate)
  const i = activate(g, f, peep(xi, pi, c))
  const forget = context.attr['input_forget'] ? g.sub(1, i) : activate(g, f, peep(xf, pf, c))
  const next = g.add(g.mul(forget, c), g.mul(i, activate(g, tanhC, xc)))
  const o = activate(g, f, peep(xo, po, next))
  return { h: g.mul(o, activate(g, tanhH, next)), c: next }
}

/** Cho et al. 2014; gate order update, reset, hidden. `linear_before_reset` is the variant of cuDNN and PyTorch. */
const gru: Cell = (g, xw, { h }, d, context) => {
  const size = hiddenSize(context)
  const [f, hidden] = d.activations as [string, string]
  const thirds = [size, size, size]
  const [xz, xr, xh] = g.split(xw, 1, thirds) as [string, string, string]
  const [rz, rr, rh] = g.split(d.r, 1, thirds) as [string, string, string]
  const [bz, br, bh] = d.rb ? (g.split(d.rb, 0, thirds) as [string, string, string]) : []
  const recur = (state: string, weight: string, bias: string | undefined) => {
    const product = g.matmul(state, weight)
    return bias ? g.add(product, bias) : product
  }
  const z = activate(g, f, g.add(xz, recur(h, rz, bz)))
  const r = activate(g, f, g.add(xr, recur(h, rr, br)))
  const candidate = context.attr['linear_before_reset']
    ? g.add(xh, g.mul(r, recur(h, rh, bh)))
    : g.add(xh, recur(g.mul(r, h), rh, bh))
  return { h: g.add(g.mul(g.sub(1, z), activate(g, hidden, candidate)), g.mul(z, h)) }
}

const rnn: Cell = (g, xw, { h }, d) => ({ h: activate(g, d.activations[0] as string, g.add(xw, g.matmul(h, d.r))) })

const kinds: Readonly<Record<string, Kind>> = {
  LSTM: { gates: 4, activations: ['Sigmoid', 'Tanh', 'Tanh'], cell: lstm },
  GRU: { gates: 3, activations: ['Sigmoid', 'Tanh'], cell: gru },
  RNN: { gates: 1, activations: ['Tanh'], cell: rnn },
}

const hiddenSize = ({ g, node }: DecomposeContext): number => g.dims(node.inputs[2] as string)[2] as number

function activate(g: Emitter, name: string, value: string): string {
  if (name === 'Sigmoid') return g.sigmoid(value)
  if (name === 'Tanh') return g.tanh(value)
  return g.op('Relu', [value])
}

/** Unrolls a recurrent layer over its (static) time axis and returns Y, Y_h and, for an LSTM, Y_c. */
function unroll(c: DecomposeContext): string[] {
  const { g, node, attr } = c
  const kind = kinds[node.op] as Kind
  refuse(c, kind)
  const batchFirst = attr['layout'] === 1
  const x = batchFirst ? g.transpose(node.inputs[0] as string, [1, 0, 2]) : (node.inputs[0] as string)
  const [time, batch] = g.dims(x) as readonly [number, number, number]
  const directions = directionsOf(c, kind, batch)
  const runs = directions.map((d) => runDirection(c, kind, d, x, time, batch))
  // Y is [T, D, B, H], the last states [D, B, H].
  const y = g.concat(
    runs.map((r) =>
      g.unsqueeze(
        g.concat(
          r.steps.map((h) => g.unsqueeze(h, [0])),
          0,
        ),
        [1],
      ),
    ),
    1,
  )
  const lastOf = (pick: (r: Run) => string) =>
    g.concat(
      runs.map((r) => g.unsqueeze(pick(r), [0])),
      0,
    )
  const outputs = [y, lastOf((r) => r.last.h)]
  if (node.op === 'LSTM') outputs.push(lastOf((r) => r.last.c as string))
  if (!batchFirst) return outputs
  return outputs.map((value, i) => g.transpose(value, i === 0 ? [2, 0, 1, 3] : [1, 0, 2]))
}

interface Run {
  /** Hidden states [B, H] in time order. */
  readonly steps: readonly string[]
  readonly last: State
}

function runDirection(c: DecomposeContext, kind: Kind, d: Direction, x: string, time: number, batch: number): Run {
  const { g } = c
  const inputSize = g.dims(x)[2] as number
  const width = kind.gates * hiddenSize(c)
  // The input's share of all gates at all times is one product.
  const flat = g.op('Gemm', [g.reshape(x, [time * batch, inputSize]), d.w, ...(d.wb ? [d.wb] : [])], { transB: 1 })
  const parts = g.split(g.reshape(flat, [time, batch, width]), 0, Array<number>(time).fill(1))
  const steps: string[] = []
  let state: State = { h: d.h, c: d.c }
  for (const t of d.backward ? range(time).reverse() : range(time)) {
    state = kind.cell(g, g.reshape(parts[t] as string, [batch, width]), state, d, c)
    steps[t] = state.h
  }
  return { steps, last: state }
}

function directionsOf(c: DecomposeContext, kind: Kind, batch: number): Direction[] {
  const { g, node, attr } = c
  const [, w = '', r = '', b = '', , h0 = '', c0 = '', p = ''] = node.inputs
  const size = hiddenSize(c)
  const count = g.dims(w)[0] as number
  const names = (attr['activations'] as readonly string[] | undefined) ?? range(count).flatMap(() => kind.activations)
  const perDirection = kind.activations.length
  const batchFirst = attr['layout'] === 1
  return range(count).map((i) => {
    const pick = (value: string) => g.squeeze(g.slice(value, [0], [i], [i + 1]), [0])
    const start = (value: string) =>
      value === ''
        ? g.expand(g.scalar(0, g.dtype(w)), [batch, size])
        : pick(batchFirst ? g.transpose(value, [1, 0, 2]) : value)
    const [wb, rb] = b ? g.split(pick(b), 0, [kind.gates * size, kind.gates * size]) : []
    // Only a GRU keeps the recurrent bias apart (linear_before_reset multiplies it by the reset gate).
    const apart = node.op === 'GRU'
    return {
      w: pick(w),
      r: g.transpose(pick(r), [1, 0]),
      wb: wb && rb && !apart ? g.add(wb, rb) : wb,
      rb: apart ? rb : undefined,
      peepholes: p ? pick(p) : undefined,
      h: start(h0),
      c: node.op === 'LSTM' ? start(c0) : undefined,
      activations: names.slice(i * perDirection, (i + 1) * perDirection),
      backward: attr['direction'] === 'reverse' || i === 1,
    }
  })
}

function refuse({ node, attr }: DecomposeContext, kind: Kind): void {
  const problem = (what: string, expected: string) => {
    throw new AlambicError('ops.recurrent', `node "${node.name}" (${node.op}): can't be trained with ${what}`, {
      subject: node.name,
      expected,
      found: what,
    })
  }
  if (node.inputs[4]) problem('sequence_lens', 'sequences of one length')
  if (attr['clip'] !== undefined) problem('clip', 'no clipping of gates')
  const names = (attr['activations'] as readonly string[] | undefined) ?? kind.activations
  const odd = names.find((name) => !['Sigmoid', 'Tanh', 'Relu'].includes(name))
  if (odd !== undefined) problem(`the activation ${odd}`, 'Sigmoid, Tanh or Relu')
}

export const recurrentDecompositions: Readonly<Record<string, Decomposition>> = {
  LSTM: unroll,
  GRU: unroll,
  RNN: unroll,
}

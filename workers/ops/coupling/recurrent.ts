import { toAttributes } from '../../graph/attributes.ts'
import type { Node } from '../../graph/graph.ts'
import { fixed, isLive, tile, type Axis } from './axis.ts'
import type { Coupled, CouplingCall, CouplingRules, Cut } from './call.ts'

const UNIT = 'the gates of one hidden unit'

/**
 * A hidden unit: its row in every gate of W and R, its column of R, its elements of B and P, its place in the states
 * (ONNX LSTM, GRU, RNN). Both directions lose the same units, because `hidden_size` is theirs together.
 */
const layer =
  (gates: number, peepholes = 0) =>
  (c: CouplingCall<{ readonly hidden_size?: number; readonly layout?: number }>): Coupled => {
    const [x, w, r] = [c.axes(0), c.axes(1), c.axes(2)]
    const size = c.shape(2)?.[2]
    if (!x || !w || !r || typeof size !== 'number') return c.barrier('the shape of its weights is not known')
    if (c.has(4)) c.pinInput(4, 'lengths of sequences')
    c.pin(w[0], 'the directions')
    c.pin(r[0], 'the directions')
    const hidden = r[2] as Axis
    const all = (times: number) => (isLive(hidden) ? tile(hidden, times) : hidden)
    c.join(all(gates), w[1] as Axis, UNIT)
    c.join(all(gates), r[1] as Axis, UNIT)
    c.join(w[2] as Axis, x[2] as Axis, 'its inputs')
    vector(c, 3, all(2 * gates))
    for (const i of [5, 6]) if (c.has(i)) c.join(c.axis(i, 2), hidden, 'its initial state')
    if (peepholes > 0) vector(c, 7, all(peepholes))
    c.weight(1, undefined, 'out', 'in')
    c.weight(2, undefined, 'out', 'recurrent')
    const outputs = c.node.outputs.map((_, k) => {
      const rank = k === 0 ? 4 : 3
      return Array.from({ length: rank }, (_, axis) => (axis === rank - 1 ? hidden : fixed(`${c.label}: not a unit`)))
    })
    const fewer = (cut: Cut, node: Node): readonly Node[] => {
      const attributes = toAttributes(node.op, node.domain, { hidden_size: cut.size(hidden, size) })
      return [{ ...node, attributes: { ...node.attributes, ...attributes } }]
    }
    return { outputs, cut: fewer }
  }

function vector<A>(c: CouplingCall<A>, i: number, units: Axis): void {
  if (!c.has(i)) return
  c.pin(c.axis(i, 0), 'the directions')
  c.join(c.axis(i, 1), units, UNIT)
  c.weight(i, undefined, 'bias')
}

export const recurrent = { LSTM: layer(4, 3), GRU: layer(3), RNN: layer(1) } satisfies CouplingRules

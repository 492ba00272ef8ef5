import { AlambicError } from '../protocol/errors.ts'
import { attributesOf } from '../graph/attributes.ts'
import { isFloat } from '../graph/dtype.ts'
import { identity, type Graph, type Node } from '../graph/graph.ts'
import { asTensor } from '../graph/types.ts'
import { isDecomposed } from '../ops/decompose.ts'
import { Emitter, EMIT_OPSET } from '../ops/emit.ts'
import { gradientRuleOf } from '../ops/gradient.ts'
import type { GradientRule, Names } from '../ops/gradient/rule.ts'

/** A node that no gradient can go through, and why. */
export interface Obstacle {
  readonly node: string
  readonly op: string
  readonly reason: string
}

/**
 * Reverse-mode differentiation (Griewank & Walther, Evaluating Derivatives, ch. 3): appends to `g` the nodes that
 * compute ∂loss/∂v for every v in `wrt`, and returns their names. `loss` must be a scalar. A value the loss does not
 * depend on gets zeros.
 *
 * @throws AlambicError `gradient.unsupported` naming every node on the way that has no rule
 */
export function gradients(g: Emitter, loss: string, wrt: readonly string[]): ReadonlyMap<string, string> {
  if ((g.opsets.get('') ?? 0) < EMIT_OPSET) {
    throw new AlambicError('gradient.opset', `differentiation writes opset ${EMIT_OPSET} operators`, {
      found: `opset ${g.opsets.get('')}`,
      fix: 'Upgrade the graph first.',
    })
  }
  const nodes = [...g.nodes]
  const active = reachedFrom(nodes, wrt, (value) => isFloat(asTensor(g.type(value))?.dtype ?? 'f32'))
  const obstacles = obstaclesAmong(nodes, active, [loss])
  if (obstacles.length > 0) throw untrainable(obstacles)

  const grads = new Map<string, string>([[loss, g.scalar(1, g.dtype(loss))]])
  for (const node of nodes.reverse()) {
    const outer = node.outputs.map((y) => grads.get(y))
    if (outer.every((dy) => dy === undefined) || !node.inputs.some((x) => active.has(x))) continue
    const rule = gradientRuleOf(node.op, node.domain)
    if (typeof rule !== 'function') continue
    backward(g, node, rule, outer).forEach((grad, i) => {
      const x = node.inputs[i]
      if (grad === undefined || x === undefined || !active.has(x)) return
      const own = g.sumTo(grad, g.shape(x))
      const sum = grads.get(x)
      grads.set(x, sum === undefined ? own : g.add(sum, own))
    })
  }
  return new Map(wrt.map((value) => [value, grads.get(value) ?? g.zerosLike(value)]))
}

function backward(g: Emitter, node: Node, rule: GradientRule, grads: readonly (string | undefined)[]) {
  const inputs = node.inputs as Names
  const outputs = node.outputs as Names
  const dy = grads[0] ?? g.zerosLike(outputs[0])
  return rule({ g, node, attr: attributesOf(node), inputs, outputs, x: inputs[0], y: outputs[0], dy, grads })
}

/** A graph that puts out `loss` and, for every value in `wrt`, its gradient under the name `d_<value>`. */
export function differentiate(graph: Graph, { loss, wrt }: { loss: string; wrt: readonly string[] }): Graph {
  const g = new Emitter(graph)
  const grads = gradients(g, loss, wrt)
  const named = wrt.map((value) => {
    const name = g.fresh(`d_${value}`)
    g.append(identity(grads.get(value) as string, name))
    return name
  })
  g.outputs.length = 0
  for (const name of [loss, ...named]) g.output(name)
  return g.build()
}

/** Nodes without a gradient rule between the given values and the outputs; empty when the graph can be trained. */
export function obstacles(graph: Graph, wrt: readonly string[]): readonly Obstacle[] {
  const active = reachedFrom(graph.nodes, wrt, (value) => isFloat(asTensor(graph.type(value))?.dtype ?? 'f32'))
  return obstaclesAmong(
    graph.nodes,
    active,
    graph.outputs.map((v) => v.name),
  )
}

/** Values that are computed from `sources`, the sources included. Gradients stop where a value is not a float, unless it is a rounded one. */
function reachedFrom(
  nodes: readonly Node[],
  sources: readonly string[],
  carries: (value: string) => boolean,
): Set<string> {
  const reached = new Set(sources)
  for (const node of nodes) {
    const rule = gradientRuleOf(node.op, node.domain)
    const stopsHere = typeof rule !== 'function' && !rule.blocks
    if (stopsHere || !node.inputs.some((x) => reached.has(x))) continue
    const rounds = typeof rule !== 'function' && rule.rounds === true
    node.outputs.filter((y) => y !== '' && (rounds || carries(y))).forEach((y) => reached.add(y))
  }
  return reached
}

function obstaclesAmong(nodes: readonly Node[], active: ReadonlySet<string>, targets: readonly string[]): Obstacle[] {
  const wanted = new Set(targets)
  const found: Obstacle[] = []
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((y) => wanted.has(y) && active.has(y))) continue
    node.inputs.filter((x) => active.has(x)).forEach((x) => wanted.add(x))
    const rule = gradientRuleOf(node.op, node.domain)
    if (typeof rule === 'function' || !rule.blocks || isReplacedBefore(node)) continue
    found.push({ node: node.name, op: node.op, reason: rule.reason })
  }
  return found.reverse()
}

/** Operators that the training form of a graph has no more: see `decompose` and `toTrainingMode`. */
const isReplacedBefore = (node: Node): boolean => isDecomposed(node) || (node.domain === '' && node.op === 'Dropout')

export function untrainable(list: readonly Obstacle[]): AlambicError {
  const shown = list.slice(0, 5).map((o) => `node "${o.node}" (${o.op}): ${o.reason}`)
  const more = list.length > shown.length ? ` and ${list.length - shown.length} more` : ''
  return new AlambicError('gradient.unsupported', `no gradient goes through ${shown.join('; ')}${more}`, {
    subject: list[0]?.node,
    fix: 'Freeze the weights before these nodes, or cut the model after them.',
  })
}

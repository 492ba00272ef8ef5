import { identity, type Graph } from '../graph/graph.ts'
import type { Value } from '../graph/graph.ts'
import { Emitter } from '../ops/emit.ts'
import { removeDropout } from '../passes/index.ts'
import { gradients } from './differentiate.ts'
import type { LossTerm } from './losses.ts'
import { prepare } from './prepare.ts'

/** A graph that puts out the gradient of a loss for every weight in `of`, in inference mode. */
export interface SaliencyGraph {
  readonly graph: Graph
  /** Inputs that each batch brings: the model's own, then what the loss asks for. */
  readonly batch: readonly Value[]
  /** Output names by weight. */
  readonly gradients: ReadonlyMap<string, string>
}

/** ∂loss/∂w of a batch for weights by name, batch-norm by its running statistics and no dropout: what saliencies need. */
export function saliencyGraph(
  model: Graph,
  { loss, batch, of }: { readonly loss: LossTerm; readonly batch: number; readonly of: readonly string[] },
): SaliencyGraph {
  const prepared = prepare(removeDropout(model).graph, { batch })
  const g = new Emitter(prepared)
  const outputs = prepared.outputs.map((v) => v.name)
  const fed = new Set<string>()
  const value = loss.build({
    g,
    outputs,
    feed: (name, dtype, shape) => {
      if (!fed.has(name)) g.input(name, dtype, shape)
      fed.add(name)
      return name
    },
  })
  const found = gradients(
    g,
    value,
    of.filter((name) => prepared.initializers.has(name)),
  )
  g.outputs.length = 0
  const named = new Map([...found].map(([weight, gradient]) => [weight, ownOutput(g, weight, gradient)]))
  const graph = g.build()
  return { graph, batch: graph.requiredInputs, gradients: named }
}

/** Gradients of two weights may be one value; an output needs a name of its own. */
function ownOutput(g: Emitter, weight: string, gradient: string): string {
  const name = g.fresh(`d_${weight}`)
  g.append(identity(gradient, name))
  g.output(name)
  return name
}

import { AlambicError } from '../protocol/errors.ts'
import type { Graph } from '../graph/graph.ts'
import { verify } from '../graph/verify.ts'
import { asTensor } from '../graph/types.ts'
import { bindDims } from '../ops/bind.ts'
import { decompose } from '../ops/decompose.ts'
import { EMIT_OPSET } from '../ops/emit.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { simplify, upgrade } from '../passes/index.ts'

/**
 * The form of a model that a step graph is built from: no Constant nodes, no weights among the inputs, opset 18 or
 * later, every shape a number, compound operators decomposed. Names of weights and outputs stay, so what is trained
 * goes back into the model as it was. Local functions must have been inlined. Every rewrite is verified.
 */
export function prepare(graph: Graph, { batch }: { batch: number }): Graph {
  const closed = inferTypes(graph.with({ inputs: graph.requiredInputs }))
  const upgraded = verified(upgrade(closed, Math.max(graph.opset, EMIT_OPSET)))
  const simplified = verified(simplify(bindBatch(upgraded, batch)))
  return verified(inferTypes(decompose(inferTypes(simplified, { strict: true })), { strict: true }))
}

function verified(graph: Graph): Graph {
  verify(graph, { types: typeProblems })
  return graph
}

/** Gives the first dimension of every input the size of a batch. */
function bindBatch(graph: Graph, batch: number): Graph {
  const symbols: Record<string, number> = {}
  for (const { name, type } of graph.requiredInputs) {
    const shape = asTensor(type)?.shape
    const [first, ...rest] = shape ?? []
    if (typeof first === 'string') symbols[first] = batch
    const open = rest.find((dim) => typeof dim === 'string' && dim !== first)
    if (shape === undefined || open !== undefined) {
      throw new AlambicError('train.open-shape', `the input "${name}" has no fixed shape beside the batch`, {
        subject: name,
        expected: 'numbers after the first dimension',
        found: shape === undefined ? 'an unknown rank' : `[${shape.join(', ')}]`,
        fix: `Fix it first, for example with --set data.shape=….`,
      })
    }
    if (typeof first === 'number' && first !== batch) {
      throw new AlambicError('train.fixed-batch', `the input "${name}" has a fixed batch of ${first}`, {
        subject: name,
        expected: `a symbolic first dimension, or ${batch}`,
        found: String(first),
        fix: `Train with --batch ${first}, or export the model with a dynamic batch dimension.`,
      })
    }
  }
  return bindDims(graph, symbols)
}

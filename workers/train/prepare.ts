import { AlambicError } from '../protocol/errors.ts'
import type { Graph } from '../graph/graph.ts'
import { verify } from '../graph/verify.ts'
import { asTensor } from '../graph/types.ts'
import { setBatch } from '../ops/batch.ts'
import { bindDims } from '../ops/bind.ts'
import { decompose } from '../ops/decompose.ts'
import { EMIT_OPSET } from '../ops/emit.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { poolBeforeRelu, simplify, upgrade } from '../passes/index.ts'

/**
 * The form of a model that a step graph is built from: no Constant nodes, no weights among the inputs, opset 18 or
 * later, every shape a number, compound operators decomposed, max-pools before the Relu that they followed. Names of weights and outputs stay, so what is trained
 * goes back into the model as it was. Local functions must have been inlined. Every rewrite is verified.
 */
export function prepare(graph: Graph, { batch }: { batch: number }): Graph {
  const closed = inferTypes(graph.with({ inputs: graph.requiredInputs }))
  const upgraded = verified(upgrade(closed, Math.max(graph.opset, EMIT_OPSET)))
  const simplified = verified(simplify(bindBatch(upgraded, batch)))
  const simple = poolBeforeRelu(decompose(inferTypes(simplified, { strict: true }))).graph
  return verified(inferTypes(simple, { strict: true }))
}

function verified(graph: Graph): Graph {
  verify(graph, { types: typeProblems })
  return graph
}

/**
 * Gives the batch axis, axis 0 of the first input that has one, its size. Other inputs may have no batch there, as the
 * state of a recurrent net has not; a symbolic axis 0 counts as the batch. A fixed batch is changed where the graph
 * allows it (`ops.fixed-batch` says which node does not).
 */
function bindBatch(graph: Graph, batch: number): Graph {
  const [first] = graph.requiredInputs.map(({ type }) => asTensor(type)?.shape?.[0]).filter((dim) => dim !== undefined)
  const symbols: Record<string, number> = typeof first === 'string' ? { [first]: batch } : {}
  for (const { name, type } of graph.requiredInputs) {
    const shape = asTensor(type)?.shape
    if (typeof shape?.[0] === 'string') symbols[shape[0]] = batch
    if (shape === undefined || shape.some((dim) => typeof dim === 'string' && !(dim in symbols))) {
      throw new AlambicError('train.open-shape', `the input "${name}" has no fixed shape beside the batch`, {
        subject: name,
        expected: 'numbers after the first dimension',
        found: shape === undefined ? 'an unknown rank' : `[${shape.join(', ')}]`,
        fix: `Fix it first, for example with --set data.shape=….`,
      })
    }
  }
  const bound = bindDims(graph, symbols)
  return typeof first === 'number' && first !== batch ? setBatch(bound, batch) : bound
}

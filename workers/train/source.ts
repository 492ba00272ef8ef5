import { AlambicError } from '../protocol/errors.ts'
import { asFloat32, fromFloat32 } from '../graph/float.ts'
import { isFloat } from '../graph/dtype.ts'
import { subgraphsOf, type Graph, type Node } from '../graph/graph.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'
import { constantsToInitializers, dequantizeConstants, simplify, toFloat32 } from '../passes/index.ts'
import { obstacles, type Obstacle } from './differentiate.ts'
import { isParameter, trainableParameters } from './layout.ts'

/** What is trained in a model's place: its weights are float32 initializers, whatever the model itself has. */
export interface TrainingSource {
  readonly graph: Graph
  /** What is different from the model, one line each, for the person who trains it. */
  readonly notes: readonly string[]
  /** The model with trained tensors in it, each rounded to the type that the model has it in. */
  readonly restore: (trained: ReadonlyMap<string, Tensor>) => Graph
}

/**
 * The form of a model that training starts from. Weights that sit in Constant nodes or behind a DequantizeLinear
 * become initializers, and everything of 16 bits is computed in float32, so that small updates are not lost
 * (Micikevicius et al. 2018, arXiv:1710.03740, §3.1). A weight behind Identity, Cast, Transpose or a reshape stays
 * where it is: the gradient goes through. Names of weights, inputs and outputs stay.
 */
export function trainingSource(model: Graph): TrainingSource {
  const plain = constantsToInitializers(model).graph
  const dequantized = dequantizeConstants(plain, (value) => isParameter(plain, value))
  const host = dequantized.graph
  const widened = toFloat32(host)
  const notes = [
    ...dequantized.report.changes,
    ...(widened.report.modified
      ? [`Trained in float32: ${widened.report.changes.join(', ')}; the result is written as the model was.`]
      : []),
  ]
  const restore = (trained: ReadonlyMap<string, Tensor>): Graph => {
    const isPlain = [...trained.keys()].every((name) => model.initializers.has(name))
    return withTrained(isPlain ? model : host, trained)
  }
  return { graph: widened.graph, notes, restore }
}

/** A graph with trained tensors in place of its own, in its own element types. */
function withTrained(graph: Graph, trained: ReadonlyMap<string, Tensor>): Graph {
  const initializers = new Map(graph.initializers)
  for (const [name, tensor] of trained) {
    const own = initializers.get(name)
    if (!own) {
      throw new AlambicError('train.lost-weight', `the trained weight "${name}" has no place in the model`, {
        subject: name,
      })
    }
    initializers.set(name, fromFloat32(asFloat32(tensor), tensor.dims, own.dtype))
  }
  return graph.with({ initializers })
}

export interface Trainability {
  readonly parameters: number
  readonly blocked: readonly Obstacle[]
}

/** What of a model can be trained, and the nodes that no gradient goes through, as training itself would find them. */
export function trainability(model: Graph): Trainability {
  const graph = simplify(trainingSource(model).graph)
  const parameters = trainableParameters(graph)
  const blocked = obstacles(graph, [...parameters.keys()])
  return { parameters: parameters.size, blocked: parameters.size > 0 ? blocked : hidden(graph) }
}

/** The nodes whose subgraphs hold all the weights of a model that has none outside of them. */
const hidden = (graph: Graph): readonly Obstacle[] =>
  graph.nodes.flatMap((node) => {
    const count = weightsIn(node)
    if (count === 0) return []
    const decided = node.op === 'If' ? `; "${node.inputs[0] ?? ''}" decides which runs` : ''
    return [{ node: node.name, op: node.op, reason: `control flow that holds all ${count} weights${decided}` }]
  })

const weightsIn = (node: Node): number =>
  subgraphsOf(node).reduce((sum, graph) => {
    const inner = constantsToInitializers(graph).graph
    const own = [...inner.initializers.values()].filter((t) => isFloat(t.dtype) && sizeOf(t.dims) > 1).length
    return sum + own + inner.nodes.reduce((n, each) => n + weightsIn(each), 0)
  }, 0)

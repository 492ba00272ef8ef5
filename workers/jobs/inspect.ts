import { AlambicError } from '../protocol/errors.ts'
import { dtypes } from '../graph/dtype.ts'
import type { Graph, Model } from '../graph/graph.ts'
import { print } from '../graph/print.ts'
import { asTensor, type ValueType } from '../graph/types.ts'
import { costOf } from '../ops/cost.ts'
import { inferTypes } from '../ops/infer.ts'
import { inlineFunctions, renameShadowed } from '../passes/index.ts'
import { trainability, type Trainability } from '../train/source.ts'
import { openDims } from '../measure/assess.ts'

/** Everything that can be said of a model without running it. */
export function inspectModel(model: Model): Record<string, unknown> {
  const graph = inferTypes(model.graph, { functions: model.functions })
  const { params, macs } = costOf(graph, openDims(graph))
  return {
    name: graph.name,
    producer: [model.producer.name, model.producer.version].filter(Boolean).join(' '),
    irVersion: model.irVersion,
    opsets: Object.fromEntries([...graph.opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    inputs: graph.requiredInputs.map((v) => ({ name: v.name, type: typeText(v.type) })),
    outputs: graph.outputs.map((v) => ({ name: v.name, type: typeText(graph.type(v.name) ?? v.type) })),
    nodes: graph.nodes.length,
    operators: countBy(graph.nodes.map((n) => (n.domain ? `${n.domain}.${n.op}` : n.op))),
    params,
    macs,
    weights: weightsByType(graph),
    trainable: trainableOf(model),
    functions: model.functions.map((f) => `${f.domain}.${f.name}`),
    metadata: Object.fromEntries(model.metadata),
  }
}

/** What can be trained; a model of a form that training can't take says why instead. */
function trainableOf(model: Model): Trainability & { readonly problem?: string } {
  try {
    return trainability(renameShadowed(inlineFunctions(model)).graph)
  } catch (error) {
    if (error instanceof AlambicError) return { parameters: 0, blocked: [], problem: error.message }
    throw error
  }
}

/** The whole graph as text. */
export const modelText = (model: Model): string =>
  print(inferTypes(model.graph, { functions: model.functions }), { types: true })

function typeText(type: ValueType | undefined): string {
  const tensor = asTensor(type)
  if (!tensor) return type?.kind ?? 'unknown'
  return `${tensor.dtype ?? '?'}${tensor.shape ? `[${tensor.shape.join(', ')}]` : ' of unknown rank'}`
}

const countBy = (names: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return Object.fromEntries(Object.entries(counts).toSorted(([a, n], [b, m]) => m - n || a.localeCompare(b)))
}

/** Bytes of initializers by element type. */
function weightsByType(graph: Graph): Record<string, number> {
  const bytes: Record<string, number> = {}
  for (const tensor of graph.initializers.values()) {
    const name = dtypes[tensor.dtype].name.toLowerCase()
    bytes[name] = (bytes[name] ?? 0) + tensor.bytes.byteLength
  }
  return bytes
}

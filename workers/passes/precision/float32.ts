import type { Attribute, Attributes } from '../../graph/attributes.ts'
import { dtypeOf, dtypes, isFloat, type DType } from '../../graph/dtype.ts'
import { castFloat } from '../../graph/float.ts'
import { isDefaultDomain } from '../../graph/schema.ts'
import type { Graph, Node, Value } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import type { ValueType } from '../../graph/types.ts'
import { inferTypes } from '../../ops/infer.ts'
import { resultOf, type ChangeResult } from '../report.ts'

/** Attributes that name an element type by its code. */
const typeAttributes: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype', 'output_datatype'])

const isOther = (dtype: DType | undefined): dtype is DType => dtype !== undefined && dtype !== 'f32' && isFloat(dtype)

/**
 * A graph that computes in float32 what another computes in float16, bfloat16 or float64: constants, inputs, outputs
 * and casts change their type, names stay. How a mixed-precision model is trained: its master weights are float32
 * (Micikevicius et al. 2018, arXiv:1710.03740, §3.1).
 */
export function toFloat32(graph: Graph): ChangeResult {
  const typed = inferTypes(graph)
  const found = new Set<string>()
  const widened = widen(typed, found, (value) => typed.type(value))
  const changes = [...found].map((dtype) => `${dtype} became f32`)
  return changes.length > 0 ? resultOf(widened, changes) : resultOf(graph, [])
}

type TypeOf = (value: string) => ValueType | undefined

function widen(graph: Graph, found: Set<string>, outer: TypeOf): Graph {
  const typeOf: TypeOf = (value) => graph.type(value) ?? outer(value)
  const asValue = (value: Value): Value => ({ ...value, type: widenType(value.type, found) })
  return graph.with({
    inputs: graph.inputs.map(asValue),
    outputs: graph.outputs.map(asValue),
    types: new Map([...graph.types].map(([name, type]) => [name, widenType(type, found)])),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, widenTensor(tensor, found)])),
    nodes: graph.nodes.map((node) => widenNode(node, found, typeOf)),
  })
}

function widenType(type: ValueType, found: Set<string>): ValueType {
  if ('of' in type) return { ...type, of: widenType(type.of, found) }
  if ((type.kind !== 'tensor' && type.kind !== 'sparse') || !isOther(type.dtype)) return type
  found.add(type.dtype)
  return { ...type, dtype: 'f32' }
}

function widenTensor(tensor: Tensor, found: Set<string>): Tensor {
  if (!isOther(tensor.dtype)) return tensor
  found.add(tensor.dtype)
  return castFloat(tensor, 'f32')
}

function widenNode(node: Node, found: Set<string>, typeOf: TypeOf): Node {
  const attributes: Attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([name, value]) => [name, widenAttribute(name, value, found, typeOf)]),
  )
  // A cast between two float types is now none.
  if (node.op === 'Cast' && isDefaultDomain(node.domain) && isFloatCast(node, typeOf))
    return { ...node, op: 'Identity', attributes: {} }
  return { ...node, attributes }
}

function isFloatCast(node: Node, typeOf: TypeOf): boolean {
  const from = typeOf(node.inputs[0] ?? '')
  const { to } = node.attributes
  const target = to?.kind === 'int' ? dtypeOf(Number(to.value)) : undefined
  return from?.kind === 'tensor' && from.dtype !== undefined && isFloat(from.dtype) && !!target && isFloat(target)
}

function widenAttribute(name: string, attribute: Attribute, found: Set<string>, typeOf: TypeOf): Attribute {
  switch (attribute.kind) {
    case 'tensor':
      return { ...attribute, value: widenTensor(attribute.value, found) }
    case 'tensors':
      return { ...attribute, value: attribute.value.map((tensor) => widenTensor(tensor, found)) }
    case 'graph':
      return { ...attribute, value: widen(attribute.value, found, typeOf) }
    case 'graphs':
      return { ...attribute, value: attribute.value.map((graph) => widen(graph, found, typeOf)) }
    case 'int':
      return typeAttributes.has(name) && isOther(dtypeOf(Number(attribute.value)))
        ? { ...attribute, value: dtypes.f32.onnx }
        : attribute
    default:
      return attribute
  }
}

import { byteLength } from './dtype.ts'
import { nodeLabel, subgraphsOf, type Graph } from './graph.ts'
import { hasDeclaredSize } from './literals.ts'
import { typeText } from './print.ts'
import { sizeOf, type Tensor } from './tensor.ts'
import { contradicts, tensorType, type ValueType } from './types.ts'
import type { Problem } from './verify.ts'

/** Problems of constants (bytes against dims) and of declarations (of one value, by each other or by its constant). */
export function typeProblems(graph: Graph): readonly Problem[] {
  return [
    ...[...graph.initializers].flatMap(([name, tensor]) => sizeProblems(`constant "${name}"`, tensor)),
    ...declarationProblems(graph),
    ...attributeTensorProblems(graph),
    ...graph.nodes.flatMap((node) => subgraphsOf(node).flatMap(typeProblems)),
  ]
}

function sizeProblems(what: string, tensor: Tensor, node?: string): readonly Problem[] {
  const { dtype, dims, bytes, strings } = tensor
  const isSize = (d: number) => Number.isSafeInteger(d) && d >= 0
  if (dims.every(isSize) && hasDeclaredSize(tensor)) return []
  const count = sizeOf(dims)
  const isText = dtype === 'string'
  const expected = isText ? `${count} strings` : `${byteLength(dtype, count)} bytes`
  const found = isText ? `${strings?.length ?? 0} strings` : `${bytes.byteLength} bytes`
  const message = `${what}: ${dtype}[${dims.join(',')}] does not fit its content`
  return [{ code: 'graph.tensor-size', ...(node !== undefined && { node }), message, expected, found }]
}

function attributeTensorProblems(graph: Graph): readonly Problem[] {
  return graph.nodes.flatMap((node) =>
    Object.entries(node.attributes).flatMap(([name, { kind, value }]) => {
      const tensors = kind === 'tensor' ? [value] : kind === 'tensors' ? value : []
      return tensors.flatMap((t) => sizeProblems(`${nodeLabel(node)}, attribute "${name}"`, t, node.name))
    }),
  )
}

/** A value may be declared as an input, as an output and among the types; a constant declares itself. */
function declarationProblems(graph: Graph): readonly Problem[] {
  const known = new Map<string, ValueType>()
  for (const [name, { dtype, dims }] of graph.initializers) known.set(name, tensorType(dtype, dims))
  const problems: Problem[] = []
  const declare = (name: string, type: ValueType, where: string) => {
    const other = known.get(name)
    if (other && contradicts(other, type)) {
      const message = `"${name}" is declared ${where} as another type than elsewhere in graph "${graph.name}"`
      problems.push({ code: 'graph.type-mismatch', message, expected: typeText(other), found: typeText(type) })
    } else if (!other || other.kind === 'unknown') known.set(name, type)
  }
  for (const { name, type } of graph.inputs) declare(name, type, 'among the inputs')
  for (const [name, type] of graph.types) declare(name, type, 'among the intermediate types')
  for (const { name, type } of graph.outputs) declare(name, type, 'among the outputs')
  return problems
}

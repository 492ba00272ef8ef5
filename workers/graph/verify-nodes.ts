import { nodeLabel, subgraphsOf, type Graph, type Node } from './graph.ts'
import { attributeKindOf, isDefaultDomain, schemaOf, type OperatorSchema } from './schema.ts'
import type { Problem } from './verify.ts'

/** Versions of operator sets, those of the outermost graph: a subgraph has its parent's. */
type Opsets = ReadonlyMap<string, number>

/** Problems of nodes taken one by one: domains, and what the operator's schema says. */
export function nodeProblems(graph: Graph, opsets: Opsets = graph.opsets): readonly Problem[] {
  return graph.nodes.flatMap((node) => [
    ...domainProblems(node, opsets),
    ...schemaProblems(node, opsets),
    ...subgraphsOf(node).flatMap((inner) => nodeProblems(inner, opsets)),
  ])
}

const versionOf = (domain: string, opsets: Opsets): number | undefined =>
  isDefaultDomain(domain) ? (opsets.get('') ?? opsets.get('ai.onnx')) : opsets.get(domain)

function domainProblems(node: Node, opsets: Opsets): readonly Problem[] {
  if (versionOf(node.domain, opsets) !== undefined) return []
  const message = `${nodeLabel(node)} is of domain "${node.domain}", for which the graph names no opset version`
  return [
    { code: 'graph.missing-opset', node: node.name, message, expected: listOf([...opsets.keys()]), found: node.domain },
  ]
}

const listOf = (words: readonly string[]) => words.map((word) => `"${word}"`).join(', ') || 'none'

function schemaProblems(node: Node, opsets: Opsets): readonly Problem[] {
  const schema = schemaOf(node.op, node.domain)
  if (!schema) return []
  const opset = versionOf(node.domain, opsets) ?? Infinity
  return [
    ...versionProblems(node, schema, opset),
    ...countProblems(node, 'input', node.inputs.length, schema.inputs),
    ...countProblems(node, 'output', node.outputs.length, schema.outputs),
    ...absentProblems(node, schema),
    ...attributeProblems(node, schema, opset),
  ]
}

/**
 * Operators that onnxruntime had in the default domain before ONNX: its transformer optimizer writes them into models
 * of any opset, and every onnxruntime runs those.
 */
const early: ReadonlySet<string> = new Set(['LayerNormalization'])

function versionProblems(node: Node, { since }: OperatorSchema, opset: number): readonly Problem[] {
  const first = since[0] ?? 1
  if (opset >= first || early.has(node.op)) return []
  const message = `${nodeLabel(node)}: opset ${opset} has no operator ${node.op} yet`
  return [
    {
      code: 'graph.operator-too-new',
      node: node.name,
      message,
      expected: `opset ${first} or later`,
      found: `opset ${opset}`,
    },
  ]
}

function countProblems(
  node: Node,
  side: 'input' | 'output',
  count: number,
  [least, most]: readonly [number, number],
): readonly Problem[] {
  if (count >= least && count <= most) return []
  const expected = least === most ? `${least}` : most === Infinity ? `${least} or more` : `${least} to ${most}`
  const message = `${nodeLabel(node)} has ${count} ${side}${count === 1 ? '' : 's'}`
  return [{ code: `graph.${side}-count`, node: node.name, message, expected, found: `${count}` }]
}

/** Operators in whose schema an input may be absent although others must follow it. */
const absentAllowed = new Set(['Loop', 'Scan'])

function absentProblems(node: Node, { inputs: [least] }: OperatorSchema): readonly Problem[] {
  const index = node.inputs.slice(0, least).indexOf('')
  if (index < 0 || absentAllowed.has(node.op)) return []
  const message = `${nodeLabel(node)}: input ${index} is absent but required`
  return [{ code: 'graph.absent-input', node: node.name, message }]
}

function attributeProblems(node: Node, schema: OperatorSchema, opset: number): readonly Problem[] {
  return Object.entries(node.attributes).flatMap(([name, { kind }]): Problem[] => {
    const expected = attributeKindOf(node.op, node.domain, name, opset)
    const start = `${nodeLabel(node)}: `
    if (expected === undefined) {
      const message = `${start}the operator has no attribute "${name}"`
      const known = listOf(Object.keys(schema.attributes))
      return [{ code: 'graph.unknown-attribute', node: node.name, message, expected: known, found: name }]
    }
    // A reference stands for an attribute of the function around it; its kind is known where that is called.
    if (kind === expected || kind === 'reference') return []
    const message = `${start}attribute "${name}" is of the wrong kind`
    return [{ code: 'graph.attribute-kind', node: node.name, message, expected, found: kind }]
  })
}

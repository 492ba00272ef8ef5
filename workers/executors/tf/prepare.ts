import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { DType } from '../../graph/dtype.ts'
import { nodeLabel, subgraphsOf, type Graph, type Node } from '../../graph/graph.ts'
import { isDefaultDomain } from '../../graph/schema.ts'
import { asTensor } from '../../graph/types.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import { decompose, isDecomposed } from '../../ops/decompose.ts'
import { EMIT_OPSET } from '../../ops/emit.ts'
import { inferTypes } from '../../ops/infer.ts'
import { constantsToInitializers, unfuse, upgrade } from '../../passes/index.ts'
import { kernelOf } from '../reference/kernels.ts'
import { functionOf } from './functions.ts'
import { tfTypes } from './tensorflow.ts'
import { staysHere } from './value.ts'

/**
 * The form of a graph that is run: opset 18 or later, constants as initializers, compound operators decomposed.
 * Everything that TensorFlow cannot do is named before anything runs: `tf.unsupported` for an operator, `tf.dtype`
 * for an element type.
 */
export function prepareForTf(graph: Graph): Graph {
  const constants = unfuse(constantsToInitializers(graph).graph).graph
  const upgraded = isStep(constants) ? constants : upgrade(constants, Math.max(constants.opset, EMIT_OPSET))
  const typed = isTyped(upgraded) ? upgraded : inferTypes(upgraded)
  checkTypes(typed)
  const simple = typed.nodes.some(isDecomposed) ? inferTypes(decompose(typed)) : typed
  check(simple)
  return simple
}

/** Step graphs are written at the newest opset that is emitted. */
const isStep = (graph: Graph): boolean => graph.opsets.has(COMPOSITES) || graph.opset >= EMIT_OPSET

const isTyped = (graph: Graph): boolean =>
  graph.nodes.every((node) => node.outputs.every((o) => o === '' || asTensor(graph.type(o))?.dtype !== undefined))

function check(graph: Graph): void {
  const here = smallValues(graph)
  const problems = graph.nodes.flatMap((node) => {
    const reason = whyNot(graph, node, here)
    return reason === undefined ? [] : [{ node, ...reason }]
  })
  const [first] = problems
  if (!first) return
  throw new AlambicError(first.code, `${nodeLabel(first.node)}: ${first.says}`, {
    subject: first.node.name,
    found: [...new Set(problems.map(({ node, says }) => `${node.op}: ${says}`))].join('; '),
    fix: 'Use --device cpu for this model.',
  })
}

/** Of what comes in, and of what would be decomposed, which writes float32. */
function checkTypes(graph: Graph): void {
  for (const { name, type } of graph.inputs) checkType(`the input "${name}"`, name, asTensor(type)?.dtype)
  for (const node of graph.nodes.filter(isDecomposed)) {
    for (const name of node.inputs) {
      checkType(`${nodeLabel(node)}: its input "${name}"`, node.name, asTensor(graph.type(name))?.dtype)
    }
  }
}

function checkType(what: string, subject: string, dtype: DType | undefined): void {
  if (dtype === undefined || dtype in tfTypes) return
  throw new AlambicError('tf.dtype', `${what} is ${dtype}, which TensorFlow.js does not have`, {
    subject,
    expected: Object.keys(tfTypes).join(', '),
    found: dtype,
    fix: 'Convert the model to float32 first, or use --device cpu.',
  })
}

/**
 * Values that are known to stay in this process: small constants, shapes, and what is computed of such. The reference
 * executor computes them, exactly and in 64 bits.
 */
function smallValues(graph: Graph): ReadonlySet<string> {
  const small = new Set<string>([''])
  for (const [name, tensor] of graph.initializers) if (staysHere(tensor)) small.add(name)
  for (const node of graph.nodes) {
    if (isShape(node) || node.inputs.every((name) => small.has(name))) node.outputs.forEach((o) => small.add(o))
  }
  return small
}

const isShape = ({ op, domain }: Node): boolean => isDefaultDomain(domain) && (op === 'Shape' || op === 'Size')

interface Reason {
  readonly code: string
  readonly says: string
}

/** Why a node cannot be run; undefined when it can. */
function whyNot(graph: Graph, node: Node, small: ReadonlySet<string>): Reason | undefined {
  const isHere = node.inputs.every((name) => small.has(name)) && subgraphsOf(node).length === 0
  if (isHere && kernelOf(node.op, node.domain)) return undefined
  if (!functionOf(node.op, node.domain)) return { code: 'tf.unsupported', says: 'TensorFlow.js has nothing for it' }
  const limit = isDefaultDomain(node.domain) ? limits[node.op]?.(node, graph) : undefined
  if (limit !== undefined) return { code: 'tf.unsupported', says: limit }
  for (const name of [...node.inputs, ...node.outputs]) {
    const dtype = name === '' ? undefined : asTensor(graph.type(name))?.dtype
    if (dtype !== undefined && !(dtype in tfTypes)) {
      return { code: 'tf.dtype', says: `TensorFlow.js has no tensors of type ${dtype}` }
    }
  }
  return undefined
}

const isFloat = (graph: Graph, name: string | undefined): boolean => {
  const dtype = name === undefined ? undefined : asTensor(graph.type(name))?.dtype
  return dtype === undefined || dtype === 'f32'
}

type Limit = (node: Node, graph: Graph) => string | undefined

const floatsOnly: Limit = (node, graph) =>
  isFloat(graph, node.inputs[0]) ? undefined : 'on TensorFlow it takes float32 only'
const noOutput =
  (index: number, what: string): Limit =>
  (node) =>
    (node.outputs[index] ?? '') === '' ? undefined : `its output ${what} is not computed on TensorFlow`
const oneOf =
  (attribute: string, allowed: readonly string[]): Limit =>
  (node) => {
    const value = attributesOf(node)[attribute]
    if (typeof value !== 'string' || allowed.includes(value)) return undefined
    return `${attribute} "${value}" is not supported on TensorFlow`
  }
const either =
  (...all: readonly Limit[]): Limit =>
  (node, graph) =>
    all.map((limit) => limit(node, graph)).find((reason) => reason !== undefined)
const rankAtMost =
  (most: number, input: number): Limit =>
  (node, graph) => {
    const shape = asTensor(graph.type(node.inputs[input] ?? ''))?.shape
    return shape && shape.length > most
      ? `windows over ${shape.length - 2} axes are not supported on TensorFlow`
      : undefined
  }
const isTrained: Limit = (node) =>
  attributesOf(node)['training_mode'] === 1 ? 'training_mode is not supported on TensorFlow' : undefined
const dilatedPool: Limit = (node) => {
  const dilations = attributesOf(node)['dilations'] as readonly number[] | undefined
  return dilations?.some((d) => d !== 1) ? 'dilated pools are not supported on TensorFlow' : undefined
}

/** Forms of operators that are not supported. */
const limits: Readonly<Record<string, Limit>> = {
  AveragePool: either(rankAtMost(4, 0), dilatedPool),
  BatchNormalization: isTrained,
  Conv: rankAtMost(4, 1),
  ConvTranspose: either(rankAtMost(4, 1), (node) => {
    const { auto_pad: auto = 'NOTSET', output_shape: shape } = attributesOf(node)
    return auto === 'NOTSET' && shape === undefined
      ? undefined
      : 'auto_pad and output_shape are not supported on TensorFlow'
  }),
  Div: floatsOnly,
  Dropout: either(noOutput(1, 'mask'), (node, graph) => {
    const flag = graph.initializers.get(node.inputs[2] ?? '')
    const isOff = (node.inputs[2] ?? '') === '' || (flag !== undefined && flag.bytes.every((b) => b === 0))
    return isOff ? undefined : 'a Dropout that draws random numbers is not supported on TensorFlow'
  }),
  GatherND: (node) => (attributesOf(node)['batch_dims'] ? 'batch_dims is not supported on TensorFlow' : undefined),
  LRN: (node) =>
    Number(attributesOf(node)['size']) % 2 === 0 ? 'TensorFlow normalizes over an odd number of channels' : undefined,
  MatMulInteger: (node, graph) => {
    const shape = (index: number) => asTensor(graph.type(node.inputs[index] ?? ''))?.shape ?? []
    if (shape(2).some((d) => d !== 1)) return 'a zero point for each row of A is not supported on TensorFlow'
    return shape(3).length > 1 ? 'zero points of several axes are not supported on TensorFlow' : undefined
  },
  MaxPool: either(rankAtMost(4, 0), dilatedPool, noOutput(1, 'Indices')),
  Pad: oneOf('mode', ['constant', 'reflect']),
  Pow: floatsOnly,
  Resize: either(floatsOnly, (node) =>
    attributesOf(node)['coordinate_transformation_mode'] === 'tf_crop_and_resize'
      ? 'tf_crop_and_resize is not supported on TensorFlow'
      : undefined,
  ),
  ScatterElements: oneOf('reduction', ['none', 'add']),
  ScatterND: oneOf('reduction', ['none', 'add']),
}

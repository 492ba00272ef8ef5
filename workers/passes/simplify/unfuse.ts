import { attributesOf, toAttributes, type LooseAttributes } from '../../graph/attributes.ts'
import { identity, type Graph, type Node } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { inferTypes } from '../../ops/infer.ts'
import { EMIT_OPSET, Emitter } from '../../ops/emit.ts'
import { namesIn } from '../../graph/builder.ts'
import { resultOf, type ChangeResult } from '../report.ts'
import { upgrade } from '../upgrade/upgrade.ts'
import { attention, multiHeadAttention } from './attention.ts'
import { removeIdentities } from './identity.ts'

/** What a rule works with: the emitter and the node. Attributes of these operators have no schema, hence `number`. */
export interface Fused {
  readonly g: Emitter
  readonly node: Node
  readonly attr: LooseAttributes
  /** A number attribute, or what stands for it when absent. */
  readonly number: (name: string, fallback: number) => number
}

/** The values that take the place of a fused node's outputs; undefined for a form of it that stays as it is. */
export type Unfuse = (f: Fused) => readonly (string | undefined)[] | undefined

/** Source of all: onnxruntime's `docs/ContribOperators.md`. */
const rules: Readonly<Record<string, Unfuse>> = {
  Attention: attention,
  BiasAdd: ({ g, node }) => [g.add(g.add(at(node, 0), at(node, 1)), at(node, 2))],
  BiasGelu: ({ g, node }) => [gelu(g, g.add(at(node, 0), at(node, 1)))],
  EmbedLayerNormalization: embedLayerNorm,
  FastGelu: ({ g, node }) => [tanhGelu(g, node.inputs[1] ? g.add(at(node, 0), at(node, 1)) : at(node, 0))],
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatMul,
  Gelu: ({ g, node }) => [gelu(g, at(node, 0))],
  MultiHeadAttention: multiHeadAttention,
  QuickGelu: ({ g, node, number }) => [g.mul(at(node, 0), g.sigmoid(g.mul(at(node, 0), number('alpha', 1.702))))],
  SimplifiedLayerNormalization: (f) => rms(f, at(f.node, 0), at(f.node, 1), f.number('axis', -1)),
  SkipLayerNormalization: skipLayerNorm,
  SkipSimplifiedLayerNormalization: skipRms,
  TransposeMatMul: fusedMatMul,
}

/** The operators that `unfuse` knows. */
export const unfusedOperators: readonly string[] = Object.keys(rules)

/** Operators that exporters write in the default domain although no ONNX version has them there. */
const strays: ReadonlySet<string> = new Set([
  'SimplifiedLayerNormalization',
  'SkipSimplifiedLayerNormalization',
  'FusedConv',
])

const ruleOf = (node: Node): Unfuse | undefined =>
  node.domain === 'com.microsoft' || (node.domain === '' && strays.has(node.op)) ? rules[node.op] : undefined

/**
 * Writes onnxruntime's fused operators with standard ones, so that they can be differentiated, pruned and quantized.
 * A graph with such nodes is raised to opset 18. Forms that are not covered (attention with a past, with packed
 * sequences) stay.
 */
export function unfuse(graph: Graph): ChangeResult {
  if (!graph.nodes.some(ruleOf)) return resultOf(graph, [])
  const typed = inferTypes(upgrade(inferTypes(graph), Math.max(graph.opset, EMIT_OPSET)))
  const g = new Emitter(typed.with({ nodes: [] }))
  g.reserve(namesIn(typed))
  const changes: string[] = []
  for (const node of typed.nodes) {
    if (unfuseNode(g, node)) changes.push(`${node.op} "${node.name}" written with standard operators`)
    else g.append(node)
  }
  return changes.length > 0 ? resultOf(removeIdentities(g.build()).graph, changes) : resultOf(graph, [])
}

function unfuseNode(g: Emitter, node: Node): boolean {
  const rule = ruleOf(node)
  if (!rule || asTensor(g.type(at(node, 0)))?.dtype === undefined) return false
  const attr = attributesOf(node)
  const number = (name: string, fallback: number): number => {
    const value = attr[name]
    return typeof value === 'number' ? value : fallback
  }
  const results = rule({ g, node, attr, number })
  if (!results) return false
  node.outputs.forEach((output, i) => {
    const result = results[i]
    if (output === '' || result === undefined) return
    g.append(identity(result, output, `${output}/Identity`))
  })
  return true
}

const at = (node: Node, i: number): string => node.inputs[i] ?? ''

/** x/2 · (1 + erf(x/√2)) (Hendrycks and Gimpel 2016, arXiv:1606.08415). */
function gelu(g: Emitter, x: string): string {
  return g.mul(g.mul(x, 0.5), g.add(g.erf(g.mul(x, Math.SQRT1_2)), 1))
}

/** x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³))), the same paper's approximation. */
function tanhGelu(g: Emitter, x: string): string {
  const cubic = g.mul(g.mul(g.square(x), x), 0.044715)
  return g.mul(g.mul(x, 0.5), g.add(g.tanh(g.mul(g.add(x, cubic), Math.sqrt(2 / Math.PI))), 1))
}

/** Activations that a fused node may end in; the parameters are in the operator's order. */
const activations: Readonly<Record<string, (parameters: readonly number[]) => LooseAttributes>> = {
  Relu: () => ({}),
  Tanh: () => ({}),
  Sigmoid: () => ({}),
  HardSwish: () => ({}),
  LeakyRelu: ([alpha = 0.01]) => ({ alpha }),
  HardSigmoid: ([alpha = 0.2, beta = 0.5]) => ({ alpha, beta }),
}

/** The activation behind a fused node; undefined when it is none that is known. */
function activate(g: Emitter, x: string, name: string, parameters: readonly number[]): string | undefined {
  if (name === '') return x
  if (name === 'Clip') {
    const [min = -Infinity, max = Infinity] = parameters
    return g.op('Clip', [x, g.scalar(min, g.dtype(x)), g.scalar(max, g.dtype(x))])
  }
  const attributes = activations[name]?.(parameters)
  return attributes && g.node('', name, [x], attributes)[0]
}

/** The standard part of a fused node's attributes, as the operator that it was. */
function plain(node: Node, op: string, names: readonly string[], inputs: readonly string[], output: string): Node {
  const kept = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => names.includes(name)))
  return { name: node.name, op, domain: '', inputs, outputs: [output], attributes: kept }
}

const convAttributes = ['auto_pad', 'dilations', 'group', 'kernel_shape', 'pads', 'strides']

/** Conv, then the sum with a fourth input, then the activation. */
function fusedConv({ g, node, attr }: Fused): readonly string[] | undefined {
  const { activation = '', activation_params: parameters = [] } = attr
  if (typeof activation !== 'string') return undefined
  const conv = g.fresh(`${node.outputs[0] ?? ''}.conv`)
  const name = activation === '' || activation === 'Clip' || activation in activations ? activation : undefined
  if (name === undefined) return undefined
  g.append(plain(node, 'Conv', convAttributes, node.inputs.slice(0, node.inputs[2] ? 3 : 2), conv))
  const sum = node.inputs[3] ? g.add(conv, at(node, 3)) : conv
  const y = activate(g, sum, name, parameters as readonly number[])
  return y === undefined ? undefined : [y]
}

function fusedGemm({ g, node, attr, number }: Fused): readonly string[] | undefined {
  const { activation = '' } = attr
  if (typeof activation !== 'string' || !(activation === '' || activation in activations)) return undefined
  const gemm = g.fresh(`${node.outputs[0] ?? ''}.gemm`)
  g.append(plain(node, 'Gemm', ['alpha', 'beta', 'transA', 'transB'], node.inputs, gemm))
  const parameters = ['activation_alpha', 'activation_beta'].flatMap((name) => (name in attr ? [number(name, 0)] : []))
  const y = activate(g, gemm, activation, parameters)
  return y === undefined ? undefined : [y]
}

/** α·op(A)·op(B), where op swaps the last two axes; `transBatch` first moves the batch axes behind the next one. */
function fusedMatMul({ g, node, number }: Fused): readonly string[] {
  const operand = (i: number, letter: 'A' | 'B') => {
    const x = at(node, i)
    const n = g.rank(x)
    // onnxruntime: with transBatch the axes [M, B…, K] become [B…, M, K] before the last two may swap.
    const moved = number(`transBatch${letter}`, 0) ? g.transpose(x, [...range(1, n - 1), 0, n - 1]) : x
    return number(`trans${letter}`, 0) && n > 1 ? g.swapLast(moved) : moved
  }
  const product = g.matmul(operand(0, 'A'), operand(1, 'B'))
  const alpha = number('alpha', 1)
  return [alpha === 1 ? product : g.mul(product, alpha)]
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)

/** x·γ/√(mean(x²)+ε), and the inverse root (Zhang and Sennrich 2019, arXiv:1910.07467). */
function rms({ g, number }: Fused, x: string, gamma: string, axis: number): readonly string[] {
  const rank = g.rank(x)
  const axes = range(axis < 0 ? axis + rank : axis, rank)
  const inverse = g.reciprocal(g.sqrt(g.add(g.mean(g.square(x), axes), number('epsilon', 1e-5))))
  return [g.mul(g.mul(x, inverse), gamma), inverse]
}

/** What is normalized: input + skip, plus the bias where there is one. */
function skipSum(g: Emitter, node: Node, bias: string): string {
  const sum = g.add(at(node, 0), at(node, 1))
  return bias === '' ? sum : g.add(sum, bias)
}

/** Outputs: the result, mean, inverse deviation, the sum. */
function skipLayerNorm({ g, node, number }: Fused): readonly string[] {
  const sum = skipSum(g, node, at(node, 4))
  const inputs = [sum, at(node, 2), ...(node.inputs[3] ? [at(node, 3)] : [])]
  return [...layerNorm(g, node, inputs, number('epsilon', 1e-12)), sum]
}

/** Over the last axis. Outputs: the result, mean, inverse deviation. */
const layerNorm = (g: Emitter, node: Node, inputs: readonly string[], epsilon: number): readonly string[] =>
  g.append({
    name: node.name,
    op: 'LayerNormalization',
    domain: '',
    inputs,
    outputs: ['y', 'mean', 'inverse'].map((part) => g.fresh(`${node.outputs[0] ?? ''}.${part}`)),
    attributes: toAttributes('LayerNormalization', '', { axis: -1, epsilon }),
  })

/** Words + positions + segments, normalized: the front of BERT. Outputs: the result, mask counts, the sum. */
function embedLayerNorm({ g, node, number }: Fused): readonly (string | undefined)[] | undefined {
  const [ids, segments, words, positions, segmentTable] = [0, 1, 2, 3, 4].map((i) => at(node, i)) as [
    string,
    string,
    string,
    string,
    string,
  ]
  const length = g.squeeze(g.op('Slice', [g.op('Shape', [ids]), g.ints([1]), g.ints([2])]), [0])
  const given = at(node, 8)
  const places = given === '' ? g.op('Range', [g.scalar(0, 'i64'), length, g.scalar(1, 'i64')]) : given
  const known = g.add(g.op('Gather', [words, ids]), g.op('Gather', [positions, places]))
  const sum = segments === '' || segmentTable === '' ? known : g.add(known, g.op('Gather', [segmentTable, segments]))
  const y = layerNorm(g, node, [sum, at(node, 5), at(node, 6)], number('epsilon', 1e-12))[0]
  const mask = at(node, 7)
  // Without a mask the counts are zeros.
  const counted = mask === '' ? g.mul(ids, 0) : mask
  return [y, g.cast(g.sum(g.cast(counted, 'i32'), [1], false), 'i32'), sum]
}

function skipRms(f: Fused): readonly (string | undefined)[] {
  const sum = skipSum(f.g, f.node, at(f.node, 3))
  const [y, inverse] = rms(f, sum, at(f.node, 2), -1)
  return [y, undefined, inverse, sum]
}

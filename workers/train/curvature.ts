import { AlambicError } from '../protocol/errors.ts'
import { attributesOf, type LooseAttributes } from '../graph/attributes.ts'
import { identity, type Graph, type Node, type Value } from '../graph/graph.ts'
import { sizeOf } from '../graph/tensor.ts'
import { Emitter } from '../ops/emit.ts'
import { gradientRuleOf } from '../ops/gradient.ts'
import { perChannel } from '../ops/gradient/normalisation.ts'
import type { GradientRule, Names } from '../ops/gradient/rule.ts'
import { removeDropout } from '../passes/index.ts'
import { prepare } from './prepare.ts'

/** A graph that puts out the diagonal second derivative of the loss for every weight in `of`. */
export interface CurvatureGraph {
  readonly graph: Graph
  /** Inputs that each batch brings: the model's own; second derivatives of the cross-entropy need no labels. */
  readonly batch: readonly Value[]
  /** Output names by weight; each has the weight's shape. */
  readonly curvatures: ReadonlyMap<string, string>
}

/**
 * ∂²L/∂w² of the mean cross-entropy, carried backwards along diagonals: h_x = Σ_k (∂y_k/∂x)² h_k (Becker & LeCun
 * 1988; LeCun et al. 1989, Optimal Brain Damage, eq. 6 to 9). Second derivatives of activations are left out, which
 * keeps h ≥ 0 (the Levenberg–Marquardt form, LeCun et al. 1998, Efficient BackProp, §7). It is exact for the last
 * layer. At the logits z, h = p(1 − p)/N with p = softmax(z).
 *
 * @throws AlambicError `curvature.unsupported` naming every operator on the way whose squared Jacobian is not known
 */
export function curvatureGraph(
  model: Graph,
  { batch, of }: { readonly batch: number; readonly of: readonly string[] },
): CurvatureGraph {
  const prepared = prepare(removeDropout(model).graph, { batch })
  const g = new Emitter(prepared)
  const logits = prepared.outputs[0]?.name ?? ''
  const wanted = of.filter((name) => prepared.initializers.has(name))
  const found = backward(g, new Map([[logits, ofLogits(g, logits)]]), wanted)
  g.outputs.length = 0
  const curvatures = new Map(
    wanted.map((weight) => [weight, named(g, weight, found.get(weight) ?? g.zerosLike(weight))]),
  )
  const graph = g.build()
  return { graph, batch: graph.requiredInputs, curvatures }
}

/** p(1 − p) over the samples; classes are axis 1. */
function ofLogits(g: Emitter, logits: string): string {
  const p = g.softmax(logits, 1)
  const [, , ...rest] = g.dims(logits)
  const count = sizeOf([g.dims(logits)[0] ?? 1, ...rest])
  return g.div(g.mul(p, g.sub(1, p)), count)
}

function named(g: Emitter, weight: string, value: string): string {
  const name = g.fresh(`h_${weight}`)
  g.append(identity(value, name))
  g.output(name)
  return name
}

function backward(g: Emitter, curvatures: Map<string, string>, wrt: readonly string[]): ReadonlyMap<string, string> {
  const nodes = [...g.nodes]
  const active = new Set(wrt)
  for (const node of nodes) if (node.inputs.some((x) => active.has(x))) node.outputs.forEach((y) => active.add(y))
  const reached = new Set(curvatures.keys())
  const unknown: Node[] = []
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((y) => reached.has(y)) || !node.inputs.some((x) => active.has(x))) continue
    const rule = gradientRuleOf(node.op, node.domain)
    const square = squares[node.op]
    if (typeof rule !== 'function') {
      if (rule.blocks) unknown.push(node)
      continue
    }
    node.inputs.forEach((x) => active.has(x) && reached.add(x))
    if (!square || node.domain !== '') unknown.push(node)
    if (unknown.length > 0) continue
    const h = node.outputs.map((y) => curvatures.get(y))
    square?.(new Product(g, node, rule), h).forEach((part, i) => {
      const x = node.inputs[i]
      if (part === undefined || x === undefined || !active.has(x)) return
      const own = g.sumTo(part, g.shape(x))
      const sum = curvatures.get(x)
      curvatures.set(x, sum === undefined ? own : g.add(sum, own))
    })
  }
  if (unknown.length > 0) throw unsupported(unknown)
  return curvatures
}

function unsupported(nodes: readonly Node[]): AlambicError {
  const ops = [...new Set(nodes.map((node) => node.op))].join(', ')
  return new AlambicError('curvature.unsupported', `second derivatives can not be carried through ${ops}`, {
    subject: nodes[0]?.name,
    expected: 'convolutions, matrix products, activations, pooling, frozen batch normalization, sums and moves',
    found: ops,
    fix: 'Use the method obd, which squares gradients of single samples and needs gradients only.',
  })
}

/** The vector-Jacobian product of a node, with its operands as they are or changed. */
class Product {
  readonly g: Emitter
  readonly node: Node
  readonly #rule: GradientRule

  constructor(g: Emitter, node: Node, rule: GradientRule) {
    this.g = g
    this.node = node
    this.#rule = rule
  }

  /** Jᵀ·h for every input. */
  apply(h: readonly (string | undefined)[], changed: { inputs?: readonly string[]; attributes?: object } = {}) {
    const inputs = (changed.inputs ?? this.node.inputs) as Names
    const outputs = this.node.outputs as Names
    const attr = { ...attributesOf(this.node), ...changed.attributes } as LooseAttributes
    const dy = h[0] ?? this.g.zerosLike(outputs[0])
    const node = { ...this.node, inputs }
    return this.#rule({ g: this.g, node, attr, inputs, outputs, x: inputs[0], y: outputs[0], dy, grads: h })
  }
}

type Square = (product: Product, h: readonly (string | undefined)[]) => readonly (string | undefined)[]

/** Elements are moved, summed or left out: every entry of the Jacobian is 0 or 1, its own square. */
const moved: Square = (product, h) => product.apply(h)

/** One output element depends on one element of each operand: twice through the Jacobian is its square. */
const elementwise: Square = (product, h) =>
  product.apply(h).map((once, i) => (once === undefined ? undefined : product.apply([once]).map((twice) => twice)[i]))

/** Bilinear: the Jacobian by one operand is made of the other, so the squares of both take their place. */
const bilinear: Square = (product, h) => {
  const { g, node } = product
  const { alpha = 1, beta = 1 } = attributesOf(node, 'Gemm')
  const inputs = node.inputs.map((x, i) => (x === '' || i > 1 ? x : g.square(x)))
  return product.apply(h, {
    inputs,
    ...(node.op === 'Gemm' ? { attributes: { alpha: alpha ** 2, beta: beta ** 2 } } : {}),
  })
}

/** A mean of n elements: (1/n)² where the Jacobian has 1/n. */
const averaged: Square = (product, h) => {
  const { g, node } = product
  const [x = ''] = node.inputs
  const { kernel_shape: kernel } = attributesOf(node, 'AveragePool')
  const n = kernel ? sizeOf(kernel) : sizeOf(g.dims(x)) / sizeOf(g.dims(node.outputs[0] ?? ''))
  return product.apply(h).map((part) => (part === undefined ? undefined : g.div(part, n)))
}

/** y = γ·x̂ + β with fixed statistics: (γ/σ)², x̂² and 1. */
const frozenBatchNorm: Square = (product, h) => {
  const { g, node } = product
  const [x = '', , , mean = '', variance = ''] = node.inputs
  const { epsilon = 1e-5 } = attributesOf(node, 'BatchNormalization')
  const deviation = g.sqrt(g.add(variance, epsilon))
  const normal = g.div(g.sub(x, perChannel(g, mean, x)), perChannel(g, deviation, x))
  const [own, , shift] = product.apply(h)
  const [twice] = product.apply([own])
  const axes = g.dims(x).flatMap((_, i) => (i === 1 ? [] : [i]))
  return [twice, g.sum(g.mul(h[0] as string, g.square(normal)), axes, false), shift]
}

const of = (ops: string, square: Square) => Object.fromEntries(ops.split(' ').map((op) => [op, square]))

/** How diagonals of second derivatives go through an operator. */
const squares: Readonly<Record<string, Square>> = {
  ...of(
    'Add Sum Identity Cast Reshape Flatten Transpose Squeeze Unsqueeze Expand Concat Split Slice Gather Pad',
    moved,
  ),
  ...of('MaxPool GlobalMaxPool ReduceMax ReduceSum Relu Where Clip Max Min DepthToSpace SpaceToDepth', moved),
  ...of('Mul Div Sub Neg LeakyRelu Elu Selu Celu PRelu Sigmoid Tanh HardSigmoid HardSwish Gelu Erf Mish', elementwise),
  ...of('Softplus Softsign Swish Exp Log Sqrt Reciprocal Abs Pow', elementwise),
  ...of('Conv ConvTranspose Gemm MatMul', bilinear),
  ...of('AveragePool GlobalAveragePool ReduceMean', averaged),
  BatchNormalization: frozenBatchNorm,
}

import { dtypes } from '../../graph/dtype.ts'
import { capturedBy, type Graph, type Node } from '../../graph/graph.ts'
import type { PassReport, PassResult } from '../../graph/pass.ts'
import { numberToHalf, tensorOf, type Tensor } from '../../graph/tensor.ts'
import { verify } from '../../graph/verify.ts'
import { inferTypes } from '../../ops/infer.ts'
import { isFloat32 } from '../../ops/quant.ts'
import { FreshNames } from '../names.ts'
import { removeDead } from '../simplify/dead.ts'
import { layerName } from './plan.ts'
import { floatsOf } from './weights.ts'

/** Operators that lose nothing that matters in float16: no sums over many elements, no powers, no exponentials. */
const safe: ReadonlySet<string> = new Set([
  'Add',
  'AveragePool',
  'Clip',
  'Concat',
  'Conv',
  'ConvTranspose',
  'DepthToSpace',
  'Elu',
  'Expand',
  'Flatten',
  'Gather',
  'Gelu',
  'Gemm',
  'GlobalAveragePool',
  'GlobalMaxPool',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'LeakyRelu',
  'MatMul',
  'MaxPool',
  'Mul',
  'Neg',
  'Pad',
  'PRelu',
  'Relu',
  'Reshape',
  'Sigmoid',
  'Slice',
  'SpaceToDepth',
  'Split',
  'Squeeze',
  'Sub',
  'Tanh',
  'Transpose',
  'Unsqueeze',
  'Where',
])

/** Operators that only move values: worth converting where the values are in half already, or are a constant table. */
const movers: ReadonlySet<string> = new Set([
  'DepthToSpace',
  'Expand',
  'Flatten',
  'Gather',
  'Identity',
  'Reshape',
  'Slice',
  'SpaceToDepth',
  'Split',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
])

const LARGEST = 65504
/** Half of the smallest subnormal float16: anything nearer to zero becomes zero. */
const SMALLEST = 2 ** -25

export interface Float16Report extends PassReport {
  readonly nodes: number
  /** Nodes that stay in float32, by operator. */
  readonly kept: Readonly<Record<string, number>>
  readonly warnings: readonly string[]
}

/**
 * The graph in float16 with float32 inputs and outputs: weights are stored in half, operators outside a list of safe
 * ones (normalizations, reductions, exponentials) keep float32 behind Casts. Weights beyond ±65504 are clamped, and
 * said so.
 */
export function toFloat16(graph: Graph, exclude: ReadonlySet<string> = new Set()): PassResult<Float16Report> {
  return new Converter(graph, exclude).convert()
}

class Converter {
  readonly #graph: Graph
  readonly #exclude: ReadonlySet<string>
  readonly #names: FreshNames
  readonly #initializers: Map<string, Tensor>
  readonly #nodes: Node[] = []
  /** float32 value or constant → its float16 form. */
  readonly #halves = new Map<string, string>()
  readonly #warnings: string[] = []

  constructor(graph: Graph, exclude: ReadonlySet<string>) {
    this.#graph = graph
    this.#exclude = exclude
    this.#names = new FreshNames(graph)
    this.#initializers = new Map(graph.initializers)
  }

  convert(): PassResult<Float16Report> {
    const kept: Record<string, number> = {}
    let converted = 0
    for (const node of this.#graph.nodes) {
      if (this.#isConvertible(node)) {
        this.#half(node)
        converted++
      } else {
        this.#nodes.push(node)
        if (node.outputs.some((o) => isFloat32(this.#graph, o))) kept[node.op] = (kept[node.op] ?? 0) + 1
      }
    }
    const report = { modified: converted > 0, nodes: converted, kept, warnings: this.#warnings }
    if (converted === 0) return { graph: this.#graph, report }
    const graph = removeDead(
      this.#graph.with({ nodes: this.#nodes, initializers: this.#initializers, types: new Map() }),
    ).graph
    const typed = inferTypes(graph)
    verify(typed)
    return { graph: typed, report }
  }

  #isConvertible(node: Node): boolean {
    if (node.domain !== '' || !safe.has(node.op) || this.#exclude.has(layerName(node))) return false
    const [x = ''] = node.inputs
    if (movers.has(node.op) && !this.#halves.has(x) && !this.#graph.initializers.has(x)) return false
    return node.outputs.some((o) => isFloat32(this.#graph, o))
  }

  #half(node: Node): void {
    const inputs = node.inputs.map((x) => (x !== '' && isFloat32(this.#graph, x) ? this.#halfOf(x) : x))
    const outputs = node.outputs.map((y) => {
      if (y === '' || !isFloat32(this.#graph, y)) return y
      const half = this.#names.take(`${y}_f16`)
      this.#halves.set(y, half)
      return half
    })
    this.#nodes.push({ ...node, inputs, outputs })
    node.outputs.forEach((y, i) => {
      if (y !== '' && outputs[i] !== y && this.#isReadInFull(y)) this.#cast(outputs[i] ?? '', y, 'f32')
    })
  }

  /** Graph outputs, subgraphs and operators outside the list read the float32 value, which keeps its name. */
  #isReadInFull(value: string): boolean {
    return this.#graph.uses(value).some((use) => {
      if (use.kind !== 'node') return true
      return !this.#isConvertible(use.node) || capturedBy(use.node).has(value)
    })
  }

  #halfOf(value: string): string {
    const known = this.#halves.get(value)
    if (known !== undefined) return known
    const half = this.#names.take(`${value}_f16`)
    this.#halves.set(value, half)
    const constant = this.#graph.initializers.get(value)
    if (constant) this.#initializers.set(half, this.#halfTensor(value, constant))
    else this.#cast(value, half, 'f16')
    return half
  }

  #cast(from: string, to: string, dtype: 'f16' | 'f32'): void {
    const attributes = { to: { kind: 'int', value: dtypes[dtype].onnx } as const }
    this.#nodes.push({ name: `${to}_cast`, op: 'Cast', domain: '', inputs: [from], outputs: [to], attributes })
  }

  #halfTensor(name: string, tensor: Tensor): Tensor {
    let [clamped, lost] = [0, 0]
    const patterns = Uint16Array.from(floatsOf(tensor), (v) => {
      if (Math.abs(v) > LARGEST) clamped++
      if (v !== 0 && Math.abs(v) < SMALLEST) lost++
      return numberToHalf(Math.min(LARGEST, Math.max(-LARGEST, v)))
    })
    if (clamped > 0) this.#warnings.push(`${clamped} elements of "${name}" are beyond ±${LARGEST} and were clamped`)
    if (lost > 0) this.#warnings.push(`${lost} elements of "${name}" are too small for float16 and became zero`)
    return tensorOf('f16', tensor.dims, patterns)
  }
}

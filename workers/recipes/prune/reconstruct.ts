import { Loader, type Preprocessing, type Split } from '../../datasets/index.ts'
import { attributesOf } from '../../graph/attributes.ts'
import { extract } from '../../graph/extract.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { mulberry32 } from '../../graph/random.ts'
import { arrayOf, f32, type Tensor, sizeOf } from '../../graph/tensor.ts'
import type { Where } from '../../measure/accuracy.ts'
import { isLive } from '../../ops/coupling/axis.ts'
import type { Removal } from '../../passes/prune/cut.ts'
import type { Groups } from '../../passes/prune/groups.ts'
import { LeastSquares } from '../../passes/prune/least-squares.ts'
import { elementsOf } from '../../passes/prune/weights.ts'
import { withInitializers } from '../fit.ts'

export interface ReconstructOptions {
  readonly samples: number
  readonly batch: number
  readonly seed: number
}

/** What fitting a layer to its old outputs did: the mean squared error over the outputs' own mean square. */
export interface LayerFit {
  readonly layer: string
  readonly before: number
  readonly after: number
}

export interface Reconstruction {
  readonly graph: Graph
  readonly layers: readonly LayerFit[]
  /** Layers that were left as they are, and why. */
  readonly skipped: readonly string[]
}

/** Weights per output that can be solved for in reasonable time. */
const MAX_INPUTS = 1200
/** Rows for each unknown, and at most. */
const ROWS_PER_INPUT = 6
const MAX_ROWS = 6000
const RIDGE = 1e-4

/** A layer that reads fewer channels than before. */
interface Layer {
  readonly node: Node
  readonly output: string
  /** Its output channels that stay, in the old numbering. */
  readonly kept: readonly number[]
}

/**
 * Fits every layer that lost inputs to the outputs it had, in the order of the graph, so that each makes up for what
 * the layers before it lost (He et al. 2017, arXiv:1707.06168, section 3). Data without labels.
 */
export async function reconstruct(
  before: { readonly groups: Groups; readonly removal: Removal },
  after: Graph,
  split: Split,
  preprocessing: Preprocessing,
  where: Where,
  options: ReconstructOptions,
): Promise<Reconstruction> {
  const { layers, skipped } = layersOf(before.groups, before.removal, after)
  const data = new Calibration(split, preprocessing, where, options)
  const old = before.groups.coupling.graph
  let graph = after
  const fits: LayerFit[] = []
  for (const layer of layers) {
    const solved = await solveLayer(data, old, graph, layer, options.seed)
    graph = solved.graph
    fits.push(solved.fit)
  }
  return { graph, layers: fits, skipped }
}

function layersOf({ coupling, groups }: Groups, removal: Removal, after: Graph) {
  const gone = new Set(groups.flatMap((g) => (removal.get(g.id) ?? []).map((unit) => g.atoms[unit] as number)))
  const readers = new Set<string>()
  for (const group of groups) {
    if (!removal.has(group.id)) continue
    for (const { roles } of group.members) {
      for (const { role, node } of roles) if (role === 'in') readers.add(node.outputs[0] ?? '')
    }
  }
  const layers: Layer[] = []
  const skipped: string[] = []
  for (const node of after.nodes) {
    const output = node.outputs[0] ?? ''
    if (!readers.has(output)) continue
    const axis = coupling.values.get(output)?.at(node.op === 'Conv' ? 1 : -1)
    const channels = isLive(axis)
      ? [...axis.keys()].filter((i) => !gone.has(coupling.atoms.find(axis[i] as number)))
      : undefined
    const reason = unsolvable(after, node)
    if (reason) skipped.push(`${node.name}: ${reason}`)
    else layers.push({ node, output, kept: channels ?? [] })
  }
  return { layers, skipped }
}

function unsolvable(graph: Graph, node: Node): string | undefined {
  const weight = graph.initializers.get(node.inputs[1] ?? '')
  if (!weight || weight.dtype !== 'f32' || !['Conv', 'Gemm', 'MatMul'].includes(node.op)) return 'not a plain layer'
  const { group = 1, auto_pad = 'NOTSET' } = node.op === 'Conv' ? attributesOf(node, 'Conv') : {}
  if (node.op === 'Conv' && (group !== 1 || auto_pad !== 'NOTSET' || weight.dims.length !== 4)) return 'a grouped layer'
  if (node.op === 'Gemm' && attributesOf(node, 'Gemm').transA) return 'a transposed input'
  if (node.op === 'MatMul' && weight.dims.length !== 2) return 'batched weights'
  if (graph.uses(node.inputs[1] ?? '').length > 1) return 'shared weights'
  return inputsOf(node, weight) > MAX_INPUTS
    ? `${inputsOf(node, weight)} weights per output are too many to solve for`
    : undefined
}

/** Weights per output. */
const inputsOf = (node: Node, { dims }: Tensor): number =>
  node.op === 'Conv' ? sizeOf(dims.slice(1)) : (dims[isTransposed(node) ? 1 : 0] as number)

const isTransposed = (node: Node): boolean => node.op === 'Gemm' && attributesOf(node, 'Gemm').transB === 1

/** The same batches for every layer. */
class Calibration {
  readonly #loader: Loader
  readonly #where: Where
  readonly batches: number

  constructor(split: Split, preprocessing: Preprocessing, where: Where, { samples, batch, seed }: ReconstructOptions) {
    const size = Math.min(batch, split.count)
    this.#loader = new Loader(split, { batch: size, seed, preprocessing, dropLast: true })
    this.#where = where
    this.batches = Math.max(1, Math.min(this.#loader.stepsPerEpoch, Math.floor(samples / size)))
  }

  /** A value of a graph over all batches, one after the other. */
  async *values(graph: Graph, value: string): AsyncGenerator<Tensor> {
    const inputs = graph.requiredInputs.map((v) => v.name)
    const part = extract(graph, inputs, [value])
    const { executor, threads } = this.#where
    const program = await executor.compile(part, threads === undefined ? {} : { threads })
    try {
      for (let i = 0; i < this.batches; i++) {
        const { x } = await this.#loader.batchAt(i)
        const { [value]: tensor } = inputs.includes(value)
          ? { [value]: x }
          : await program.run({ [inputs[0] ?? '']: x })
        if (tensor) yield { ...tensor, bytes: tensor.bytes.slice() }
      }
    } finally {
      await program.dispose()
    }
  }
}

/** Rows of a layer's inputs as its weights see them, for outputs by position. */
type Patches = (x: Tensor, position: number, row: Float64Array) => void

async function solveLayer(data: Calibration, old: Graph, graph: Graph, layer: Layer, seed: number) {
  const { node, output } = layer
  const weightName = node.inputs[1] ?? ''
  const weight = graph.initializers.get(weightName) as Tensor
  const bias = graph.initializers.get(node.inputs[2] ?? '')
  const inputs = inputsOf(node, weight)
  const outputs = layer.kept.length > 0 ? layer.kept.length : outputsOf(node, weight)
  const unknowns = inputs + (bias ? 1 : 0)
  const system = new LeastSquares(unknowns, outputs)
  const rows = Math.min(MAX_ROWS, ROWS_PER_INPUT * unknowns)
  const random = mulberry32(seed)
  const errors = { square: 0, before: 0 }
  const kept: [Float64Array, Float64Array][] = []
  const now = data.values(graph, node.inputs[0] ?? '')
  for await (const y of data.values(old, output)) {
    const { value: x } = (await now.next()) as IteratorResult<Tensor, undefined>
    if (!x) break
    const positions = positionsOf(node, y)
    const patch = patchesOf(node, weight, x, y)
    for (let k = 0; k < Math.ceil(rows / data.batches); k++) {
      const position = Math.floor(random() * positions)
      const row = new Float64Array(unknowns).fill(1)
      patch(x, position, row)
      const residual = residualOf(layer, y, position, row, weight, bias, outputs)
      kept.push([row, residual.lacking])
      errors.square += residual.square
      errors.before += squareOf(residual.lacking)
      system.add(row, residual.lacking)
    }
  }
  await now.return(undefined)
  const delta = system.solve(RIDGE)
  const left = kept.reduce((sum, [row, lacking]) => sum + squareOf(lackingAfter(row, lacking, delta, outputs)), 0)
  const fit: LayerFit = { layer: node.name, before: errors.before / errors.square, after: left / errors.square }
  return { graph: withInitializers(graph, moved(layer, weight, bias, delta, outputs)), fit }
}

const squareOf = (v: Float64Array): number => v.reduce((sum, e) => sum + e * e, 0)

function lackingAfter(row: Float64Array, lacking: Float64Array, delta: Float64Array, outputs: number): Float64Array {
  return lacking.map((v, k) => {
    let made = 0
    for (let i = 0; i < row.length; i++) made += (row[i] as number) * (delta[i * outputs + k] as number)
    return v - made
  })
}

const outputsOf = (node: Node, { dims }: Tensor): number =>
  dims[node.op === 'Conv' || isTransposed(node) ? 0 : 1] as number

/** Outputs of one channel in a batch. */
function positionsOf(node: Node, { dims }: Tensor): number {
  const channels = node.op === 'Conv' ? (dims[1] as number) : (dims.at(-1) as number)
  return sizeOf(dims) / channels
}

/** How the inputs behind an output position lie in x. */
function patchesOf(node: Node, { dims: kernel }: Tensor, { dims }: Tensor, y: Tensor): Patches {
  if (node.op !== 'Conv') {
    const size = dims.at(-1) as number
    return (x, position, row) => {
      const values = arrayOf(x) as Float32Array
      for (let i = 0; i < size; i++) row[i] = values[position * size + i] as number
    }
  }
  const [, channels = 0, height = 0, width = 0] = dims
  const [, , kh = 1, kw = 1] = kernel
  const [, , oh = 1, ow = 1] = y.dims
  const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1] } = attributesOf(node, 'Conv')
  return (x, position, row) => {
    const values = arrayOf(x) as Float32Array
    const n = Math.floor(position / (oh * ow))
    const top = (Math.floor(position / ow) % oh) * (strides[0] as number) - (pads[0] as number)
    const left = (position % ow) * (strides[1] as number) - (pads[1] as number)
    let at = 0
    for (let c = 0; c < channels; c++) {
      const plane = (n * channels + c) * height * width
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const [h, w] = [top + i * (dilations[0] as number), left + j * (dilations[1] as number)]
          row[at++] = h >= 0 && h < height && w >= 0 && w < width ? (values[plane + h * width + w] as number) : 0
        }
      }
    }
  }
}

/** What the layer's kept outputs lack of what they were, and the square of what they were. */
function residualOf(
  { node, kept }: Layer,
  y: Tensor,
  position: number,
  row: Float64Array,
  weight: Tensor,
  bias: Tensor | undefined,
  outputs: number,
) {
  const wanted = arrayOf(y) as Float32Array
  const w = elementsOf(weight)
  const b = bias && elementsOf(bias)
  const inputs = inputsOf(node, weight)
  const channels = node.op === 'Conv' ? (y.dims[1] as number) : (y.dims.at(-1) as number)
  const plane = node.op === 'Conv' ? (y.dims[2] as number) * (y.dims[3] as number) : 1
  const base = Math.floor(position / plane) * channels * plane + (position % plane)
  const rowMajor = node.op === 'Conv' || isTransposed(node)
  const lacking = new Float64Array(outputs)
  let square = 0
  for (let k = 0; k < outputs; k++) {
    const old = wanted[base + (kept[k] ?? k) * plane] as number
    let made = b ? (b[k] as number) : 0
    for (let i = 0; i < inputs; i++)
      made += (row[i] as number) * (w[rowMajor ? k * inputs + i : i * outputs + k] as number)
    lacking[k] = old - made
    square += old * old
  }
  return { lacking, square }
}

/** The layer's weights and bias after the change. */
function moved(
  { node }: Layer,
  weight: Tensor,
  bias: Tensor | undefined,
  delta: Float64Array,
  outputs: number,
): ReadonlyMap<string, Tensor> {
  const inputs = inputsOf(node, weight)
  const rowMajor = node.op === 'Conv' || isTransposed(node)
  const w = Float32Array.from(elementsOf(weight), (v, at) => {
    const [k, i] = rowMajor ? [Math.floor(at / inputs), at % inputs] : [at % outputs, Math.floor(at / outputs)]
    return v + (delta[i * outputs + k] as number)
  })
  const changed = new Map([[node.inputs[1] ?? '', f32(w, weight.dims)]])
  if (bias) {
    const b = Float32Array.from(elementsOf(bias), (v, k) => v + (delta[inputs * outputs + k] as number))
    changed.set(node.inputs[2] ?? '', f32(b, bias.dims))
  }
  return changed
}

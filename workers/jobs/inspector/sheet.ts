import type { ModelSheet, Texts } from '../../protocol/studio/sheet.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { Attribute } from '../../graph/attributes.ts'
import { dtypes } from '../../graph/dtype.ts'
import { capturedBy, type Graph, type Node } from '../../graph/graph.ts'
import { typeText } from '../../graph/print.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import type { ValueType } from '../../graph/types.ts'
import { costOf } from '../../ops/cost.ts'
import { weightsOf } from '../../ops/cost/weights.ts'
import { openDims } from '../../measure/assess.ts'
import { inlineFunctions, renameShadowed } from '../../passes/index.ts'
import { trainability } from '../../train/source.ts'
import { titleOf, type Opened } from './open.ts'
import { zerosOf } from './weights.ts'

/** Everything that is shown of every node, without running anything. */
export function modelSheet(opened: Opened): ModelSheet {
  const { graph, model } = opened
  const cost = costOf(graph, openDims(graph), { functions: model.functions })
  const weights = weightColumns(graph)
  const numbers = (pick: (i: number) => number | undefined) =>
    Float64Array.from(graph.nodes, (_, i) => pick(i) ?? Number.NaN)
  return {
    name: graph.name,
    producer: [model.producer.name, model.producer.version].filter(Boolean).join(' '),
    opsets: Object.fromEntries([...graph.opsets].map(([domain, version]) => [domain || 'ai.onnx', version])),
    inputs: graph.requiredInputs.map(({ name, type }) => ({ name, type: typeOf(type) })),
    outputs: graph.outputs.map(({ name, type }) => ({ name, type: typeOf(graph.type(name) ?? type) })),
    count: graph.nodes.length,
    names: graph.nodes.map(titleOf),
    ops: texts(graph.nodes.map((n) => (n.domain === '' || n.domain === 'ai.onnx' ? n.op : `${n.domain}.${n.op}`))),
    types: texts(graph.nodes.map((n) => typeOf(graph.type(n.outputs[0] ?? '')))),
    attributes: texts(graph.nodes.map(attributesText)),
    weights: texts(graph.nodes.map((n) => constantsText(graph, n))),
    params: numbers((i) => cost.nodes[i]?.params),
    macs: numbers((i) => cost.nodes[i]?.macs),
    ...weights,
    edges: edgesOf(graph),
    totals: {
      params: cost.params,
      bytes: [...graph.initializers.values()].reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
      ...(cost.macs === undefined ? {} : { macs: cost.macs }),
    },
    unknown: cost.unknown.slice(0, 20),
    trainable: trainableOf(opened),
  }
}

function trainableOf({ model }: Opened): ModelSheet['trainable'] {
  try {
    return { parameters: trainability(renameShadowed(inlineFunctions(model)).graph).parameters }
  } catch (error) {
    if (error instanceof AlambicError) return { parameters: 0, problem: error.message }
    throw error
  }
}

export const typeOf = (type: ValueType | undefined): string => (type === undefined ? '?' : typeText(type))

export function texts(all: readonly string[]): Texts {
  const places = new Map<string, number>()
  const index = new Uint32Array(all.length)
  all.forEach((text, i) => {
    const place = places.get(text) ?? places.size
    places.set(text, place)
    index[i] = place
  })
  return { values: [...places.keys()], index }
}

/** Longer lists and texts are cut: the details of one node have them whole. */
const MOST = 60
const cut = (text: string): string => (text.length <= MOST ? text : `${text.slice(0, MOST - 1)}…`)

/** An attribute as a line shows it. */
export function attributeText(attribute: Attribute): string {
  const { kind, value } = attribute
  if (kind === 'tensor') return `${value.dtype}[${value.dims.join(',')}]`
  if (kind === 'graph') return `{${value.nodes.length}}`
  if (kind === 'graphs') return value.map((graph) => `{${graph.nodes.length}}`).join(' ')
  if (kind === 'tensors') return `${value.length} tensors`
  if (kind === 'type') return typeOf(value)
  if (kind === 'types') return value.map(typeOf).join(' ')
  if (kind === 'sparse') return `${value.byteLength} bytes`
  return Array.isArray(value) ? `[${value.join(',')}]` : String(value)
}

const attributesText = ({ attributes }: Node): string =>
  Object.entries(attributes)
    .map(([name, attribute]) => `${name}=${cut(attributeText(attribute))}`)
    .join('\n')

function constantsText(graph: Graph, { inputs }: Node): string {
  return inputs
    .flatMap((name) => {
      const tensor = graph.initializers.get(name)
      return tensor ? [`${cut(name)} [${tensor.dims.join(',')}]`] : []
    })
    .join('\n')
}

/** Bytes, zeros and bits of what training would change; a tensor that several nodes read counts at the first. */
function weightColumns(graph: Graph): Pick<ModelSheet, 'bytes' | 'sparsity' | 'bits'> {
  const seen = new Set<Tensor>()
  const count = graph.nodes.length
  const [bytes, sparsity, bits] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)]
  graph.nodes.forEach((node, i) => {
    let [elements, zeros, largest] = [0, 0, 0]
    bits[i] = sparsity[i] = Number.NaN
    for (const { tensor } of weightsOf(graph, node)) {
      const size = sizeOf(tensor.dims)
      if (size > largest) {
        largest = size
        bits[i] = bitsOf(node, tensor)
      }
      const found = zerosOf(tensor)
      if (found !== undefined) {
        elements += size
        zeros += found
      }
      if (!seen.has(tensor)) bytes[i] = (bytes[i] as number) + tensor.bytes.byteLength
      seen.add(tensor)
    }
    if (elements > 0) sparsity[i] = zeros / elements
  })
  return { bytes, sparsity, bits }
}

/** Some operators pack codes of a few bits into bytes. */
function bitsOf(node: Node, tensor: Tensor): number {
  const packed = node.attributes['bits']
  return packed?.kind === 'int' && tensor.dtype === 'u8' ? Number(packed.value) : dtypes[tensor.dtype].bits
}

/** Which node reads what of which, inputs and outputs of the graph included. */
function edgesOf(graph: Graph): ModelSheet['edges'] {
  const places = new Map(graph.nodes.flatMap((node, i) => node.outputs.map((name) => [name, i] as const)))
  graph.requiredInputs.forEach(({ name }, i) => places.set(name, -1 - i))
  places.delete('')
  const [from, to, types]: [number[], number[], string[]] = [[], [], []]
  const add = (value: string, reader: number) => {
    const maker = places.get(value)
    if (maker === undefined) return
    from.push(maker)
    to.push(reader)
    types.push(typeOf(graph.type(value)))
  }
  graph.nodes.forEach((node, i) => {
    for (const name of new Set([...node.inputs, ...capturedBy(node)])) add(name, i)
  })
  graph.outputs.forEach(({ name }, i) => add(name, -1 - i))
  return { from: Int32Array.from(from), to: Int32Array.from(to), types: texts(types) }
}

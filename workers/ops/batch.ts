import { Builder, namesIn } from '../graph/builder.ts'
import { nodeLabel, type Graph, type Node, type Value } from '../graph/graph.ts'
import { i64, numbersOf, type Tensor } from '../graph/tensor.ts'
import { asTensor, type Dim, type Shape, type ValueType } from '../graph/types.ts'
import { AlambicError } from '../protocol/errors.ts'
import { bindDims } from './bind.ts'
import { exactDivide, namesOf, product } from './dims.ts'
import { inferOutputs, inferTypes } from './infer.ts'
import { spellShape } from './shape/call.ts'

/** A name that no model uses for a size; it stands for the batch while the graph is looked through. */
const BATCH = 'alambic_batch'
/** A batch size that no constant of a model has by chance. */
const PROBE = 7919

export interface BatchOptions {
  /** The inputs that have the batch as axis 0; unless told, those whose axis 0 equals the first input's. */
  readonly inputs?: readonly string[]
}

/**
 * The graph for batches of `n` (a number, or a name for a symbolic size), where its inputs have a fixed axis 0.
 * Constant targets of Reshape that hold the old batch are rewritten. Throws `ops.fixed-batch`, naming the node, where
 * the old batch is built in: a constant joined to the data, a reshape that mixes the batch with other axes, an output
 * that lost it.
 */
export function setBatch(graph: Graph, n: Dim, options: BatchOptions = {}): Graph {
  const names = new Set(options.inputs ?? batchedInputs(graph))
  const old = firstBatch(graph, names)
  const open = graph.with({
    inputs: graph.inputs.map((v) => (names.has(v.name) ? { ...v, type: withBatch(v.type, BATCH) } : v)),
    outputs: graph.outputs.map((v) => ({ ...v, type: dtypeOnly(v.type) })),
    types: new Map(),
  })
  const inferred = orExplain(() => inferTypes(freeReshapes(open, old), { strict: true }))
  checkOutputs(graph, inferred, old)
  // A name fits beside any number; a size that no constant has shows where one is tied to the old batch.
  orExplain(() => bindDims(inferred, { [BATCH]: PROBE }, { strict: true }))
  return bindDims(inferred, { [BATCH]: n })
}

const withBatch = (type: ValueType, n: Dim): ValueType =>
  type.kind === 'tensor' && type.shape ? { ...type, shape: [n, ...type.shape.slice(1)] } : type
const dtypeOnly = (type: ValueType): ValueType =>
  type.kind === 'tensor' ? { kind: 'tensor', dtype: type.dtype } : type

const axis0 = (value: Value): Dim | undefined => asTensor(value.type)?.shape?.[0]

function batchedInputs(graph: Graph): readonly string[] {
  const inputs = graph.requiredInputs
  const first = inputs.map(axis0).find((d) => d !== undefined)
  return inputs.filter((v) => first !== undefined && axis0(v) === first).map((v) => v.name)
}

function firstBatch(graph: Graph, names: ReadonlySet<string>): Dim {
  const old = graph.inputs.filter((v) => names.has(v.name)).map(axis0)[0]
  if (old === undefined) throw fixed(`graph "${graph.name}" has no input with a batch axis`, 'an input of known rank')
  return old
}

const fixed = (sentence: string, expected: string, found?: string): AlambicError =>
  new AlambicError('ops.fixed-batch', sentence, {
    expected,
    found,
    fix: 'export the model again with a symbolic batch size',
  })

function orExplain(f: () => Graph): Graph {
  try {
    return f()
  } catch (error) {
    if (!(error instanceof AlambicError) || error.code !== 'ops.contradiction') throw error
    throw fixed(`the batch size cannot be changed: ${error.message}`, error.expected ?? 'any batch', error.found)
  }
}

// --- Reshape targets ---------------------------------------------------------------------------------------------

/** Rewrites the constant targets of Reshape in node order: each sees the types that the earlier ones gave. */
function freeReshapes(graph: Graph, old: Dim): Graph {
  const builder = new Builder(graph.with({ nodes: [], outputs: [] }), inferOutputs)
  const taken = namesIn(graph)
  const constants = constantTargets(graph)
  for (const node of graph.nodes) {
    const constant = isReshape(node) ? constants.get(node.inputs[1] ?? '') : undefined
    const input = asTensor(builder.type(node.inputs[0] ?? ''))?.shape
    const target = constant && input?.some(hasBatch) ? freedTarget(node, input, numbersOf(constant), old) : undefined
    if (target) {
      const name = unusedName(`${node.outputs[0] ?? node.name}_target`, taken)
      builder.initializers.set(name, i64(target))
      builder.append({ ...node, inputs: [node.inputs[0] ?? '', name] })
    } else builder.append(node)
  }
  return graph.with({ nodes: builder.nodes, initializers: builder.initializers })
}

const isReshape = (node: Node): boolean => node.op === 'Reshape' && node.domain === ''

function unusedName(hint: string, taken: Set<string>): string {
  let name = hint
  for (let n = 1; taken.has(name); n++) name = `${hint}_${n}`
  taken.add(name)
  return name
}

function constantTargets(graph: Graph): Map<string, Tensor> {
  const constants = new Map([...graph.initializers].filter(([, t]) => t.dtype === 'i64' && t.dims.length === 1))
  for (const node of graph.nodes) {
    const value = node.op === 'Constant' ? node.attributes['value'] : undefined
    const output = node.outputs[0]
    if (output && value?.kind === 'tensor' && value.value.dtype === 'i64') constants.set(output, value.value)
  }
  return constants
}

/**
 * The target that works for every batch, or undefined when the present one does. Axis 0 of the result must be a
 * multiple of the batch as axis 0 of the input is: row-major order then keeps the samples together.
 */
function freedTarget(node: Node, input: Shape, target: readonly number[], old: Dim): readonly number[] | undefined {
  const [first, ...rest] = target
  const batchFirst = isMultiple(input[0]) && !input.slice(1).some(hasBatch)
  const sizes = rest.map((d, i) => (d === 0 ? (input[i + 1] ?? '?') : d))
  if (batchFirst && first !== undefined) {
    const open = rest.includes(-1)
    if (first === 0) return undefined
    if (!open && isMultiple(exactDivide(product(input), product(sizes))))
      return first === -1 ? undefined : [-1, ...rest]
    if (open && first === old && input[0] === BATCH) return [0, ...rest]
  }
  throw fixed(
    `${nodeLabel(node)}: its constant target has the batch size built in`,
    'a target whose axis 0 alone depends on the batch',
    `${spellShape(input)} reshaped to ${spellShape(target)}`,
  )
}

const hasBatch = (dim: Dim | undefined): boolean => dim !== undefined && namesOf(dim).includes(BATCH)
const isMultiple = (dim: Dim | undefined): boolean => dim !== undefined && exactDivide(dim, BATCH) !== '?'

// --- outputs -----------------------------------------------------------------------------------------------------

/** Every output that had the batch as axis 0 must still have it. */
function checkOutputs(before: Graph, after: Graph, old: Dim): void {
  before.outputs.forEach((value, i) => {
    const shape = asTensor(after.outputs[i]?.type)?.shape
    if (axis0(value) !== old || !shape || shape.length === 0 || hasBatch(shape[0]) || shape[0] === '?') return
    const at = whereLost(after, value.name)
    throw fixed(
      `the batch size cannot be changed: output "${value.name}" does not follow it${
        at ? `, because ${nodeLabel(at)} has the old one built in` : ''
      }`,
      'axis 0 to be the batch',
      spellShape(shape),
    )
  })
}

/** The last node on the way to an output that still reads the batch but no longer gives it. */
function whereLost(graph: Graph, output: string): Node | undefined {
  const follows = (value: string) => hasBatch(asTensor(graph.type(value))?.shape?.[0])
  const seen = new Set([output])
  for (const value of seen) {
    const node = graph.producer(value)
    if (!node) continue
    if (node.inputs.some(follows)) return node
    for (const input of node.inputs) if (input !== '') seen.add(input)
  }
  return undefined
}

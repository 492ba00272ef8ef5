import fc from 'fast-check'
import type { Attribute } from '../graph/attributes.ts'
import { byteLength, dtypes, type DType } from '../graph/dtype.ts'
import { Graph, type Node } from '../graph/graph.ts'
import { sizeOf, stringTensor, type Tensor } from '../graph/tensor.ts'
import type { Dim, ValueType } from '../graph/types.ts'

/**
 * Graphs that make no sense but show every shape of the data: all dtypes with any bytes, all kinds of attributes,
 * nested graphs, odd names. For round trips through text and files. Values are defined once and read after they are
 * defined; operators, domains and types are arbitrary.
 */

const plainName = fc.stringMatching(/^[a-z][a-z0-9_]{0,6}(\.[a-z0-9]{1,3})?$/)
const oddName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 8, unit: 'binary' }),
  fc.constantFrom(
    '_',
    'const',
    'doc',
    'graph',
    'meta',
    'opset',
    'inf',
    'f32',
    '?',
    '4',
    '-1',
    '/a/b:0',
    '"',
    '\\',
    '名',
    'a b',
    '__proto__',
    'constructor',
  ),
)
const anyName = fc.oneof({ weight: 2, arbitrary: plainName }, { weight: 1, arbitrary: oddName })

const anyDType = fc.constantFrom(...(Object.keys(dtypes) as DType[]))
const anyDims = fc.array(fc.nat({ max: 4 }), { maxLength: 3 })

/** Tensors of every dtype: random bytes (NaNs with payloads, booleans of 7) and repeated ones. */
export const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(anyDType, anyDims)
  .chain(([dtype, dims]): fc.Arbitrary<Tensor> => {
    const count = sizeOf(dims)
    if (dtype === 'string') {
      const strings = fc.array(fc.string({ unit: 'binary', maxLength: 5 }), { minLength: count, maxLength: count })
      return strings.map((s) => stringTensor(s, dims))
    }
    const length = byteLength(dtype, count)
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: length, maxLength: length }),
      fc.nat({ max: 1 }).map((byte) => new Uint8Array(length).fill(byte)),
    )
    return bytes.map((b) => ({ dtype, dims, bytes: b }))
  })

const anyDim: fc.Arbitrary<Dim> = fc.oneof(fc.nat(), anyName, fc.constant('?'))
const tensorParts = fc.record({ dtype: anyDType, shape: fc.array(anyDim, { maxLength: 3 }) }, { requiredKeys: [] })

/** Types of every kind. */
export const anyType: fc.Arbitrary<ValueType> = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tensorParts.map((parts): ValueType => ({ kind: 'tensor', ...parts })),
    tensorParts.map((parts): ValueType => ({ kind: 'sparse', ...parts })),
    fc.constant<ValueType>({ kind: 'unknown' }),
    fc.record({ kind: fc.constantFrom('sequence' as const, 'optional' as const), of: tie('type') }),
    fc.record({ kind: fc.constant('map' as const), key: anyDType, of: tie('type') }),
  ),
})).type

const anyFloat = fc.float()
const anyInt = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n))
const anyText = fc.string({ unit: 'binary' })
const few = { maxLength: 3 }

/** Attributes of every kind; graphs in them have the given opsets and are nested at most `depth` deep. */
function anyAttribute(opsets: ReadonlyMap<string, number>, depth: number): fc.Arbitrary<Attribute> {
  const flat: fc.Arbitrary<Attribute>[] = [
    fc.record({ kind: fc.constant('float' as const), value: anyFloat }),
    fc.record({ kind: fc.constant('int' as const), value: anyInt }),
    fc.record({ kind: fc.constant('string' as const), value: anyText }),
    fc.record({ kind: fc.constant('tensor' as const), value: anyTensor }),
    fc.record({ kind: fc.constant('type' as const), value: anyType }),
    fc.record({ kind: fc.constant('floats' as const), value: fc.array(anyFloat, few) }),
    fc.record({ kind: fc.constant('ints' as const), value: fc.array(anyInt, few) }),
    fc.record({ kind: fc.constant('strings' as const), value: fc.array(anyText, few) }),
    fc.record({ kind: fc.constant('tensors' as const), value: fc.array(anyTensor, few) }),
    fc.record({ kind: fc.constant('types' as const), value: fc.array(anyType, few) }),
    fc.record({ kind: fc.constant('sparse' as const), value: fc.uint8Array({ maxLength: 9 }) }),
    fc.record({ kind: fc.constant('reference' as const), value: anyName, of: anyName }),
  ]
  if (depth === 0) return fc.oneof(...flat)
  const inner = graphOf(opsets, depth - 1)
  return fc.oneof(
    ...flat,
    fc.record({ kind: fc.constant('graph' as const), value: inner }),
    fc.record({ kind: fc.constant('graphs' as const), value: fc.array(inner, { maxLength: 2 }) }),
  )
}

const anyOperator = fc.oneof(
  fc.constantFrom('Relu', 'Elu', 'Gemm', 'Constant').map((op) => ({ op, domain: '' })),
  fc.record({
    op: fc.constantFrom('Relu', 'Fused'),
    domain: fc.constantFrom('ai.onnx', 'com.microsoft', 'odd-domain'),
  }),
  fc.record({ op: anyName, domain: fc.oneof(fc.constant(''), anyName) }),
)
/** Names that schemas know, so that a kind other than the schema's is tried, and any. */
const attributeName = fc.oneof(fc.constantFrom('alpha', 'value_floats', 'transA'), anyName)

const anyMetadata = fc.array(fc.tuple(anyText, anyText), few).map((entries) => new Map(entries))

interface Seeds {
  readonly names: string[]
  readonly counts: readonly [number, number]
  readonly tensors: readonly Tensor[]
  readonly types: readonly (ValueType | undefined)[]
  readonly drafts: readonly Omit<Node, 'inputs' | 'outputs'>[]
  readonly wires: readonly number[]
}

function graphOf(opsets: ReadonlyMap<string, number>, depth: number): fc.Arbitrary<Graph> {
  const attributes = fc.dictionary(attributeName, anyAttribute(opsets, depth), { maxKeys: 3 })
  const draft = anyOperator.chain((operator) =>
    fc.record(
      {
        name: fc.oneof(fc.constant(''), anyName),
        op: fc.constant(operator.op),
        domain: fc.constant(operator.domain),
        attributes,
        overload: anyName,
        doc: anyText,
        metadata: anyMetadata,
      },
      { requiredKeys: ['name', 'op', 'domain', 'attributes'] },
    ),
  )
  const seeds: fc.Arbitrary<Seeds> = fc.record({
    names: fc.uniqueArray(anyName, { minLength: 16, maxLength: 16 }),
    counts: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })),
    tensors: fc.array(anyTensor, few),
    types: fc.array(fc.option(anyType, { nil: undefined }), { minLength: 16, maxLength: 16 }),
    drafts: fc.array(draft, { maxLength: depth === 0 ? 2 : 4 }),
    wires: fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
  })
  const extras = fc.record({ name: anyName, doc: anyText, metadata: anyMetadata }, { requiredKeys: ['name'] })
  return fc.tuple(seeds, extras).map(([s, extra]) => assemble(s, opsets, extra))
}

/** Hands out names: some are inputs, some constants, some the outputs of nodes. */
function assemble(seeds: Seeds, opsets: ReadonlyMap<string, number>, extra: { name: string; doc?: string }): Graph {
  const names = [...seeds.names]
  const wires = [...seeds.wires]
  const wire = (below: number) => (below === 0 ? 0 : (wires.pop() ?? 0) % below)
  const typeOf = (name: string) => seeds.types[seeds.names.indexOf(name)]
  const known = names.splice(0, seeds.counts[0])
  const inputs = known.map((name) => ({ name, type: typeOf(name) ?? { kind: 'unknown' as const }, doc: `${name}!` }))
  const initializers = new Map(seeds.tensors.map((tensor) => [names.shift() as string, tensor]))
  known.push(...initializers.keys())
  const types = new Map<string, ValueType>()
  const nodes = seeds.drafts.map((draft): Node => {
    const reads = Array.from({ length: wire(4) }, () => known[wire(known.length + 1)] ?? '')
    const outputs = names.splice(0, wire(3)).map((name) => (wire(5) === 0 ? '' : name))
    for (const output of outputs) {
      const type = output === '' ? undefined : typeOf(output)
      if (type) types.set(output, type)
      if (output !== '') known.push(output)
    }
    return { ...draft, inputs: reads, outputs }
  })
  const outputs = known
    .slice(-seeds.counts[1])
    .map((name) => ({ name, type: typeOf(name) ?? { kind: 'unknown' as const } }))
  return new Graph({ ...extra, inputs, outputs, nodes, initializers, types, opsets })
}

const anyOpsets = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('', 'ai.onnx', 'com.microsoft'), anyName), fc.nat({ max: 30 })), few)
  .map((entries): ReadonlyMap<string, number> => new Map(entries))

/** Any graph, with graphs in attributes one level deep. */
export const anyGraph: fc.Arbitrary<Graph> = anyOpsets.chain((opsets) => graphOf(opsets, 1))

/** One node of a custom operator with attributes of all kinds: fewer names and more attributes than `anyGraph`. */
export const anyAttributeGraph: fc.Arbitrary<Graph> = fc
  .dictionary(anyName, anyAttribute(new Map([['', 17]]), 1), { minKeys: 4, maxKeys: 8 })
  .map((attributes) => {
    const node: Node = { name: 'y', op: 'Custom', domain: '', inputs: [], outputs: ['y'], attributes }
    return new Graph({ nodes: [node], opsets: new Map([['', 17]]) })
  })

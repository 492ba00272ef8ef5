import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { subgraphsOf, type Graph, type Model, type Node } from '../graph/graph.ts'
import type { Tensor } from '../graph/tensor.ts'
import { asTensor, type ValueType } from '../graph/types.ts'
import { typeText } from '../graph/print.ts'
import { decodeModel, decodeTensor } from '../onnx/index.ts'
import { missing, onnxNodeTests, writeReport } from '../testing/assets.ts'
import { inferTypes, whyUnknown } from './infer.ts'

/**
 * ONNX's own operator tests: the declared types of outputs and intermediate values are thrown away, inferred again
 * and compared with the tensors that come with each test.
 *
 * - A claim is a dtype, a rank or a size that is a number. Every claim must be true.
 * - An output is in scope when each operator of its model has a type rule (or is a function of the model's own).
 * - An output counts as claimed when its dtype and all its sizes are. Most tests feed axes, shapes and scales as
 *   inputs, where real models have constants, so the share is counted twice: with inputs unknown, and with the
 *   test's inputs known as ONNX's data propagation knows constants. The 90 % are asked of the second.
 */
interface Outcome {
  readonly name: string
  readonly op: string
  readonly inScope: boolean
  readonly outputs: number
  readonly claimed: number
  readonly claimedKnowing: number
  readonly wrong: readonly string[]
}

const folder = onnxNodeTests()
const tensorAt = (path: string): Tensor | undefined => (existsSync(path) ? decodeTensor(readFileSync(path)) : undefined)

/** Every node of a graph and of the graphs inside it. */
const allNodes = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((n) => [n, ...subgraphsOf(n).flatMap((g) => allNodes(g.nodes))])

function isInScope({ graph, functions }: Model): boolean {
  const own = new Set(functions.map((f) => `${f.domain}:${f.name}`))
  const nodes = [...allNodes(graph.nodes), ...functions.flatMap((f) => allNodes(f.nodes))]
  return nodes.every((n) => own.has(`${n.domain}:${n.op}`) || whyUnknown(n) === undefined)
}

const stripped = (graph: Graph): Graph =>
  graph.with({ types: new Map(), outputs: graph.outputs.map((v) => ({ name: v.name, type: { kind: 'unknown' } })) })

/** What is claimed of an output that is not so. */
function contradiction(claim: ValueType, truth: Tensor): string | undefined {
  const { dtype, shape } = asTensor(claim) ?? {}
  const rightType = dtype === undefined || dtype === truth.dtype
  const rightRank = shape === undefined || shape.length === truth.dims.length
  const right = rightType && rightRank && (shape ?? []).every((d, i) => typeof d !== 'number' || d === truth.dims[i])
  return right ? undefined : `${typeText(claim)} is claimed, it is ${truth.dtype}[${truth.dims.join(',')}]`
}

const isClaimed = (type: ValueType | undefined): boolean => {
  const tensor = asTensor(type)
  return tensor?.dtype !== undefined && tensor.shape?.every((d) => typeof d === 'number') === true
}

function outcomeOf(root: string, name: string): Outcome {
  const model = decodeModel(readFileSync(join(root, name, 'model.onnx')))
  const data = join(root, name, 'test_data_set_0')
  const { functions } = model
  const graph = stripped(model.graph)
  const inputs = graph.inputs.map((v, i) => [v.name, tensorAt(join(data, `input_${i}.pb`))] as const)
  const knownInputs = new Map(inputs.flatMap(([key, tensor]) => (tensor ? [[key, tensor] as const] : [])))
  const plain = inferTypes(graph, { strict: true, functions })
  const knowing = inferTypes(graph, { strict: true, functions, knownInputs })
  const truths = graph.outputs.map((_, i) => tensorAt(join(data, `output_${i}.pb`)))
  const claims = truths.flatMap((truth, i) => {
    const both = [plain.outputs[i]?.type, knowing.outputs[i]?.type]
    return truth ? [{ truth, both }] : []
  })
  return {
    name,
    op: model.graph.nodes.at(-1)?.op ?? '',
    inScope: isInScope(model),
    outputs: claims.length,
    claimed: claims.filter(({ both }) => isClaimed(both[0])).length,
    claimedKnowing: claims.filter(({ both }) => isClaimed(both[1])).length,
    wrong: claims.flatMap(({ truth, both }) => both.flatMap((type) => (type && contradiction(type, truth)) ?? [])),
  }
}

const total = (outcomes: readonly Outcome[], key: 'outputs' | 'claimed' | 'claimedKnowing') =>
  outcomes.reduce((n, o) => n + o[key], 0)
const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`

/** The pass table, for people. */
function report(outcomes: readonly Outcome[]): readonly string[] {
  const scope = outcomes.filter((o) => o.inScope)
  const byOp = Map.groupBy(scope, (o) => o.op)
  const rows = [...byOp]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([op, list]) => {
      const numbers = (['outputs', 'claimed', 'claimedKnowing'] as const).map((key) => total(list, key))
      return `| ${[op, list.length, ...numbers, list.flatMap((o) => o.wrong).length].join(' | ')} |`
    })
  const outputs = total(scope, 'outputs')
  return [
    '# Type inference against the ONNX node tests',
    '',
    `${outcomes.length} tests, ${scope.length} in scope with ${outputs} tensor outputs.`,
    `Claimed with inputs unknown: ${percent(total(scope, 'claimed'), outputs)}; with the test's inputs as constants: ` +
      `${percent(total(scope, 'claimedKnowing'), outputs)}. Wrong claims: ${outcomes.flatMap((o) => o.wrong).length}.`,
    '',
    '| last operator | tests | outputs | claimed | claimed, inputs known | wrong |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ]
}

describe.skipIf(folder === undefined)(`ONNX node tests ${missing('onnx-node-tests')}`, () => {
  const names = folder === undefined ? [] : readdirSync(folder).toSorted()

  test('what inference claims is true, and it claims at least nine of ten', () => {
    const outcomes = names.map((name) => outcomeOf(folder ?? '', name))
    writeReport('inference', report(outcomes))
    expect(outcomes.filter((o) => o.wrong.length > 0)).toEqual([])
    const scope = outcomes.filter((o) => o.inScope)
    expect(total(scope, 'outputs')).toBeGreaterThan(2000)
    expect(total(scope, 'claimedKnowing') / total(scope, 'outputs')).toBeGreaterThanOrEqual(0.9)
    expect(total(scope, 'claimed') / total(scope, 'outputs')).toBeGreaterThanOrEqual(0.8)
  })
})

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { asAlambicError } from '../../protocol/errors.ts'
import type { DType } from '../../graph/dtype.ts'
import type { Graph } from '../../graph/graph.ts'
import { schemas } from '../../graph/schema.ts'
import type { ValueType } from '../../graph/types.ts'
import { decodeData, decodeModel, type DataValue } from '../../onnx/index.ts'
import { missing, onnxNodeTests, writeReport } from '../../testing/assets.ts'
import { kernels, withoutKernel } from './kernels.ts'
import { evaluate, unsupportedNodes } from './evaluate.ts'
import { fromTensor, type NdArray, type Value } from './value.ts'

/** Operators of other domains in ONNX's cases, which the reference executor leaves out. */
const otherDomains: Readonly<Record<string, string>> = {
  'ai.onnx.ml': 'classical machine learning is not compressed here',
  'ai.onnx.preview': 'is a preview, not yet part of ONNX',
  'ai.onnx.preview.training': 'optimizers are written as plain operators here',
}

interface Tolerance {
  readonly rtol: number
  readonly atol: number
}

interface Outcome {
  readonly name: string
  readonly operators: ReadonlySet<string>
  readonly graph: Graph
  /** What is wrong; undefined when the outputs agree. */
  readonly difference: string | undefined
  /** It draws random numbers. */
  readonly random?: boolean
}

function toValue(data: DataValue): Value {
  if (data.kind === 'tensor') return fromTensor(data.value)
  if (data.kind === 'sequence') return { kind: 'sequence', items: data.value.map(toValue) }
  if (data.kind === 'optional') return data.value ? toValue(data.value) : { kind: 'none' }
  throw new Error(`a case has a ${data.kind} value`)
}

const kindOf = (type: ValueType): 'tensor' | 'sequence' | 'optional' =>
  type.kind === 'sequence' || type.kind === 'optional' ? type.kind : 'tensor'

function readValues(folder: string, prefix: 'input' | 'output', types: readonly ValueType[]): (Value | undefined)[] {
  const files = readdirSync(folder)
  return types.map((type, i) => {
    const file = files.find((f) => f.startsWith(`${prefix}_${i}.`))
    return file === undefined ? undefined : toValue(decodeData(readFileSync(join(folder, file)), kindOf(type)))
  })
}

/** Two units in the last place of short floats, as onnx's runner grants bfloat16. */
const units: Partial<Record<DType, number>> = { bf16: 2 ** -6, f16: 2 ** -9 }

/** Cases whose expected zeros are float32 noise of numpy's transform. */
const noise: Readonly<Record<string, number>> = { test_dft_inverse: 1e-6, test_dft_inverse_opset19: 1e-6 }

/** What differs between a result and what was expected, with the tolerance of onnx's own runner for floats. */
function difference(found: Value | undefined, expected: Value, tolerance: Tolerance): string | undefined {
  if (found?.kind !== expected.kind) return `a ${found?.kind ?? 'missing value'} for a ${expected.kind}`
  if (expected.kind === 'sequence') {
    const { items } = found as typeof expected
    if (items.length !== expected.items.length) return `${items.length} items for ${expected.items.length}`
    return expected.items.map((e, i) => difference(items[i], e, tolerance)).find((d) => d !== undefined)
  }
  return expected.kind === 'tensor' ? tensorDifference(found as NdArray, expected, tolerance) : undefined
}

function tensorDifference(found: NdArray, expected: NdArray, { rtol, atol }: Tolerance): string | undefined {
  const type = (x: NdArray) => `${x.dtype}[${x.dims.join(',')}]`
  if (type(found) !== type(expected)) return `${type(found)} for ${type(expected)}`
  const relative = Math.max(rtol, units[found.dtype] ?? 0)
  for (let i = 0; i < expected.data.length; i++) {
    const [a, b] = [found.data[i], expected.data[i]]
    if (Object.is(a, b) || a === b) continue
    const close = typeof a === 'number' && typeof b === 'number' && expected.data instanceof Float64Array
    if (!close || !(Math.abs(a - b) <= atol + relative * Math.abs(b))) return `element ${i} is ${a}, not ${b}`
  }
  return undefined
}

function runCase(root: string, name: string): Outcome {
  const folder = join(root, name)
  const { graph, functions } = decodeModel(readFileSync(join(folder, 'model.onnx')))
  const operators = new Set(graph.nodes.map((n) => (n.domain === '' ? n.op : `${n.domain}.${n.op}`)))
  const stated = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8')) as Tolerance
  const tolerance = { ...stated, atol: noise[name] ?? stated.atol }
  const outcome = (wrong: string | undefined): Outcome => ({ name, operators, graph, difference: wrong })
  try {
    for (const set of readdirSync(folder).filter((f) => f.startsWith('test_data_set_'))) {
      const inputs = readValues(
        join(folder, set),
        'input',
        graph.inputs.map((v) => v.type),
      )
      const feeds = Object.fromEntries(graph.inputs.flatMap((v, i) => (inputs[i] ? [[v.name, inputs[i]]] : [])))
      const results = evaluate(graph, feeds, { functions })
      const expected = readValues(
        join(folder, set),
        'output',
        graph.outputs.map((v) => v.type),
      )
      for (const [i, value] of expected.entries()) {
        const output = graph.outputs[i]?.name ?? ''
        const wrong = value && difference(results[output], value, tolerance)
        if (wrong) return outcome(`output "${output}": ${wrong}`)
      }
    }
    return outcome(undefined)
  } catch (error) {
    const { code, message } = asAlambicError(error)
    return { ...outcome(message), random: code === 'reference.random' }
  }
}

/** One line per operator: how many cases of it there are, alone or in a decomposition, and how many pass. */
function report(outcomes: readonly Outcome[], skipped: ReadonlyMap<string, string>): readonly string[] {
  const rows = new Map<string, { cases: number; passed: number }>()
  for (const { operators, difference } of outcomes) {
    for (const operator of operators) {
      const row = rows.get(operator) ?? { cases: 0, passed: 0 }
      rows.set(operator, { cases: row.cases + 1, passed: row.passed + (difference === undefined ? 1 : 0) })
    }
  }
  const passed = outcomes.filter((o) => o.difference === undefined).length
  const table = [...rows]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([op, row]) => `| ${op} | ${row.cases} | ${row.passed} |`)
  const left = [...skipped].map(([name, reason]) => `| ${name} | ${reason} |`)
  return [
    '# The reference executor on the node tests of ONNX',
    '',
    `${passed} of ${outcomes.length} cases pass; ${skipped.size} are left out. Definitions: ${Object.entries(kernels)
      .map(([domain, table]) => `${Object.keys(table).length} of ${domain === '' ? 'the default domain' : domain}`)
      .join(', ')}.`,
    '',
    '| operator | cases | passed |',
    '| --- | --- | --- |',
    ...table,
    '',
    '| left out | reason |',
    '| --- | --- |',
    ...left,
  ]
}

test('every node test of every operator that the reference executor lists', (context) => {
  const root = onnxNodeTests()
  if (root === undefined) return context.skip(missing('onnx-node-tests'))
  const skipped = new Map<string, string>()
  const outcomes: Outcome[] = []
  for (const name of readdirSync(root).sort()) {
    const outcome = runCase(root, name)
    const [unknown] = unsupportedNodes(outcome.graph)
    if (outcome.random) skipped.set(name, outcome.difference ?? '')
    else if (unknown)
      skipped.set(name, `${unknown.op}: ${withoutKernel[unknown.op] ?? otherDomains[unknown.domain] ?? 'no reason'}`)
    else outcomes.push(outcome)
  }
  writeReport('reference', report(outcomes, skipped))
  const failed = outcomes.filter((o) => o.difference !== undefined)
  expect(failed.map((o) => `${o.name}: ${o.difference}`)).toEqual([])
  expect([...skipped].filter(([, reason]) => reason.endsWith('no reason'))).toEqual([])
  expect(outcomes.length).toBeGreaterThan(1800)
  expect(Object.keys(kernels[''] ?? {}).length).toBeGreaterThanOrEqual(150)
})

test('an operator of the default domain has a definition, or a reason why not', () => {
  const listed = new Set([...Object.keys(kernels[''] ?? {}), ...Object.keys(withoutKernel)])
  expect(Object.keys(schemas).filter((op) => !listed.has(op))).toEqual([])
  expect(Object.keys(withoutKernel).filter((op) => kernels['']?.[op])).toEqual([])
})

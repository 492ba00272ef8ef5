import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { expect, test } from 'vitest'
import { kernelOf, kernels, withoutKernel } from '../executors/reference/kernels.ts'
import type { Node } from '../graph/graph.ts'
import { schemas, type OpType } from '../graph/schema.ts'
import { isDecomposed } from '../ops/decompose.ts'
import { gradientRuleOf } from '../ops/gradient.ts'
import { whyUnknown } from '../ops/infer.ts'
import { microsoft } from '../ops/shape/microsoft.ts'
import { unfusedOperators } from '../passes/index.ts'

const page = fileURLToPath(new URL('../../OPERATORS.md', import.meta.url))
const nodeOf = (op: string, domain = ''): Node => ({ name: '', op, domain, inputs: [], outputs: [], attributes: {} })

/** What a person reads of an operator's gradient. */
function gradientText(op: string, domain = ''): string {
  if (isDecomposed(nodeOf(op, domain))) return 'yes, as simpler operators'
  if (domain === 'com.microsoft' && unfusedOperators.includes(op)) return 'yes, as standard operators'
  if (op === 'Dropout' || op === 'MatMulNBits') return 'yes, as simpler operators'
  if (op === 'DequantizeLinear') return 'of constants, which become float weights'
  if (op === 'Scatter' || op === 'Upsample') return 'yes, after the upgrade'
  const rule = gradientRuleOf(op, domain)
  if (typeof rule === 'function') return 'yes'
  return rule.blocks ? `no: ${rule.reason}` : `zero: ${rule.reason}`
}

const referenceText = (op: string, domain = ''): string =>
  kernelOf(op, domain) ? 'yes' : `no: ${domain === '' ? (withoutKernel[op] ?? '') : 'not written yet'}`

const typesText = (op: string, domain = ''): string => {
  const reason = whyUnknown(nodeOf(op, domain))
  return reason === undefined ? 'yes' : `no: ${reason}`
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  return rows.map((row) => `| ${row.join(' | ')} |`)
}

test('OPERATORS.md says what is known of every operator', async () => {
  const standard = (Object.keys(schemas) as OpType[]).toSorted()
  const contrib = [...new Set([...Object.keys(microsoft), ...Object.keys(kernels['com.microsoft'] ?? {})])].toSorted()
  const row = (op: string, domain = '') => [
    op,
    typesText(op, domain),
    referenceText(op, domain),
    gradientText(op, domain),
  ]
  const head = [
    ['operator', 'types and shapes', 'reference executor', 'gradient'],
    ['---', '---', '---', '---'],
  ]
  const trained = [...standard.map((op) => gradientText(op))].filter((text) => text.startsWith('yes')).length
  const lines = [
    '# Operators',
    '',
    'Written by a test (`npm test -- operators -u` renews it). Models of opsets 7 to 24 are read and written as they are.',
    '**Types and shapes**: whether inference knows what comes out. **Reference executor**: whether there is a definition in',
    'plain TypeScript that the other executors are held to. **Gradient**: whether a model can be trained through it; _zero_',
    'means that the gradient stops there, rightly; _no_ names what stands in the way, as `inspect` does.',
    '',
    `Of ${standard.length} operators of the default domain ${trained} can be trained through.`,
    '',
    ...table([...head, ...standard.map((op) => row(op))]),
    '',
    '## com.microsoft',
    '',
    'What onnxruntime’s quantizer and its transformer optimizer write.',
    '',
    ...table([...head, ...contrib.map((op) => row(op, 'com.microsoft'))]),
    '',
  ]
  const text = await format(lines.join('\n'), { ...(await resolveConfig(page)), parser: 'markdown' })
  await expect(text).toMatchFileSnapshot(page)
})

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ESLint } from 'eslint'
import { describe, expect, test } from 'vitest'
import { root } from '../install.mjs'
import { arrows } from './arrows.js'
import { whyForbidden } from './rules.js'

test.each([
  ['workers/graph/graph.ts', '../protocol/errors.ts'],
  ['workers/graph/graph.ts', './types.ts'],
  ['workers/executors/ort/run.ts', '../../passes/index.ts'],
  ['workers/executors/ort/run.ts', 'onnxruntime-node'],
  ['workers/graph/graph.ts', 'node:fs'],
  ['workers/graph/graph.test.ts', '../ops/shape.ts'],
  ['electron/cli/main.ts', '../../workers/protocol/worker.ts'],
  ['workers/bench/main.ts', '../testing/assets.ts'],
])('%s may import %s', (file, specifier) => {
  expect(whyForbidden(file, specifier)).toBeUndefined()
})

test.each([
  ['workers/graph/graph.ts', '../ops/shape.ts', 'workers/graph may not import workers/ops/shape.ts'],
  ['workers/protocol/errors.ts', '../graph/types.ts', 'itself and nothing of ours'],
  ['workers/jobs/run.ts', '../testing/assets.ts', 'workers/jobs may not import workers/testing'],
  ['workers/jobs/run.ts', '../../electron/host/worker.ts', 'may not import electron/host/worker.ts'],
  ['electron/cli/main.ts', '../../workers/graph/graph.ts', 'electron may not import workers/graph/graph.ts'],
  ['workers/graph/graph.ts', '../graphics/a.ts', 'may not import workers/graphics/a.ts'],
  ['workers/train/step.ts', 'onnxruntime-node', 'only workers/executors'],
  ['workers/train/step.ts', 'onnxruntime-node/x', 'only workers/executors'],
])('%s may not import %s', (file, specifier, why) => {
  expect(whyForbidden(file, specifier)).toContain(why)
})

describe('the configuration of this repository', () => {
  // Where CI=true, typescript-eslint takes a run for a single one and reads the file on the disk, not the text.
  const parserOptions = { disallowAutomaticSingleRunInference: true }
  const eslint = new ESLint({ cwd: root, overrideConfig: { languageOptions: { parserOptions } } })

  /** The messages of the arrow rule for a text, as if it were the file at `path`. */
  const arrowsBroken = async (path: string, text: string): Promise<string[]> => {
    const [result] = await eslint.lintText(text, { filePath: join(root, path) })
    const messages = result?.messages ?? []
    expect(messages.filter(({ fatal }) => fatal)).toEqual([])
    return messages.filter(({ ruleId }) => ruleId === 'alambic/import-arrows').map(({ message }) => message)
  }

  test('rejects every form of a forbidden import, and no comment switches that off', async () => {
    const forms = [
      `import type { A } from '../ops/a.ts'`,
      `export { b } from '../ops/b.ts'`,
      `export * from '../ops/c.ts'`,
      `export const d = await import('../ops/d.ts')`,
      `export type E = import('../ops/e.ts').E`,
    ]
    const text = ['/* eslint-disable */', ...forms].join('\n')
    const broken = await arrowsBroken('workers/graph/graph.ts', text)
    expect(broken.map((message) => /ops\/\w/.exec(message)?.[0])).toEqual(
      ['a', 'b', 'c', 'd', 'e'].map((n) => `ops/${n}`),
    )
  })

  test('accepts an allowed import', async () => {
    expect(await arrowsBroken('workers/graph/graph.ts', `export * from '../protocol/errors.ts'`)).toEqual([])
  })
})

test.each(Object.entries(arrows).filter(([folder]) => existsSync(join(root, folder))))(
  'the tsconfig.json of %s refers to what the folder may import',
  (folder, allowed) => {
    const config = JSON.parse(readFileSync(join(root, folder, 'tsconfig.json'), 'utf8')) as {
      readonly references?: readonly { readonly path: string }[]
    }
    const references = (config.references ?? []).map(({ path }) => join(folder, path).replaceAll('\\', '/'))
    expect(references.toSorted()).toEqual(allowed.toSorted())
  },
)

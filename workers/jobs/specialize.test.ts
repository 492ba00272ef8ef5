import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { modelOf } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { trainingProblems } from '../recipes/steps/train.ts'
import { answer, type CallEnvironment } from './calls.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-specialize-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const environment: CallEnvironment = {
  listener: { progress: () => undefined, event: () => undefined },
  stopping: () => false,
  leaving: () => undefined,
  executor: () => Promise.reject(new Error('nothing is run')),
}

test('a model for one rate can be trained, the one for two could not', async () => {
  const two = modelOf(
    parse(`graph (x: f32[N,4], rate: i64[]) -> (y: f32[N,2]) opset 17 {
      const slow: i64[] = 8000  c = Equal(rate, slow)
      y = If(c) {
        then_branch = graph () -> (a: f32[N,2]) { const v: f32[4,2] = 1  a = MatMul(x, v) },
        else_branch = graph () -> (b: f32[N,2]) { const w: f32[4,2] = 2  b = MatMul(x, w) }
      } "rates"
    }`),
  )
  const [from, to] = [join(root, 'two.onnx'), join(root, 'one.onnx')]
  await writeModel(two, from)
  expect(trainingProblems(two)).toEqual([
    expect.stringContaining('node "rates" (If): control flow that holds all 2 weights; "c" decides which runs'),
    expect.stringContaining('samples go to the input "x", and nothing feeds "rate": make constants of them'),
  ])
  const report = await answer('specialize', { model: from, output: to, inputs: { rate: 16_000 } }, environment)
  expect(report).toMatchObject({ before: { nodes: 2 }, after: { inputs: [{ name: 'x' }], nodes: 1, params: 8 } })
  expect(trainingProblems((await readModel(to)).model)).toEqual([])
})

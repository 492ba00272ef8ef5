import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missing, onnxNodeTests, pythonPath } from './assets.ts'

test('the Python environment has the pinned onnx, and a runtime that runs', (context) => {
  const python = pythonPath()
  if (python === undefined) return context.skip(missing('python'))
  const program = 'import onnx, onnxruntime as ort; print(onnx.__version__, *ort.get_available_providers())'
  const { stdout } = spawnSync(python, ['-c', program], { encoding: 'utf8' })
  expect(stdout).toMatch(/^1\.23\.2 .*CPUExecutionProvider/)
})

test('ONNX’s operator tests are complete', (context) => {
  const folder = onnxNodeTests()
  if (folder === undefined) return context.skip(missing('onnx-node-tests'))
  const cases = readdirSync(folder)
  expect(cases.length).toBe(1884)
  const incomplete = cases.filter(
    (name) => !['model.onnx', 'case.json', 'test_data_set_0'].every((part) => existsSync(join(folder, name, part))),
  )
  expect(incomplete).toEqual([])
  expect(readdirSync(join(folder, 'test_add', 'test_data_set_0')).toSorted()).toEqual([
    'input_0.pb',
    'input_1.pb',
    'output_0.pb',
  ])
})

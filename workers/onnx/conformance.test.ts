import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { problemsOf } from '../graph/verify.ts'
import { missing, onnxNodeTests, pythonPath, writeReport } from '../testing/assets.ts'
import { decodeData, decodeModel, decodeTensor, encodeModel, encodeTensor } from './index.ts'

const namesIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => existsSync(join(folder, name, 'model.onnx')))

/** `input_0.pb`, `input_0.sequence.pb`, `input_0.optional.pb`. */
const kindOf = (file: string) =>
  file.includes('.sequence.') ? 'sequence' : file.includes('.optional.') ? 'optional' : 'tensor'

test('all of ONNX’s operator tests survive reading and writing, and verify', (context) => {
  const folder = onnxNodeTests()
  if (folder === undefined) return context.skip(missing('onnx-node-tests'))
  const names = namesIn(folder)
  expect(names.length).toBeGreaterThan(1000)
  const changed = names.filter((name) => {
    const model = decodeModel(readFileSync(join(folder, name, 'model.onnx')))
    return !isDeepStrictEqual(decodeModel(encodeModel(model)), model) || problemsOf(model.graph).length > 0
  })
  writeReport('codec', [
    '# Reading and writing the node tests of ONNX',
    '',
    `${names.length - changed.length} of ${names.length} models are the same after reading, writing and reading again, and verify.`,
    ...changed.map((name) => `- ${name} is not`),
  ])
  expect(changed).toEqual([])
})

test('all their inputs and outputs are read, and tensors survive writing', (context) => {
  const folder = onnxNodeTests()
  if (folder === undefined) return context.skip(missing('onnx-node-tests'))
  let count = 0
  for (const name of namesIn(folder)) {
    for (const set of readdirSync(join(folder, name)).filter((entry) => entry.startsWith('test_data_set_'))) {
      for (const file of readdirSync(join(folder, name, set))) {
        const { kind, value } = decodeData(readFileSync(join(folder, name, set, file)), kindOf(file))
        if (kind === 'tensor') expect(isDeepStrictEqual(decodeTensor(encodeTensor(value)), value)).toBe(true)
        count++
      }
    }
  }
  expect(count).toBeGreaterThan(3000)
})

/** Compares what numpy makes of every initializer and attribute tensor, and runs ONNX's own checker. */
const program = `
import sys, os, onnx, numpy as np
from onnx import numpy_helper

def tensors(graph):
    yield from graph.initializer
    for node in graph.node:
        for a in node.attribute:
            if a.HasField('t'): yield a.t
            if a.HasField('g'): yield from tensors(a.g)

before, after = sys.argv[1:3]
for name in sorted(os.listdir(after)):
    a = onnx.load(os.path.join(before, name[:-5], 'model.onnx'))
    b = onnx.load(os.path.join(after, name))
    onnx.checker.check_model(b, full_check=True)
    for x, y in zip(tensors(a.graph), tensors(b.graph), strict=True):
        assert x.name == y.name, (name, x.name, y.name)
        np.testing.assert_array_equal(numpy_helper.to_array(x), numpy_helper.to_array(y))
    for m in (a, b):
        for g in [m.graph, *m.functions]:
            for node in g.node:
                node.ClearField('attribute')
                if node.domain == '': node.ClearField('domain')
                if node.name == '': node.ClearField('name')
        m.graph.ClearField('initializer')
    assert a == b, name
print('ok', len(os.listdir(after)))
`

test('Python’s onnx reads what is written as the same model', (context) => {
  const [folder, python] = [onnxNodeTests(), pythonPath()]
  if (folder === undefined) return context.skip(missing('onnx-node-tests'))
  if (python === undefined) return context.skip(missing('python'))
  const out = mkdtempSync(join(tmpdir(), 'alambic-conformance-'))
  try {
    const names = namesIn(folder).filter((_, i) => i % 30 === 0)
    for (const name of names) {
      const model = decodeModel(readFileSync(join(folder, name, 'model.onnx')))
      writeFileSync(join(out, `${name}.onnx`), encodeModel(model))
    }
    const { stdout, stderr } = spawnSync(python, ['-c', program, folder, out], { encoding: 'utf8' })
    expect(`${stdout}${stderr.split('\n').slice(-6).join('\n')}`.trim()).toBe(`ok ${names.length}`)
  } finally {
    rmSync(out, { recursive: true })
  }
})

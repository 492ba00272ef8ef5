import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import { writeModel } from '../onnx/index.ts'
import { openModel } from '../recipes/open.ts'
import { missing, pythonPath } from '../testing/assets.ts'
import { answer, type CallEnvironment } from './calls.ts'
import { hashOf } from './measure-stage.ts'
import { runRecipe } from './run.ts'
import { RunRequest } from '../protocol/worker.ts'

const folder = mkdtempSync(join(tmpdir(), 'alambic-export-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const quiet = { progress: () => undefined, event: () => undefined }
const environment: CallEnvironment = {
  listener: quiet,
  stopping: () => false,
  leaving: () => undefined,
  executor: () => Promise.resolve(ortCpu),
}
const model = join(folder, 'model.onnx')

/** Some hundred steps: enough for answers that quantization can spoil. */
beforeAll(async () => {
  const request = RunRequest.parse({
    recipe: { alambic: 1, name: 'train', steps: [{ step: 'train', epochs: 2, batch: 32, lr: 0.002, validation: 0 }] },
    model: 'lenet-5@0.3',
    data: 'mnist',
    folder: join(folder, 'run'),
    output: model,
    limit: 3000,
    threads: 1,
  })
  await runRecipe(request, { ...environment, executor: ortCpu })
})

interface Exported {
  readonly bytes: number
  readonly sha256: string
  readonly files: readonly string[]
  readonly notes: readonly string[]
  readonly verification: {
    readonly passed: boolean
    readonly samples: number
    readonly inputs: string
    readonly maxError: number
    readonly agreement: number
    readonly problems: readonly string[]
    readonly accuracy?: { readonly source: number; readonly exported: number; readonly n: number }
  }
}

const exported = async (format: string, output: string, more: object = {}): Promise<Exported> =>
  (await answer(
    'export',
    { model, format, output: join(folder, output), data: 'mnist', threads: 1, samples: 128, ...more },
    environment,
  )) as unknown as Exported

describe('every format is written, read back and compared', () => {
  test.each([
    ['onnx', 'plain.onnx', 1, 0],
    ['fp16', 'half.onnx', 0.6, 0.02],
    ['qdq', 'qdq.onnx', 0.45, 2],
    ['qoperator', 'integer.onnx', 0.45, 2],
    ['cmpz', 'packed.cmpz', 1, 0],
    ['ort', 'runtime.ort', 1.3, 1e-3],
  ])('%s', async (format, output, share, error) => {
    const { bytes, sha256, files, verification } = await exported(format, output)
    expect(verification).toMatchObject({ passed: true, samples: 128, inputs: 'data', problems: [] })
    expect(bytes / readFileSync(model).length).toBeLessThanOrEqual(share)
    expect(verification.maxError).toBeLessThanOrEqual(error)
    expect(verification.agreement).toBeGreaterThan(0.95)
    expect(verification.accuracy?.n).toBe(10_000)
    expect(verification.accuracy?.source).toBeGreaterThan(0.85)
    expect(Math.abs((verification.accuracy?.exported ?? 0) - (verification.accuracy?.source ?? 1))).toBeLessThan(0.02)
    expect(sha256).toBe(await hashOf(join(folder, output)))
    expect(files.every((file) => existsSync(file))).toBe(true)
    const kept = JSON.parse(readFileSync(join(folder, `${output}.verify.json`), 'utf8')) as Record<string, unknown>
    expect(kept).toMatchObject({ passed: true, sha256, maxError: verification.maxError })
    expect(readFileSync(join(folder, `${output}.sha256`), 'utf8')).toBe(`${sha256}  ${output}\n`)
  })

  test('a quantized file changes only its form when it is exported again', async () => {
    const again = await exported('qdq', 'again.onnx', { model: join(folder, 'qdq.onnx') })
    expect(again.notes.join()).toContain('already')
    expect(again.verification.maxError).toBe(0)
    const form = await exported('qoperator', 'form.onnx', { model: join(folder, 'qdq.onnx') })
    expect(form.verification.passed).toBe(true)
    await expect(exported('qdq', 'no.onnx', { model: join(folder, 'form.onnx') })).resolves.toBeDefined()
  })

  test('without data the outputs of random inputs are compared; quantizing asks for samples', async () => {
    const { verification } = await exported('fp16', 'random.onnx', { data: undefined, samples: 16 })
    expect(verification).toMatchObject({ passed: true, samples: 16, inputs: 'random' })
    expect(verification.accuracy).toBeUndefined()
    await expect(exported('qdq', 'none.onnx', { data: undefined })).rejects.toMatchObject({ code: 'export.no-data' })
  })

  test('what does not keep its promise is said to fail', async () => {
    const net = await openModel(model)
    const [name, weight] = [...net.graph.initializers].find(([, tensor]) => tensor.dims.length === 4) ?? []
    if (name === undefined || !weight) throw new Error('no convolution')
    const { verifyExport } = await import('./export/verify.ts')
    const spoilt = join(folder, 'spoilt.onnx')
    const bytes = weight.bytes.map((byte, i) => (i % 4 === 3 ? byte ^ 0x80 : byte))
    const graph = net.graph.with({ initializers: new Map(net.graph.initializers).set(name, { ...weight, bytes }) })
    await writeModel({ ...net, graph }, spoilt)
    const common = { model: net, path: spoilt, data: undefined, samples: 8, threads: 1, executor: ortCpu }
    const { passed, problems } = await verifyExport({ ...common, tolerance: { relative: 1e-4 } })
    expect(passed).toBe(false)
    expect(problems[0]).toMatch(/outputs differ by up to/)
  })
})

/** What of onnxruntime_cxx_api.h the exported program calls (onnxruntime 1.20, C++ API reference). */
const declarations = `#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>
#define ORTCHAR_T char
enum OrtAllocatorType { OrtArenaAllocator };
enum OrtMemType { OrtMemTypeDefault };
namespace Ort {
struct MemoryInfo { static MemoryInfo CreateCpu(OrtAllocatorType, OrtMemType); };
struct Value {
  template <typename T> static Value CreateTensor(const MemoryInfo &, T *, size_t, const int64_t *, size_t);
  template <typename T> const T *GetTensorData() const;
};
struct Env {};
struct SessionOptions {};
struct RunOptions {};
struct Session {
  Session(Env &, const ORTCHAR_T *, const SessionOptions &);
  std::vector<Value> Run(const RunOptions &, const char *const *, const Value *, size_t, const char *const *, size_t);
};
}
`

describe('a folder with sample code', () => {
  const place = join(folder, 'folder')
  beforeAll(async () => {
    const { verification } = await exported('folder', 'folder', { name: 'My | net', origin: { Recipe: 'train' } })
    expect(verification.passed).toBe(true)
  })

  test('has model cards in both languages', () => {
    const card = readFileSync(join(place, 'model.onnx.card.en.md'), 'utf8')
    expect(card).toContain('# My \\| net')
    expect(card).toMatch(/Accuracy \| \d\d\.\d\d % \(10000 test samples, mnist/)
    expect(card).toContain('| Recipe | train |')
    expect(readFileSync(join(place, 'model.onnx.card.zh-CN.md'), 'utf8')).toContain('## 局限')
  })

  test('its Node program runs, and notices another model', async () => {
    symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(place, 'node', 'node_modules'))
    const run = () => spawnSync(process.execPath, [join(place, 'node', 'run.mjs')], { encoding: 'utf8' })
    const right = run()
    expect(right.status, right.stderr).toBe(0)
    expect(right.stdout).toMatch(/largest difference: (0|\d\.?\d*e-\d+)/)
    const own = readFileSync(join(place, 'model.onnx'))
    await writeModel(await openModel('lenet-5@0.3', 99), join(place, 'model.onnx'))
    expect(run().status).toBe(1)
    writeFileSync(join(place, 'model.onnx'), own)
  })

  test('its Python program runs', (ctx) => {
    const python = pythonPath()
    if (python === undefined) return ctx.skip(missing('python'))
    const run = spawnSync(python, [join(place, 'python', 'run.py')], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    expect(run.stdout).toContain('largest difference:')
  })

  const compiler = ['g++', 'clang++'].find((name) => spawnSync(name, ['--version']).status === 0)
  /** The unpacked release of onnxruntime (`ONNXRUNTIME`), or the package of Debian 13 and Ubuntu. */
  const release = process.env['ONNXRUNTIME'] ?? ''
  const headers = [join(release, 'include'), '/usr/include/onnxruntime', '/usr/include'].find((place) =>
    existsSync(join(place, 'onnxruntime_cxx_api.h')),
  )

  test('its C++ program runs', (ctx) => {
    if (compiler === undefined) return ctx.skip('there is no C++ compiler on this machine')
    if (headers === undefined)
      return ctx.skip('onnxruntime_cxx_api.h is not on this machine; ONNXRUNTIME may say where')
    const built = join(place, 'cpp', 'run')
    const libraries = release === '' ? [] : [`-L${join(release, 'lib')}`, `-Wl,-rpath,${join(release, 'lib')}`]
    const words = [
      '-std=c++17',
      `-I${headers}`,
      join(place, 'cpp', 'main.cpp'),
      ...libraries,
      '-lonnxruntime',
      '-o',
      built,
    ]
    const made = spawnSync(compiler, words, { encoding: 'utf8' })
    expect(made.status, made.stderr).toBe(0)
    const run = spawnSync(built, [place], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    expect(run.stdout).toContain('largest difference:')
  })

  test('its C++ program compiles', (ctx) => {
    if (compiler === undefined) return ctx.skip('there is no C++ compiler on this machine')
    // The runtime's own header is not in its packages: this one declares what the program uses of it.
    writeFileSync(join(place, 'onnxruntime_cxx_api.h'), declarations)
    const run = spawnSync(compiler, ['-fsyntax-only', '-std=c++17', `-I${place}`, join(place, 'cpp', 'main.cpp')])
    expect(run.status, run.stderr.toString()).toBe(0)
  })

  test('is not written over another', async () => {
    await expect(exported('folder', 'folder')).rejects.toMatchObject({ code: 'export.exists' })
  })
})

import { spawnSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { f32 } from '../graph/tensor.ts'
import { Graph, modelOf } from '../graph/graph.ts'
import type { AlambicError } from '../protocol/errors.ts'
import * as p from './corpus/proto.ts'
import { precheck, readModel, writeModel } from './index.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'alambic-read-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const at = (name: string): string => join(folder, name)
const put = (name: string, bytes: Uint8Array): string => {
  writeFileSync(at(name), bytes)
  return at(name)
}

type Pairs = readonly (readonly [string, string])[]
const tensorAt = (name: string, dims: number[], pairs: Pairs) =>
  p.message(5, p.tensor(1, dims, name, ...pairs.map(([key, value]) => p.entry(13, key, value)), p.int(14, 1)))
/** A model whose weight `w` of 2 floats lies where the location says. */
const pointing = (location: string, ...more: Pairs) => p.relu(tensorAt('w', [2], [['location', location], ...more]))

const failure = (name: string): Promise<string> =>
  readModel(at(name)).then(
    () => 'accepted',
    (error: AlambicError) => `${error.code}: ${error.message}`,
  )

const weights = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)

describe('weights outside the file', () => {
  test('are read from beside the model', async () => {
    put('w.bin', weights)
    mkdirSync(at('sub'))
    writeFileSync(join(at('sub'), 'v.bin'), weights)
    const first = tensorAt('a', [2], [['location', 'w.bin']])
    const second = tensorAt(
      'b',
      [2],
      [
        ['location', './sub/v.bin'],
        ['offset', '8'],
        ['length', '8'],
        ['checksum', 'x'],
      ],
    )
    const { model, externalFiles, bytes } = await readModel(put('m.onnx', p.relu(first, second)))
    expect(model.graph.initializers.get('a')).toEqual(f32([1, 2]))
    expect(model.graph.initializers.get('b')).toEqual(f32([3, 4]))
    expect(externalFiles).toEqual(['w.bin', './sub/v.bin'])
    expect(bytes).toBe(p.relu(first, second).length + 16)
  })

  test('are held once when two tensors are tied', async () => {
    put('w.bin', weights)
    const tied = ['a', 'b', 'c'].map((name) => tensorAt(name, [4], [['location', 'w.bin']]))
    const { model } = await readModel(put('m.onnx', p.relu(...tied)))
    const [a, b] = [...model.graph.initializers.values()]
    expect(a?.bytes).toBe(b?.bytes)
  })

  test('cannot fill more memory than the file has bytes', async () => {
    put('w.bin', weights)
    const overlapping = [0, 4, 8].map((offset) =>
      tensorAt(
        `w${offset}`,
        [2],
        [
          ['location', 'w.bin'],
          ['offset', `${offset}`],
        ],
      ),
    )
    put('m.onnx', p.relu(...overlapping))
    expect(await failure('m.onnx')).toBe(
      'onnx.external-overlap: "m.onnx": initializer "w8" overlaps other tensors in "w.bin"',
    )
  })

  const outside = join(tmpdir(), 'secret.bin')
  const forbidden: Record<string, readonly [location: string, sentence: string]> = {
    'an absolute path': [outside, 'which is an absolute path'],
    'a Windows path': ['C:\\secret.bin', 'which is an absolute path'],
    'a network path': ['\\\\server\\secret.bin', 'which is an absolute path'],
    'a parent folder': ['../secret.bin', 'which is a path with ".."'],
    'a parent folder, Windows style': ['..\\secret.bin', 'which is a path with ".."'],
    'a parent folder, on a detour': ['sub/../../secret.bin', 'which is a path with ".."'],
    'a zero byte': ['w.bin\0.png', 'which is a path with a zero byte'],
    'the folder itself': ['.', 'which is a link out of the folder'],
    'a folder': ['sub', 'which is not a regular file'],
    'a missing file': ['nowhere.bin', 'which is not there'],
  }
  test.for(Object.entries(forbidden))('%s is refused', async ([, [location, sentence]]) => {
    mkdirSync(at('sub'))
    put('w.bin', weights)
    put('m.onnx', pointing(location))
    expect(await failure('m.onnx')).toContain(sentence)
  })

  test('links are refused', async () => {
    const other = mkdtempSync(join(tmpdir(), 'alambic-other-'))
    try {
      writeFileSync(join(other, 'w.bin'), weights)
      put('here.bin', weights)
      symlinkSync(join(other, 'w.bin'), at('link.bin'))
      symlinkSync(other, at('linked'))
      symlinkSync(at('here.bin'), at('inner.bin'))
      linkSync(join(other, 'w.bin'), at('hard.bin'))
      const locations = ['link.bin', 'linked/w.bin', 'inner.bin', 'hard.bin']
      locations.forEach((location, i) => put(`m${i}.onnx`, pointing(location)))
      const sentences = await Promise.all(locations.map((_, i) => failure(`m${i}.onnx`)))
      expect(sentences.map((s) => s.replace(/^.* which is /, ''))).toEqual([
        'a link out of the folder',
        'a link out of the folder',
        'a link',
        'a hard link (the file has another name elsewhere)',
      ])
    } finally {
      rmSync(other, { recursive: true })
    }
  })

  test.skipIf(process.platform === 'win32')('a pipe is refused, and nobody waits for it', async () => {
    expect(spawnSync('mkfifo', [at('pipe')]).status).toBe(0)
    put('m.onnx', pointing('pipe'))
    expect(await failure('m.onnx')).toContain('which is not a regular file')
    expect(await failure('pipe')).toContain('is not a regular file')
  })

  test('a file that is too short is named, with what to do', async () => {
    put('w.bin', weights)
    const error = await readModel(put('m.onnx', pointing('w.bin', ['offset', '12']))).catch((e: AlambicError) => e)
    expect((error as AlambicError).describe()).toMatchInlineSnapshot(`
      ""m.onnx": initializer "w" needs bytes 12 to 20 of "w.bin"
      expected: a file of at least 20 bytes
      found: 16 bytes
      what to do: Copy "w.bin" again, from where the model came from: it is too short."
    `)
  })

  test('an enormous offset is refused', async () => {
    put('w.bin', weights)
    put('m.onnx', pointing('w.bin', ['offset', '9007199254740991']))
    expect(await failure('m.onnx')).toContain('onnx.external-range')
  })

  test('a missing file comes with what to do', async () => {
    const error = await readModel(put('m.onnx', pointing('w.bin'))).catch((e: AlambicError) => e)
    expect((error as AlambicError).describe()).toMatchInlineSnapshot(`
      ""m.onnx": initializer "w" has its data in "w.bin", which is not there
      what to do: Put "w.bin" beside the model."
    `)
  })

  test('together they have a limit', async () => {
    put('w.bin', weights)
    await expect(readModel(put('m.onnx', pointing('w.bin')), { limits: { externalBytes: 7 } })).rejects.toMatchObject({
      code: 'onnx.limit-externalbytes',
    })
  })
})

describe('the file', () => {
  test('may be missing, a folder, empty or too big', async () => {
    put('empty.onnx', p.raw())
    expect(await failure('none.onnx')).toContain('onnx.missing-file: there is no file')
    expect(await failure('.')).toContain('is not a regular file')
    expect(await failure('empty.onnx')).toBe('onnx.empty: "empty.onnx": the file is empty')
    await expect(readModel(put('m.onnx', p.relu()), { limits: { fileBytes: 10 } })).rejects.toMatchObject({
      code: 'onnx.limit-filebytes',
    })
  })

  test('is checked for NaN by precheck, and its oddities are warnings', async () => {
    const odd = p.cat(
      p.int(1, 99),
      p.message(7, p.reluGraph(p.message(5, p.tensor(1, [1], 'w', p.floats(4, [NaN]))))),
      p.opset(6),
    )
    const { warnings } = await precheck(put('m.onnx', odd))
    expect(warnings.map((w) => w.code)).toEqual(['onnx.ir-version-new', 'onnx.opset-old', 'onnx.nan-weights'])
    expect((await readModel(at('m.onnx'))).warnings).toHaveLength(2)
  })
})

/** Opens a model in a process of its own and tells how much memory that took at most, in bytes. */
function peakMemory(path: string): { weights: number; before: number; peak: number } {
  const program = `
    const { readModel } = await import(${JSON.stringify(fileURLToPath(new URL('index.ts', import.meta.url)))})
    const before = process.resourceUsage().maxRSS * 1024
    const { model } = await readModel(${JSON.stringify(path)})
    const weights = [...model.graph.initializers.values()].reduce((n, t) => n + t.bytes.length, 0)
    console.log(JSON.stringify({ weights, before, peak: process.resourceUsage().maxRSS * 1024 }))`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })
  return JSON.parse(child.stdout) as { weights: number; before: number; peak: number }
}

const MiB = 2 ** 20

async function bigModel(megabytes: number): Promise<string> {
  const weight = f32(new Float32Array((megabytes * MiB) / 4 / 10).fill(0.5))
  const initializers = new Map(Array.from({ length: 10 }, (_, i) => [`w${i}`, weight]))
  await writeModel(modelOf(new Graph({ initializers })), at('big.onnx'))
  return at('big.onnx')
}

describe('weights are held once', () => {
  test('a model of 120 MB', async () => {
    const { weights: held, before, peak } = peakMemory(await bigModel(120))
    expect(held).toBeGreaterThan(119 * MiB)
    expect(peak - before).toBeLessThan(held + 60 * MiB)
  })

  test.runIf(process.env['ALAMBIC_LONG'])('a model of 500 MB', { timeout: 120_000 }, async () => {
    const { weights: held, before, peak } = peakMemory(await bigModel(500))
    expect(peak - before).toBeLessThan(held + 100 * MiB)
  })
})

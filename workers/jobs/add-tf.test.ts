import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, describe, expect, test } from 'vitest'
import { addTf, type Command } from './add-tf.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-tf-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A program that answers `--version`, and else does as the lines say. */
function program(name: string, lines: string): Command {
  const path = join(root, name)
  writeFileSync(path, `#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\n${lines}\n`)
  chmodSync(path, 0o755)
  return [path]
}

const nowhere: readonly Command[] = [['alambic-no-such-tool']]
const anything = [program('anything', 'exit 0')]

/** A wheel as PyPI has it, with the two libraries and a header. */
function wheel(name: string, files: readonly string[]): string {
  const path = join(root, name)
  writeFileSync(path, zipSync(Object.fromEntries(files.map((file) => [file, strToU8(`what is in ${file}`)]))))
  return path
}

const whole = wheel('whole', [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/c_api.h',
  'tensorflow/include/Eigen/Core.h',
  'tensorflow/python/large.so',
])
const empty = wheel('empty', ['tensorflow/libtensorflow_framework.so.2'])

const gives = (path: string) => `cp ${path} tensorflow_cpu.whl`
const npm = program('npm', 'mkdir -p node_modules/@tensorflow/tfjs-node')
const compiler = program(
  'c++',
  'for last; do :; done; test -f deps/include/tensorflow/c/c_api.h && test ! -e deps/include/Eigen && echo "$*" > "$last"',
)

/** A home with an engine in it, which a failure must leave as it is. */
function home(name: string) {
  const engines = join(root, name)
  const folder = join(engines, 'tf')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'old'), 'an engine')
  return { engines, folder }
}

describe.skipIf(process.platform === 'win32')('adding TensorFlow', () => {
  test('says which tool is missing before it fetches anything', async () => {
    const folder = join(root, 'a', 'tf')
    await expect(addTf({ folder, pip: nowhere, compilers: anything })).rejects.toMatchObject({
      code: 'engines.no-tool',
      subject: 'pip',
      fix: expect.stringMatching(/python3-pip/) as string,
    })
    const noCompiler = addTf({ folder, pip: anything, compilers: nowhere })
    await expect(noCompiler).rejects.toMatchObject({ code: 'engines.no-tool', subject: 'a C++ compiler' })
    expect(existsSync(join(root, 'a'))).toBe(false)
  })

  test('puts packages, libraries and the addon in place of an older engine, and tells how far it is', async () => {
    const { engines, folder } = home('b')
    const seen = new Set<string>()
    const pip = [program('pip-b', gives(whole))]
    const added = await addTf({ folder, npm, pip, compilers: [compiler], onProgress: (activity) => seen.add(activity) })
    expect(readdirSync(engines)).toEqual(['tf'])
    expect(existsSync(join(folder, 'old'))).toBe(false)
    for (const file of added.files) expect(existsSync(file)).toBe(true)
    expect(readFileSync(added.files[0] as string, 'utf8')).toMatch(/-DNAPI_VERSION=8.*-l:libtensorflow_cc\.so\.2/)
    expect(readdirSync(join(folder, 'node_modules', '@tensorflow', 'tfjs-node', 'deps'))).toEqual(['lib'])
    expect([...seen]).toEqual(expect.arrayContaining(['unpack', 'build']))
  })

  test.each([
    ['offline', 'echo "[Errno -3] Temporary failure in name resolution" >&2; exit 1', 'engines.offline'],
    ['another wheel', 'echo "THESE PACKAGES DO NOT MATCH THE HASHES FROM" >&2; exit 1', 'engines.checksum'],
    ['a wheel that lacks something', gives(empty), 'engines.incomplete'],
  ])('ends at %s, and keeps what was there', async (name, lines, code) => {
    const { engines, folder } = home(name.replaceAll(' ', '-'))
    const pip = [program(`pip-${name.replaceAll(' ', '-')}`, lines)]
    await expect(addTf({ folder, npm, pip, compilers: [compiler] })).rejects.toMatchObject({ code })
    expect([readdirSync(engines), readdirSync(folder)]).toEqual([['tf'], ['old']])
  })

  test('says what a compiler says', async () => {
    const { folder } = home('c')
    const broken = [program('broken', 'echo "node_api.h: No such file" >&2; exit 1')]
    const pip = [program('pip-c', gives(whole))]
    await expect(addTf({ folder, npm, pip, compilers: broken })).rejects.toMatchObject({
      code: 'engines.build-failed',
      found: expect.stringMatching(/node_api\.h/) as string,
    })
  })
})

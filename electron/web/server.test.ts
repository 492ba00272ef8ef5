import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { request, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { safeSegments } from '../host/paths.ts'
import { connectTo, openSession } from './client.ts'
import { startBrowserStudio, type BrowserStudio } from './studio.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-web-'))
const chosen = join(root, 'chosen')
let studio: BrowserStudio
let cookie = ''

beforeAll(async () => {
  const pages = join(root, 'pages')
  for (const folder of [pages, join(pages, 'assets'), chosen, join(root, 'secret')]) mkdirSync(folder)
  writeFileSync(join(pages, 'index.html'), '<!doctype html><title>the page</title>')
  writeFileSync(join(pages, 'assets', 'app-1234.js'), 'export {}')
  writeFileSync(join(root, 'secret', 'secret.txt'), 'a secret')
  writeFileSync(join(root, 'pages.txt'), 'a secret')
  symlinkSync(join(root, 'secret'), join(chosen, 'link'))
  studio = await startBrowserStudio({ home: join(root, 'home'), port: 0, pages, roots: [chosen], sample: false })
  cookie = await openSession(studio.server.address)
})
afterAll(async () => {
  await studio.close()
  rmSync(root, { recursive: true, force: true })
})

interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** A request exactly as it is given: no client that corrects paths or sets headers of its own. */
function send({ method = 'GET', path, headers = {}, body }: Sent): Promise<{
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}> {
  const { port } = new URL(studio.server.origin)
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The status that a WebSocket was refused with; 101 when it opened. */
function upgrade(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${studio.server.origin.replace('http', 'ws')}${path}`, { headers })
    socket.on('unexpected-response', (_request, response) => {
      socket.on('error', () => undefined)
      resolve(response.statusCode ?? 0)
      response.destroy()
    })
    socket.on('error', () => undefined)
    socket.on('open', () => {
      resolve(101)
      socket.terminate()
    })
  })
}

const own = () => ({ host: new URL(studio.server.origin).host, origin: studio.server.origin })

describe('who is let in', () => {
  const routes = [
    { method: 'POST', path: '/session' },
    { method: 'GET', path: '/session' },
    { method: 'PUT', path: '/upload/u/0' },
    { method: 'HEAD', path: '/upload/u/0' },
    { method: 'GET', path: '/download/x' },
    { method: 'DELETE', path: '/anything' },
    { method: 'POST', path: '/' },
  ]
  const strangers: readonly (readonly [string, () => Readonly<Record<string, string>>, number])[] = [
    ['no token', () => own(), 401],
    ['a bad token', () => ({ ...own(), cookie: `${cookie.split('=')[0]}=${'A'.repeat(43)}` }), 401],
    ['the cookie of another port', () => ({ ...own(), cookie: `alambic-1=${cookie.split('=')[1]}` }), 401],
    ['a foreign Host', () => ({ ...own(), host: 'evil.example', cookie }), 403],
    ['localhost for a Host', () => ({ ...own(), host: own().host.replace('127.0.0.1', 'localhost'), cookie }), 403],
    ['a foreign Origin', () => ({ ...own(), origin: 'https://evil.example', cookie }), 403],
    ['the Origin of another port', () => ({ ...own(), origin: 'http://127.0.0.1:1', cookie }), 403],
    ['Origin null', () => ({ ...own(), origin: 'null', cookie }), 403],
    ['asked for by another site', () => ({ ...own(), 'sec-fetch-site': 'cross-site', cookie }), 403],
  ]
  for (const [who, headers, status] of strangers) {
    test.each(routes)(`${who}: $method $path is refused with ${status}`, async ({ method, path }) => {
      const body = method === 'POST' ? JSON.stringify({ token: 'wrong' }) : undefined
      const answer = await send({ method, path, headers: headers(), ...(body === undefined ? {} : { body }) })
      // The session is opened by a token and not by a cookie: a wrong cookie beside a wrong token is a wrong token.
      expect(answer.status).toBe(status)
      expect(answer.headers['set-cookie']).toBeUndefined()
    })

    test(`${who}: the socket is refused with ${status}`, async () => {
      expect(await upgrade('/rpc', headers())).toBe(status)
    })
  }

  test('a page of a foreign Host or Origin is not even shown', async () => {
    expect((await send({ path: '/', headers: { host: 'evil.example' } })).status).toBe(403)
    expect((await send({ path: '/', headers: { ...own(), origin: 'https://evil.example' } })).status).toBe(403)
  })

  test('writing without an Origin is refused: a form of another site sends one, an old client none', async () => {
    const { host } = own()
    expect((await send({ method: 'PUT', path: '/upload/u/0', headers: { host, cookie } })).status).toBe(403)
    expect(await upgrade('/rpc', { host, cookie })).toBe(403)
  })

  test('the right cookie opens every door', async () => {
    expect((await send({ path: '/session', headers: { ...own(), cookie } })).status).toBe(204)
    expect(await upgrade('/rpc', { ...own(), cookie })).toBe(101)
    expect(await upgrade('/other', { ...own(), cookie })).toBe(404)
  })

  test('the cookie is out of reach of scripts and other sites', async () => {
    const token = studio.server.address.split('#token=')[1]
    const body = JSON.stringify({ token })
    const answer = await send({ method: 'POST', path: '/session', headers: own(), body })
    expect(answer.headers['set-cookie']?.[0]).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/)
  })

  test.each(['', '{', '[]', 'null', '{"token":1}', `{"token":"${'x'.repeat(10_000)}"}`])(
    'a session for %s is refused',
    async (body) => expect((await send({ method: 'POST', path: '/session', headers: own(), body })).status).toBe(401),
  )
})

describe('pages', () => {
  test('run no script but their own, and are in no frame', async () => {
    const { headers, text } = await send({ path: '/', headers: own() })
    expect(text).toContain('the page')
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("script-src 'self';")
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline|\*/)
    expect(policy).toContain("frame-ancestors 'none'")
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['referrer-policy']).toBe('no-referrer')
  })

  test('assets are found, and addresses of views are the page', async () => {
    expect((await send({ path: '/assets/app-1234.js', headers: own() })).headers['cache-control']).toContain(
      'immutable',
    )
    expect((await send({ path: '/runs/a.b', headers: own() })).status).toBe(404)
    expect((await send({ path: '/settings', headers: own() })).text).toContain('the page')
  })
})

const secret = () => join(root, 'secret', 'secret.txt')

/** Ways out of a folder that have worked somewhere. */
const ways = [
  '../secret/secret.txt',
  '..\\secret\\secret.txt',
  '../../secret/secret.txt',
  './../secret/secret.txt',
  'assets/../../secret/secret.txt',
  'assets/../../pages.txt',
  'assets\\..\\..\\pages.txt',
  '..%2fsecret%2fsecret.txt',
  '..%2Fsecret%2Fsecret.txt',
  '..%5csecret%5csecret.txt',
  '%2e%2e/secret/secret.txt',
  '%2e%2e%2fsecret%2fsecret.txt',
  '%2E%2E%2Fsecret%2Fsecret.txt',
  '.%2e/secret/secret.txt',
  '%2e./secret/secret.txt',
  '%252e%252e%252fsecret%252fsecret.txt',
  '..%252fsecret%252fsecret.txt',
  '%c0%ae%c0%ae/secret/secret.txt',
  '%c0%ae%c0%ae%c0%afsecret%c0%afsecret.txt',
  '%uff0e%uff0e/secret/secret.txt',
  '．．/secret/secret.txt',
  '....//secret/secret.txt',
  '....\\\\secret\\secret.txt',
  '..;/secret/secret.txt',
  '..;a=b/secret/secret.txt',
  '..%00/secret/secret.txt',
  '..\0/secret/secret.txt',
  'index.html%00/../../secret/secret.txt',
  'index.html/../../secret/secret.txt',
  '/../secret/secret.txt',
  '//../secret/secret.txt',
  '///etc/passwd',
  '/etc/passwd',
  '//etc/passwd',
  '%2fetc%2fpasswd',
  '%2f%2fetc%2fpasswd',
  'file:///etc/passwd',
  'file%3a%2f%2f%2fetc%2fpasswd',
  'C:\\Windows\\win.ini',
  'C:/Windows/win.ini',
  'C%3a%5cWindows%5cwin.ini',
  '\\\\server\\share\\x',
  '%5c%5cserver%5cshare%5cx',
  '\\\\?\\C:\\x',
  '\\\\.\\pipe\\x',
  '~/secret.txt',
  '~root/.bashrc',
  '..',
  '../',
  '..\\',
  '...',
  '. .',
  '.. ',
  '..\t/secret.txt',
  ' ../secret/secret.txt',
  'assets/..%2f..%2f..%2fsecret/secret.txt',
  'assets/%2e%2e/%2e%2e/secret/secret.txt',
  'link/../../secret/secret.txt',
  'a/b/../../../secret/secret.txt',
  'con',
  'nul.txt',
  'aux/x',
  'x/com1.log',
  'file.txt:stream',
  'trailing.',
  'trailing ',
  '',
  'a//b',
]

describe('ways out of a folder', () => {
  test('there are enough of them', () => expect(ways.length).toBeGreaterThanOrEqual(60))

  test.each(
    ways.map((way) => way.replaceAll(/[\0\t]/g, encodeURIComponent).replaceAll(/[^\x20-\x7e]/g, encodeURIComponent)),
  )('as an address: %s', async (way) => {
    const path = `/${way.replaceAll(' ', '%20')}`
    const answer = await send({ path, headers: { ...own(), cookie } })
    expect(answer.text).not.toMatch(/a secret|root:|\[fonts\]/)
    const upload = await send({
      method: 'PUT',
      path: `/upload/${way.replaceAll(' ', '%20')}`,
      headers: { ...own(), cookie },
    })
    expect([400, 404, 405]).toContain(upload.status)
  })

  test.each(ways)('as a path to list, to scan, to open: %j', async (way) => {
    const { api, close } = await connectTo(studio.server.address)
    const path = join(chosen, way.replaceAll('\0', '')) || '/'
    const outside = /path\.outside|usage\.request|ENOENT|ENOTDIR|internal|project\.missing/
    const browsed = await api
      .browse({ path: way.startsWith('/') ? way : `${chosen}/${way}` })
      .catch((error: unknown) => error)
    if (browsed instanceof Error) expect((browsed as Error & { code: string }).code).toMatch(outside)
    else expect((browsed as { path: string }).path.startsWith(chosen)).toBe(true)
    await expect(api.openProject({ path })).rejects.toThrow()
    close()
  })

  test('a link out of a chosen folder leads nowhere', async () => {
    const { api, close } = await connectTo(studio.server.address)
    await expect(api.browse({ path: join(chosen, 'link') })).rejects.toMatchObject({ code: 'path.outside' })
    const sources = [{ kind: 'path' as const, path: join(chosen, 'link', 'secret.txt') }]
    await expect(api.scan({ scan: 's', sources })).rejects.toMatchObject({ code: 'path.outside' })
    await expect(api.browse({ path: root })).rejects.toMatchObject({ code: 'path.outside' })
    await expect(api.browse({ path: secret() })).rejects.toMatchObject({ code: 'path.outside' })
    expect((await api.browse({ path: chosen })).entries.map(({ name }) => name)).toEqual(['link'])
    close()
  })

  test.each(ways.filter((way) => !/^[\w~.;=%/-]*$/.test(way) || /(^|\/)\.+(\/|$)|\/\/|^\/|^$/.test(way)))(
    'as the path of an upload: %j',
    async (way) => {
      expect(() => safeSegments(way)).toThrow(/relative path/)
      const { api, close } = await connectTo(studio.server.address)
      await expect(api.startUpload({ upload: 'u', files: [{ path: way, bytes: 1 }] })).rejects.toThrow()
      close()
    },
  )
})

describe('uploads', () => {
  const put = (path: string, body: string) => send({ method: 'PUT', path, headers: { ...own(), cookie }, body })

  test('stream to disk, are found by a scan, and are gone when cancelled', async () => {
    const { api, close } = await connectTo(studio.server.address)
    const table = ['a,b,label', ...Array.from({ length: 20 }, (_, i) => `${i},${20 - i},${i % 2}`)].join('\n')
    const files = [
      { path: 'drop/table.csv', bytes: table.length },
      { path: 'drop/notes.txt', bytes: 5 },
    ]
    await api.startUpload({ upload: 'up-1', files })
    expect((await put('/upload/up-1/0', table)).status).toBe(204)
    expect((await put('/upload/up-1/1', 'hello')).status).toBe(204)
    const head = await send({ method: 'HEAD', path: '/upload/up-1/0', headers: { ...own(), cookie } })
    expect(head.headers['x-received']).toBe(String(table.length))
    const report = await api.scan({ scan: 'scan-1', sources: [{ kind: 'upload', upload: 'up-1' }] })
    expect(report.found.map(({ kind, path }) => [kind, path])).toEqual([['dataset', 'drop/table.csv']])
    expect(report.ignored).toEqual({ count: 1, names: ['drop/notes.txt'] })
    expect(await api.cancelJob({ job: 'up-1' })).toEqual({ found: true })
    expect((await put('/upload/up-1/0', table)).status).toBe(404)
    close()
  })

  test('of more or fewer bytes than announced keep nothing', async () => {
    const { api, close } = await connectTo(studio.server.address)
    await api.startUpload({ upload: 'up-2', files: [{ path: 'x.csv', bytes: 4 }] })
    for (const body of ['12345', '123']) {
      const answer = await put('/upload/up-2/0', body)
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('upload.size')
      const head = await send({ method: 'HEAD', path: '/upload/up-2/0', headers: { ...own(), cookie } })
      expect(head.headers['x-received']).toBe('0')
    }
    for (const index of ['1', '-1', 'x', '', '0/../1'])
      expect((await put(`/upload/up-2/${index}`, '1')).status).not.toBe(204)
    close()
  })
})

test('a download works once', async () => {
  const path = join(root, 'model.onnx')
  writeFileSync(path, 'bytes')
  const address = `/download/${studio.host.tickets.issue(path, 'my "model".onnx')}`
  expect((await send({ path: address, headers: own() })).status).toBe(401)
  const answer = await send({ path: address, headers: { ...own(), cookie } })
  expect([answer.text, answer.headers['content-disposition']]).toEqual([
    'bytes',
    "attachment; filename*=UTF-8''my%20%22model%22.onnx",
  ])
  expect((await send({ path: address, headers: { ...own(), cookie } })).status).toBe(404)
})

test('markup in a name is kept as the text that it is', async () => {
  const { api, close } = await connectTo(studio.server.address)
  for (const name of [
    '<img src=x onerror=alert(1)>',
    '"><script>alert(1)</script>',
    '{{ 7*7 }}',
    "'; DROP TABLE x --",
  ]) {
    const made = await api.createProject({ name })
    expect(made.name).toBe(name)
    expect(made.path).toMatch(/projects\/[a-z0-9-]+$/)
    await api.deleteProject({ project: made.project })
  }
  close()
})

test('a page that was open connects again after the host was started anew', async () => {
  const home = join(root, 'again')
  const first = await startBrowserStudio({ home, port: 0, pages: join(root, 'pages'), sample: false })
  const { port } = new URL(first.server.origin)
  const kept = await openSession(first.server.address)
  await first.close()
  const second = await startBrowserStudio({ home, port: Number(port), pages: join(root, 'pages'), sample: false })
  const again = await fetch(`${second.server.origin}/session`, { headers: { cookie: kept } })
  expect(again.status).toBe(204)
  expect(readFileSync(join(home, 'session.key'), 'utf8')).toHaveLength(43)
  await second.close()
})

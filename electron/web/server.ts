import { createReadStream, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { WebSocketServer, type WebSocket } from 'ws'
import { asAlambicError } from '../../workers/protocol/errors.ts'
import { decodeMessage, encodeMessage, endpoints, MAX_MESSAGE } from '../../workers/protocol/studio.ts'
import { connect } from '../host/connect.ts'
import type { Host } from '../host/host.ts'
import { Gate, type Refusal } from './gate.ts'
import { sessionSecret } from './keys.ts'
import { contentPolicy, notBuilt, readStatic, staticFiles } from './static.ts'

export interface WebOptions {
  /** 0, or one that is taken, means any free one. */
  readonly port?: number
  /** The built renderer. */
  readonly pages: string
}

/** Longest message from a page: a list of files to upload. */
const MAX_REQUEST = 64 * 2 ** 20
/** A page that does not take what it asked for is let go, and asks again. */
const MAX_WAITING = 2 * MAX_MESSAGE

type Answer = (request: IncomingMessage, response: ServerResponse, rest: readonly string[]) => Promise<void> | void

interface Route {
  readonly methods: readonly string[]
  /** Only with the cookie. */
  readonly session: boolean
  readonly answer: Answer
}

/** The studio for a browser of this machine: pages, calls, uploads and downloads on the loopback address. */
export class WebServer {
  readonly #host: Host
  readonly #gate: Gate
  readonly #server: Server
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_REQUEST, perMessageDeflate: false })
  readonly #pages: ReturnType<typeof staticFiles>
  readonly #routes: Readonly<Record<string, Route>>

  private constructor(host: Host, pages: string) {
    this.#host = host
    this.#gate = new Gate(sessionSecret(host.options.home))
    this.#pages = staticFiles(pages)
    this.#routes = {
      [endpoints.session]: {
        methods: ['GET', 'POST'],
        session: false,
        answer: (request, response) => this.#session(request, response),
      },
      [endpoints.upload]: { methods: ['PUT', 'HEAD'], session: true, answer: (...all) => this.#upload(...all) },
      [endpoints.download]: { methods: ['GET'], session: true, answer: (...all) => this.#download(...all) },
    }
    this.#server = createServer((request, response) => void this.#answer(request, response))
    // An upload takes as long as it takes; its headers do not.
    this.#server.requestTimeout = 0
    this.#server.on('upgrade', (request, socket: Duplex, head) => this.#upgrade(request, socket, head))
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  static async start(host: Host, { port = 0, pages }: WebOptions): Promise<WebServer> {
    const server = new WebServer(host, pages)
    await listen(server.#server, port).catch(() => listen(server.#server, 0))
    server.#gate.port = (server.#server.address() as AddressInfo).port
    return server
  }

  /** `http://127.0.0.1:<port>` */
  get origin(): string {
    return this.#gate.origin
  }

  /** The address to open, with the token. */
  get address(): string {
    return `${this.origin}/#token=${this.#gate.token}`
  }

  // ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [path = '', ...rest] = pathOf(request)
      const route = Object.hasOwn(this.#routes, `/${path}`) ? this.#routes[`/${path}`] : undefined
      const reads = request.method === 'GET' || request.method === 'HEAD'
      const refusal = this.#gate.whyRefused(request, { origin: !reads, session: route?.session ?? !reads })
      if (refusal) return refuse(response, refusal)
      if (route && !route.methods.includes(request.method ?? '')) return end(response, 405, 'not with this method')
      if (route) return await route.answer(request, response, rest)
      if (!reads) return end(response, 405, 'not with this method')
      return this.#page(request, response)
    } catch (thrown) {
      const error = asAlambicError(thrown)
      if (response.headersSent || response.destroyed) return void response.destroy()
      end(response, error.code === 'upload.unknown' ? 404 : 400, JSON.stringify({ error: error.toJSON() }))
    }
  }

  #page(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split(/[?#]/)[0] ?? '/'
    // Addresses inside the studio are all the same page; it finds the view.
    const isView = !/\.[a-z0-9]+$/i.test(path)
    const file = this.#pages.get(path) ?? (isView ? this.#pages.get('/index.html') : undefined)
    response.setHeader('content-security-policy', contentPolicy(this.origin))
    if (!file) {
      response.setHeader('content-type', 'text/html; charset=utf-8')
      return end(response, isView ? 503 : 404, isView ? notBuilt : 'no such file')
    }
    response.setHeader('content-type', file.type)
    response.setHeader('cache-control', file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache')
    const body = readStatic(file)
    end(response, 200, request.method === 'HEAD' ? undefined : body)
  }

  async #session(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const refusal = this.#gate.whyRefused(request, { origin: false, session: true })
      return refusal ? refuse(response, refusal) : end(response, 204)
    }
    const cookie = this.#gate.cookieFor(tokenIn(await bodyOf(request, 4096)))
    if (cookie === undefined) return refuse(response, { status: 401, reason: 'wrong token' })
    response.setHeader('set-cookie', cookie)
    end(response, 204)
  }

  async #upload(
    request: IncomingMessage,
    response: ServerResponse,
    [id = '', index = '']: readonly string[],
  ): Promise<void> {
    const { uploads } = this.#host
    const number = /^\d{1,7}$/.test(index) ? Number(index) : -1
    if (request.method === 'HEAD') {
      response.setHeader('x-received', await uploads.received(id, number))
      return end(response, 204)
    }
    await uploads.receive(id, number, request)
    end(response, 204)
  }

  async #download(
    _request: IncomingMessage,
    response: ServerResponse,
    [ticket = '']: readonly string[],
  ): Promise<void> {
    const file = this.#host.tickets.take(ticket)
    if (!file) return end(response, 404, 'this download is over')
    setHeaders(response)
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': statSync(file.path).size,
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`,
    })
    await pipeline(createReadStream(file.path), response)
  }

  // ── the socket ─────────────────────────────────────────────────────────────────────────────────────────────────

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    const refusal = this.#gate.whyRefused(request, { origin: true, session: true })
    if (refusal || request.url !== endpoints.rpc) {
      const status = refusal?.status ?? 404
      socket.end(
        `HTTP/1.1 ${status} ${refusal?.reason ?? 'not here'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
      )
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => this.#serve(client))
  }

  #serve(client: WebSocket): void {
    const disconnect = connect(this.#host, {
      post: (message) => {
        if (client.readyState !== client.OPEN) return
        if (client.bufferedAmount > MAX_WAITING) return void client.terminate()
        client.send(message as Uint8Array)
      },
      on: (listener) => void client.on('message', (data, isBinary) => isBinary && listener(data)),
      serialize: encodeMessage,
      deserialize: (data) => decodeMessage(data as Uint8Array),
    })
    client.on('error', () => client.terminate())
    client.on('close', disconnect)
  }

  async close(): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

const listen = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })

/** The path's parts, decoded once. */
function pathOf(request: IncomingMessage): readonly string[] {
  const path = (request.url ?? '/').split(/[?#]/)[0] ?? '/'
  try {
    return path.slice(1).split('/').map(decodeURIComponent)
  } catch {
    return ['']
  }
}

async function bodyOf(request: IncomingMessage, most: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > most) return ''
  }
  return Buffer.concat(chunks).toString('utf8')
}

function tokenIn(body: string): unknown {
  try {
    return (JSON.parse(body) as { token?: unknown } | null)?.token
  } catch {
    return undefined
  }
}

function setHeaders(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('x-frame-options', 'DENY')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
}

function end(response: ServerResponse, status: number, body?: string | Buffer): void {
  setHeaders(response)
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.statusCode = status
  response.end(body)
}

const refuse = (response: ServerResponse, { status, reason }: Refusal): void => end(response, status, reason)

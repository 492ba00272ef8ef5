import { timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { sha256 } from '../../workers/protocol/files/durable.ts'
import { newSecret } from './keys.ts'

/** Why a request is not answered. */
export interface Refusal {
  readonly status: 401 | 403
  readonly reason: string
}

/**
 * Who may talk to the studio: pages that this server itself served, opened by a person who has the token. A page of
 * another site fails on Origin, a name that an attacker lets point here (DNS rebinding) on Host, another program of
 * this machine on the token.
 */
export class Gate {
  /** For the address that is opened; it travels in the fragment, which no browser sends. */
  readonly token = newSecret()
  readonly #secret: string
  #authority = ''

  /** `secret` is what the cookie holds. */
  constructor(secret: string) {
    this.#secret = secret
  }

  /** The only name that this server answers to, once its port is known. */
  set port(port: number) {
    this.#authority = `127.0.0.1:${port}`
  }

  get origin(): string {
    return `http://${this.#authority}`
  }

  /** Cookies are shared by all ports of a machine: the name tells two studios apart. */
  get #cookie(): string {
    return `alambic-${this.#authority.split(':')[1]}`
  }

  /** The Host header must be ours; the Origin too where there is one, and where `origin` asks for one. */
  whyRefused(
    request: IncomingMessage,
    needs: { readonly origin: boolean; readonly session: boolean },
  ): Refusal | undefined {
    const { host, origin } = request.headers
    if (host !== this.#authority) return { status: 403, reason: 'unknown Host' }
    if (origin === undefined ? needs.origin : origin !== this.origin) return { status: 403, reason: 'unknown Origin' }
    const site = request.headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return { status: 403, reason: 'asked for by another site' }
    }
    return needs.session && !this.#hasSession(request) ? { status: 401, reason: 'no session' } : undefined
  }

  #hasSession(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map((pair) => pair.trim())
    return cookies.some(
      (pair) => pair.startsWith(`${this.#cookie}=`) && same(pair.slice(this.#cookie.length + 1), this.#secret),
    )
  }

  /** The cookie for a token; undefined for a wrong one. */
  cookieFor(token: unknown): string | undefined {
    if (typeof token !== 'string' || !same(token, this.token)) return undefined
    return `${this.#cookie}=${this.#secret}; Path=/; HttpOnly; SameSite=Strict`
  }
}

/** Compares in a time that does not tell where two texts differ. */
const same = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)))

import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'

/** Milliseconds that a file can be fetched. */
const VALID = 10 * 60_000

/** Files that a browser may fetch: each by a secret, once, for ten minutes. */
export class Tickets {
  readonly #files = new Map<string, { readonly path: string; readonly name: string; readonly until: number }>()

  /** The last part of the download's address. */
  issue(path: string, name = basename(path)): string {
    const now = Date.now()
    for (const [id, { until }] of this.#files) if (until < now) this.#files.delete(id)
    const id = randomBytes(18).toString('base64url')
    this.#files.set(id, { path, name, until: now + VALID })
    return id
  }

  take(id: string): { readonly path: string; readonly name: string } | undefined {
    const file = this.#files.get(id)
    this.#files.delete(id)
    return file && file.until >= Date.now() ? file : undefined
  }
}

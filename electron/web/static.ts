import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join, relative, sep } from 'node:path'

export interface StaticFile {
  readonly path: string
  readonly type: string
  /** Its name holds a hash of its contents. */
  readonly immutable: boolean
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
}

/**
 * The files of the built renderer by their addresses. They are listed once, and an address is only ever looked up in
 * the list: there is no path to escape from.
 */
export function staticFiles(folder: string): ReadonlyMap<string, StaticFile> {
  const files = new Map<string, StaticFile>()
  if (!existsSync(folder)) return files
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name)
    const type = types[extname(path)]
    if (type === undefined || !statSync(path).isFile()) continue
    const address = `/${relative(folder, path).split(sep).join('/')}`
    files.set(address, { path, type, immutable: address.startsWith('/assets/') })
  }
  return files
}

/** What a page of the studio may do: load and run what this server gives, and nothing else. */
export function contentPolicy(origin: string): string {
  const socket = origin.replace('http:', 'ws:')
  return [
    "default-src 'none'",
    "script-src 'self'",
    // Vue sets single styles through the DOM; charts and lists put style elements in.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    `connect-src 'self' ${socket}`,
    "worker-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** A page that says how to build the renderer, where it was not. */
export const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Alambic</title>
<p>The studio's pages are not built here. Run <code>npm start</code>, which builds them.</p></html>`

export const readStatic = ({ path }: StaticFile): Buffer => readFileSync(path)

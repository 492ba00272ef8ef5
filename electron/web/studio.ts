import { fileURLToPath } from 'node:url'
import { alambicHome } from '../../workers/protocol/files/home.ts'
import { openSample } from '../host/sample.ts'
import { Host } from '../host/host.ts'
import { announce, retract } from './keys.ts'
import { WebServer } from './server.ts'

/** Where the renderer is built to. */
export const PAGES = fileURLToPath(new URL('../../dist/renderer', import.meta.url))

export interface StudioOptions {
  readonly home?: string
  readonly port?: number
  /** Folders that pages may list and read by path. */
  readonly roots?: readonly string[]
  readonly pages?: string
  /** Open the sample project when nobody has started Alambic here before; true unless given. */
  readonly sample?: boolean
}

export interface BrowserStudio {
  readonly host: Host
  readonly server: WebServer
  close(): Promise<void>
}

/** Starts the host and its server for a browser. On the very first launch the sample project opens, its run going. */
export async function startBrowserStudio(options: StudioOptions = {}): Promise<BrowserStudio> {
  const { home = alambicHome(), port = 7410, roots = [], pages = PAGES, sample = true } = options
  const host = await Host.start({ home, shell: 'browser', roots })
  try {
    const server = await WebServer.start(host, { port, pages })
    if (sample && host.firstLaunch) {
      await host.settings.change({}).catch(() => undefined)
      // A disk that is full keeps the sample from starting, not the studio.
      await openSample(host).catch((error: unknown) => {
        process.stderr.write(`alambic: the sample was not started: ${error instanceof Error ? error.message : ''}\n`)
      })
    }
    announce(home, server.address)
    const close = async () => {
      retract(home)
      await server.close()
      await host.close()
    }
    return { host, server, close }
  } catch (error) {
    await host.close()
    throw error
  }
}

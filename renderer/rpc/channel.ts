import { createBirpc, type BirpcReturn } from 'birpc'
import { AlambicError } from '../../workers/protocol/errors.ts'
import type { DesktopBridge, StudioApi, StudioEvents } from '../../workers/protocol/studio.ts'
import {
  decodeMessage,
  encodeMessage,
  endpoints,
  packErrors,
  unpackErrors,
} from '../../workers/protocol/studio/wire.ts'

declare global {
  interface Window {
    readonly alambic?: DesktopBridge
  }
}

/** One connection to the host; a new one is made after it is lost. */
export interface Channel {
  readonly api: BirpcReturn<StudioApi, StudioEvents>
  /** Settles when the connection is gone, with a reason for the log. */
  readonly lost: Promise<string>
  close(): void
}

/** The bridge of the desktop shell; undefined in a browser. */
export const desktop: DesktopBridge | undefined = window.alambic

/** Connects to the host: over a MessagePort in the desktop shell, else over a WebSocket of the page's own server. */
export const connect = (events: StudioEvents): Promise<Channel> =>
  desktop ? connectDesktop(events, desktop) : connectBrowser(events)

/** The key that the address carries is taken out of it before anything else can see it. */
let token: string | undefined
/** A key that was exchanged once is of no more use; the cookie holds from then on. */
let exchanged = false

function takeToken(): boolean {
  const found = /^#token=([\w-]+)(?:&(.*))?$/.exec(window.location.hash)
  if (!found) return false
  window.history.replaceState(null, '', `${window.location.pathname}${found[2] ? `#${found[2]}` : ''}`)
  token = found[1]
  exchanged = false
  return true
}

takeToken()

/** Calls back when a new key comes into the address of this window: Alambic was started again, and opened again. */
export function onNewToken(act: () => void): void {
  // `popstate` comes first, and before the router sees it.
  for (const event of ['popstate', 'hashchange'])
    window.addEventListener(event, () => {
      if (takeToken()) act()
    })
}

async function openSession(): Promise<void> {
  const fresh = token !== undefined && !exchanged
  const response = await fetch(endpoints.session, {
    credentials: 'same-origin',
    ...(fresh
      ? { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) }
      : {}),
  })
  if (response.ok) {
    exchanged = true
    return
  }
  if (fresh && (await fetch(endpoints.session, { credentials: 'same-origin' })).ok) return
  throw new AlambicError('host.refused', `the session was refused (${response.status})`)
}

async function connectBrowser(events: StudioEvents): Promise<Channel> {
  await openSession()
  const address = new URL(endpoints.rpc, window.location.href)
  address.protocol = address.protocol.replace('http', 'ws')
  const socket = new WebSocket(address)
  socket.binaryType = 'arraybuffer'
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve(), { once: true })
    socket.addEventListener('close', () => reject(new AlambicError('host.offline', 'the host did not answer')), {
      once: true,
    })
  })
  const api = createBirpc<StudioApi, StudioEvents>(events, {
    post: (data: Uint8Array<ArrayBuffer>) => socket.send(data),
    on: (receive) => socket.addEventListener('message', ({ data }) => void receive(data)),
    serialize: encodeMessage,
    deserialize: (data: ArrayBuffer) => decodeMessage(data),
    timeout: -1,
  })
  const lost = new Promise<string>((resolve) => {
    socket.addEventListener('close', ({ code }) => resolve(`the socket closed (${code})`), { once: true })
  })
  return channelOf(api, lost, () => socket.close())
}

async function connectDesktop(events: StudioEvents, bridge: DesktopBridge): Promise<Channel> {
  const port = await new Promise<MessagePort>((resolve) => {
    const listen = ({ data, ports, source }: MessageEvent) => {
      if (source !== window || data !== 'alambic:port' || !ports[0]) return
      window.removeEventListener('message', listen)
      resolve(ports[0])
    }
    window.addEventListener('message', listen)
    bridge.connect()
  })
  const api = createBirpc<StudioApi, StudioEvents>(events, {
    post: (data) => port.postMessage(packErrors(data)),
    on: (receive) => port.addEventListener('message', ({ data }) => void receive(unpackErrors(data))),
    timeout: -1,
  })
  const lost = new Promise<string>((resolve) => {
    port.addEventListener('close', () => resolve('the port closed'), { once: true })
  })
  port.start()
  return channelOf(api, lost, () => port.close())
}

/** Calls that are under way when the connection is lost end with it: an answer can no longer come. */
function channelOf(api: Channel['api'], lost: Promise<string>, close: () => void): Channel {
  const ended = lost.then((reason) => {
    void api.$rejectPendingCalls(({ reject }) => {
      reject(new AlambicError('host.offline', 'the connection to Alambic on this machine was lost'))
    })
    api.$close()
    return reason
  })
  return { api, lost: ended, close }
}

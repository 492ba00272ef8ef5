import { createBirpc } from 'birpc'
import { WebSocket } from 'ws'
import {
  decodeMessage,
  encodeMessage,
  endpoints,
  type StudioApi,
  type StudioEvent,
} from '../../workers/protocol/studio.ts'

export interface StudioClient {
  readonly api: StudioApi
  readonly cookie: string
  readonly socket: WebSocket
  readonly close: () => void
}

/** Gets a session for the token in a studio's address. */
export async function openSession(address: string): Promise<string> {
  const { origin, hash } = new URL(address)
  const response = await fetch(`${origin}${endpoints.session}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify({ token: hash.slice('#token='.length) }),
  })
  const cookie = response.headers.get('set-cookie')?.split(';')[0]
  if (response.status !== 204 || cookie === undefined) throw new Error(`no session: ${response.status}`)
  return cookie
}

/** Talks to a studio as its page does: for the command line and for tests. */
export async function connectTo(
  address: string,
  changes: (events: readonly StudioEvent[]) => void = () => undefined,
): Promise<StudioClient> {
  const { origin } = new URL(address)
  const cookie = await openSession(address)
  const socket = new WebSocket(`${origin.replace('http', 'ws')}${endpoints.rpc}`, { headers: { cookie, origin } })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  const api = createBirpc<StudioApi>(
    { changes },
    {
      post: (message: unknown) => socket.send(message as Uint8Array),
      on: (listener) => void socket.on('message', (data) => listener(data)),
      serialize: encodeMessage,
      deserialize: (data: unknown) => decodeMessage(data as Uint8Array),
      timeout: -1,
    },
  )
  return { api: api as unknown as StudioApi, cookie, socket, close: () => socket.terminate() }
}

import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import type {
  Hello,
  StudioApi,
  StudioCall,
  StudioChange,
  StudioEvent,
  StudioResults,
} from '../../workers/protocol/studio.ts'
import { backoff } from '../rpc/backoff.ts'
import { connect, onNewToken, type Channel } from '../rpc/channel.ts'

type Request<Name extends StudioCall> = Parameters<StudioApi[Name]>[0]
type Ask<Name extends StudioCall> = (name: Name, request: Request<Name>) => Promise<StudioResults[Name]>
type Listener = (change: StudioChange) => void

/** `refused`: the page has no right to connect, and trying again is of no use. */
export type Connection = 'connecting' | 'online' | 'offline' | 'refused'

/**
 * The connection to the host: kept alive, and made again with growing pauses when it is lost. What happened meanwhile
 * comes first then; where the host no longer knows, `generation` grows and everything is read anew.
 */
export const useHost = defineStore('host', () => {
  const connection = ref<Connection>('connecting')
  const hello = shallowRef<Hello>()
  /** When the next try is due, while there is no connection; Unix milliseconds. */
  const retryAt = ref<number>()
  const generation = ref(0)

  const listeners = new Set<Listener>()
  let channel: Channel | undefined
  let session: string | undefined
  let seen = 0
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function onChange(listener: Listener): () => void {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }

  function receive(events: readonly StudioEvent[]): void {
    for (const event of events) {
      seen = Math.max(seen, event.seq)
      for (const listener of listeners) listener(event)
    }
  }

  /** Asks the host. Throws an `AlambicError`: the host's own, or `host.offline`. */
  async function call<Name extends StudioCall>(name: Name, request: Request<Name>): Promise<StudioResults[Name]> {
    if (!channel) throw new AlambicError('host.offline', 'Alambic on this machine is not connected just now')
    try {
      // birpc's own type resolves only for a call whose name is written out.
      const ask = channel.api.$call as unknown as Ask<Name>
      return await ask(name, request)
    } catch (thrown) {
      throw asAlambicError(thrown)
    }
  }

  async function open(): Promise<void> {
    clearTimeout(timer)
    retryAt.value = undefined
    try {
      const opened = await connect({ changes: receive })
      channel = opened
      void opened.lost.then(() => lose(opened))
      const greeting = await call('hello', {})
      const state = await call('subscribe', session === greeting.session ? { session, after: seen } : {})
      if (session !== greeting.session || state.reset) generation.value++
      session = state.session
      seen = Math.max(state.reset ? 0 : seen, state.seq)
      hello.value = greeting
      attempt = 0
      connection.value = 'online'
    } catch (thrown) {
      fail(asAlambicError(thrown))
    }
  }

  function lose(gone: Channel): void {
    if (channel !== gone) return
    channel = undefined
    if (connection.value === 'online') fail(new AlambicError('host.offline', 'the connection was lost'))
  }

  function fail(error: AlambicError): void {
    channel?.close()
    channel = undefined
    if (error.code === 'host.refused') {
      connection.value = 'refused'
      return
    }
    connection.value = session === undefined && attempt === 0 ? 'connecting' : 'offline'
    const pause = backoff(attempt++)
    retryAt.value = Date.now() + pause
    timer = setTimeout(() => void open(), pause)
  }

  onNewToken(() => {
    connection.value = 'connecting'
    void open()
  })

  return { connection, hello, retryAt, generation, onChange, call, open }
})

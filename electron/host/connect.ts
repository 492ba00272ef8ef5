import { createBirpc } from 'birpc'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { studioCalls, type StudioCall, type StudioEvent, type StudioEvents } from '../../workers/protocol/studio.ts'
import { handlers } from './api.ts'
import type { Host } from './host.ts'

/** A way to one renderer: bytes on a WebSocket, structured clones on a MessagePort. */
export interface Channel {
  readonly post: (message: unknown) => void
  readonly on: (listener: (message: unknown) => void) => void
  readonly serialize: (message: unknown) => unknown
  /** Throws on what is not a message. */
  readonly deserialize: (data: unknown) => unknown
}

/** Calls of one connection that may be under way at the same time. */
const MOST_PENDING = 256

/** Answers one renderer until the returned function is called. Nothing that comes in can end the host. */
export function connect(host: Host, channel: Channel): () => void {
  let pending = 0
  // A renderer that is just gone hears nothing; it asks again when it is back.
  const send = (events: readonly StudioEvent[]) => void rpc.changes.asEvent(events).catch(() => undefined)
  const answer = async (name: StudioCall, request: unknown): Promise<unknown> => {
    if (pending >= MOST_PENDING) throw new AlambicError('usage.busy', 'too many calls at the same time')
    pending++
    try {
      const checked = check(name, request)
      if (name === 'subscribe') return host.hub.subscribe(send, checked as { session?: string; after: number })
      return await (handlers[name] as (host: Host, request: unknown) => Promise<unknown>)(host, checked)
    } finally {
      pending--
    }
  }
  const names = Object.keys(studioCalls) as StudioCall[]
  const functions = Object.fromEntries(names.map((name) => [name, (request: unknown) => answer(name, request)]))
  const rpc = createBirpc<StudioEvents>(functions, {
    post: channel.post,
    on: channel.on,
    serialize: channel.serialize,
    deserialize: (data: unknown) => checkedMessage(channel.deserialize(data)),
    // Names are looked up in the table and nowhere else: not on what objects inherit.
    resolver: (name) => (Object.hasOwn(functions, name) ? functions[name] : undefined),
    onGeneralError: () => true,
    timeout: -1,
  })
  return () => {
    host.hub.unsubscribe(send)
    rpc.$close()
  }
}

function check(name: StudioCall, request: unknown): unknown {
  const checked = studioCalls[name].safeParse(request)
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  const path = issue?.path.map(String).join('.') ?? ''
  throw new AlambicError('usage.request', `${name}: ${path} ${issue?.message ?? 'not valid'}`, { subject: path })
}

/** A renderer only ever sends requests: `{ t: 'q', i, m, a: [request] }`. */
function checkedMessage(message: unknown): unknown {
  const { t, i, m, a } = (message ?? {}) as { t?: unknown; i?: unknown; m?: unknown; a?: unknown }
  const isId = i === undefined || (typeof i === 'string' && i.length <= 64)
  if (t === 'q' && isId && typeof m === 'string' && Array.isArray(a) && a.length <= 1) return { t, i, m, a }
  throw asAlambicError(new Error('not a request'))
}

import { alambicHome } from '../../workers/protocol/files/home.ts'
import { packErrors, unpackErrors, type Notice, type StudioEvent } from '../../workers/protocol/studio.ts'
import { connect } from '../host/connect.ts'
import { openSample } from '../host/sample.ts'
import { Host } from '../host/host.ts'
import { languageOf } from '../host/language.ts'
import type { FromHost, Status, ToHost } from './messages.ts'
import { noticeText } from './words.ts'

/**
 * The process with the host behind the desktop shell, started by it on plain Node. A crash of the shell leaves it
 * without its channel: then it lets runs save, and ends.
 */
const say = (message: FromHost) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined)
}

interface Channel {
  receive: (data: unknown) => void
  readonly close: () => void
}

const channels = new Map<number, Channel>()

function open(host: Host, channel: number): void {
  const entry: { receive: (data: unknown) => void } = { receive: () => undefined }
  const close = connect(host, {
    post: (data) => say({ kind: 'data', channel, data }),
    on: (listener) => (entry.receive = listener),
    serialize: packErrors,
    deserialize: unpackErrors,
  })
  channels.set(channel, Object.assign(entry, { close }))
}

function statusOf(host: Host): Status {
  const { order, running } = host.supervisor.queue()
  const first = running[0] === undefined ? undefined : host.run(running[0]).summary()
  const { done = 0, total = 0 } = first?.progress ?? {}
  return {
    running: running.length,
    queued: order.length,
    ...(first ? { title: first.title } : {}),
    ...(total > 0 ? { share: done / total } : {}),
  }
}

/** Outside the window, for a person who wants that. */
function notify(host: Host, notice: Notice): void {
  const { language, notifications } = host.settings.get()
  const body = noticeText(notice, languageOf(language))
  if (notifications && body !== undefined) say({ kind: 'notice', title: notice.title ?? 'Alambic', body })
}

function follow(host: Host): void {
  const watched = new Set<StudioEvent['kind']>(['queue', 'progress', 'run'])
  host.hub.subscribe(
    (events) => {
      for (const event of events) if (event.kind === 'notice') notify(host, event.notice)
      if (events.some(({ kind }) => watched.has(kind))) say({ kind: 'status', status: statusOf(host) })
    },
    { after: 0 },
  )
}

function listen(host: Host): void {
  const handlers: { readonly [Kind in ToHost['kind']]: (message: Extract<ToHost, { kind: Kind }>) => void } = {
    open: ({ channel }) => open(host, channel),
    data: ({ channel, data }) => channels.get(channel)?.receive(data),
    close({ channel }) {
      channels.get(channel)?.close()
      channels.delete(channel)
    },
    'open-path': ({ path }) =>
      host.hub.emit({ kind: 'notice', notice: { code: 'open-path', level: 'info', path, message: `open ${path}` } }),
    quit: () => void end(host),
  }
  process.on('message', (message: ToHost) => {
    if (Object.hasOwn(handlers, message.kind)) (handlers[message.kind] as (message: ToHost) => void)(message)
  })
  process.on('disconnect', () => void end(host))
}

let ending: Promise<void> | undefined
const end = (host: Host): Promise<void> => (ending ??= host.close().finally(() => process.exit(0)))

async function main(): Promise<void> {
  try {
    const host = await Host.start({ home: alambicHome(), shell: 'desktop' })
    listen(host)
    follow(host)
    say({ kind: 'ready' })
    if (!host.firstLaunch || process.env['ALAMBIC_NO_SAMPLE']) return
    await host.settings.change({})
    await openSample(host)
  } catch (error) {
    say({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
  }
}

// Ctrl-C in a terminal reaches the whole group; the shell says when it is time.
process.on('SIGINT', () => undefined)
await main()

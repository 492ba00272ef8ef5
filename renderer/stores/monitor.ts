import { onScopeDispose, ref, shallowRef, triggerRef, watch } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type { RunDetail, StudioChange } from '../../workers/protocol/studio.ts'
import type { RunEvent } from '../../workers/protocol/worker.ts'
import { Column } from '../charts/column.ts'
import { useHost } from './host.ts'
import { cutRows, takeRows, type Stream } from './rows.ts'

/** Rows asked for at once: 8 MB or so. */
const PAGE = 100_000

/**
 * Everything that the monitor shows of one run: its details, its streams of numbers and its journal. Whatever comes is
 * collected and shown once a frame (`version`). After a reload of the window all is read from the run's own folder.
 */
export function useMonitor(run: () => string) {
  const host = useHost()
  const detail = shallowRef<RunDetail>()
  const error = shallowRef<AlambicError>()
  const streams = shallowRef(new Map<string, Stream>())
  const events = shallowRef<readonly RunEvent[]>([])
  const logLines = ref(0)
  const version = ref(0)
  let frame = 0
  /** Streams that are being read, and how many rows they are said to have by now. */
  const wanted = new Map<string, number>()
  const reading = new Set<string>()

  function show(): void {
    frame ||= requestAnimationFrame(() => {
      frame = 0
      version.value++
    })
  }

  async function readStream(key: string, name: string): Promise<void> {
    if (reading.has(name)) return
    reading.add(name)
    try {
      while (key === run()) {
        const known = streams.value.get(name)
        const held = known?.rows ?? 0
        const rows = await host.call('metrics', { run: key, stream: name, fromRow: held, maxRows: PAGE })
        if (key !== run()) return
        const stream = known ?? addStream(name, rows.columns)
        if (rows.total < held) {
          // Fewer than are held: the run was set back to its checkpoint.
          cutRows(stream, rows.total)
        } else takeRows(stream, rows)
        show()
        if (stream.rows >= Math.max(rows.total, wanted.get(name) ?? 0) || rows.rows === 0) return
      }
    } catch (thrown) {
      note(thrown)
    } finally {
      reading.delete(name)
    }
  }

  function addStream(name: string, columns: readonly string[]): Stream {
    const stream: Stream = {
      name,
      stage: Number.parseInt(name, 10),
      columns: new Map(columns.map((column) => [column, new Column()])),
      rows: 0,
    }
    streams.value.set(name, stream)
    triggerRef(streams)
    return stream
  }

  function note(thrown: unknown): void {
    const problem = asAlambicError(thrown)
    if (problem.code !== 'host.offline') error.value = problem
  }

  /** Reads everything from the run's folder. */
  async function load(): Promise<void> {
    const key = run()
    try {
      const [found, journal] = await Promise.all([
        host.call('runDetail', { run: key }),
        host.call('runEvents', { run: key }),
      ])
      if (key !== run()) return
      detail.value = found
      events.value = journal.events
      logLines.value = found.logLines
      error.value = undefined
      await Promise.all(found.streams.map(({ stream }) => readStream(key, stream)))
      show()
    } catch (thrown) {
      if (key === run()) note(thrown)
    }
  }

  /** Reads what is not a stream again: checkpoints, reports, references. */
  async function refresh(): Promise<void> {
    const key = run()
    try {
      const found = await host.call('runDetail', { run: key })
      if (key === run()) detail.value = found
    } catch (thrown) {
      note(thrown)
    }
  }

  const refreshing = new Set(['checkpoint', 'step-started', 'step-finished', 'finished', 'failed', 'resumed'])

  function follow(change: StudioChange): void {
    if (!('run' in change)) return
    const key = typeof change.run === 'string' ? change.run : change.run?.run
    if (key !== run()) return
    if (change.kind === 'rows') {
      for (const [name, rows] of Object.entries(change.streams)) {
        wanted.set(name, rows)
        if (rows !== streams.value.get(name)?.rows) void readStream(key, name)
      }
    } else if (change.kind === 'run-event') {
      if (change.event.seq > (events.value.at(-1)?.seq ?? 0)) events.value = [...events.value, change.event]
      if (refreshing.has(change.event.kind)) void refresh()
      show()
    } else if (change.kind === 'log') logLines.value = change.lines
    else if (change.kind === 'run') {
      const before = detail.value
      if (before && before.state !== change.run.state) void refresh()
      if (before) detail.value = { ...before, ...change.run }
    }
  }

  onScopeDispose(host.onChange(follow))
  onScopeDispose(() => cancelAnimationFrame(frame))
  watch(
    run,
    () => {
      detail.value = undefined
      error.value = undefined
      streams.value = new Map()
      events.value = []
      wanted.clear()
      reading.clear()
    },
    { flush: 'sync' },
  )
  watch([run, () => host.generation], () => void load(), { immediate: true })

  return { detail, error, streams, events, logLines, version, load, refresh }
}

import { expect, test, vi } from 'vitest'
import type { StudioEvent } from '../../workers/protocol/studio.ts'
import { EventHub } from './hub.ts'

const row = (hub: EventHub, rows: number) => hub.emit({ kind: 'rows', run: 'p.r', streams: { '0-train': rows } })

test('delivers once a frame, numbered, with only the newest of what replaces itself', async () => {
  const hub = new EventHub()
  const calls: StudioEvent[][] = []
  hub.subscribe((events) => calls.push([...events]), { after: 0 })
  for (let i = 1; i <= 50; i++) row(hub, i)
  hub.emit({ kind: 'run-gone', run: 'p.a' })
  hub.emit({ kind: 'run-gone', run: 'p.b' })
  await vi.waitFor(() => expect(calls).toHaveLength(1))
  expect(calls[0]?.map(({ kind, seq }) => [kind, seq])).toEqual([
    ['rows', 50],
    ['run-gone', 51],
    ['run-gone', 52],
  ])
})

test('a renderer that comes back gets exactly what it missed', async () => {
  const hub = new EventHub()
  for (let i = 0; i < 10; i++) hub.emit({ kind: 'run-gone', run: `p.r${i}` })
  const got: number[] = []
  const answer = hub.subscribe((events) => got.push(...events.map(({ seq }) => seq)), {
    session: hub.session,
    after: 6,
  })
  expect(answer).toEqual({ session: hub.session, seq: 10, reset: false })
  await vi.waitFor(() => expect(got).toEqual([7, 8, 9, 10]))
})

test('says so when it cannot know what was missed', () => {
  const hub = new EventHub()
  for (let i = 0; i < 6000; i++) hub.emit({ kind: 'run-gone', run: `p.r${i}` })
  const listener = () => undefined
  expect(hub.subscribe(listener, { session: hub.session, after: 500 }).reset).toBe(true)
  expect(hub.subscribe(listener, { session: hub.session, after: 5000 }).reset).toBe(false)
  expect(hub.subscribe(listener, { session: 'another host', after: 5000 }).reset).toBe(true)
  expect(hub.subscribe(listener, { session: hub.session, after: 7000 }).reset).toBe(true)
})

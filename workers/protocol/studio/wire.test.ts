import { expect, test } from 'vitest'
import { AlambicError } from '../errors.ts'
import { studioCalls } from './calls.ts'
import { decodeMessage, encodeMessage } from './wire.ts'

const trip = (value: unknown): unknown => decodeMessage(encodeMessage(value))

test('typed arrays stay typed arrays, whatever stands before them', () => {
  for (const pad of ['', 'a', 'ab', 'abc', 'abcd', 'abcdefg']) {
    const message = {
      t: 's',
      i: pad,
      r: { values: Float64Array.of(0.1, NaN, -0, 1e300), pixels: Uint8Array.of(0, 255) },
    }
    expect(trip(message)).toEqual(message)
  }
  const rows = { t: 's', i: '1', r: { student: Float32Array.of(0.25, 0.75), none: undefined, at: 2 ** 53 - 1 } }
  expect(trip(rows)).toEqual(rows)
  expect((trip(rows) as typeof rows).r.student).toBeInstanceOf(Float32Array)
})

test('an error keeps its code, its sentence and what to do', () => {
  const error = new AlambicError('run.missing', 'there is no run', { subject: 'a.b', fix: 'Choose another.' })
  const { e } = trip({ t: 's', i: '1', e: error }) as { e: unknown }
  expect(e).toBeInstanceOf(AlambicError)
  expect(e).toMatchObject({ code: 'run.missing', message: 'there is no run', subject: 'a.b', fix: 'Choose another.' })
  const { e: unexpected } = trip({ t: 's', i: '1', e: new TypeError('x is not y') }) as { e: unknown }
  expect(unexpected).toMatchObject({ code: 'internal.unexpected', message: 'x is not y' })
})

test('every call refuses fields that it does not know', () => {
  for (const schema of Object.values(studioCalls)) {
    expect(schema.safeParse({ surprise: 1 }).success).toBe(false)
    expect(schema.safeParse('text').success).toBe(false)
    expect(schema.safeParse(undefined).success).toBe(false)
  }
})

test('a change of settings fills in nothing that was not asked for', () => {
  const checked = studioCalls.setSettings.parse({ change: { theme: 'dark' } })
  expect(checked.change).toEqual({ theme: 'dark' })
})

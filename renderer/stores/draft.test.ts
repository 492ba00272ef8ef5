import { beforeEach, expect, test, vi } from 'vitest'
import { keepDraft, takeDraft } from './draft.ts'

const kept = new Map<string, string>()
beforeEach(() => {
  kept.clear()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  })
})

test('a draft comes back once, to the file that it is of', () => {
  keepDraft('p', 'a.yaml', { text: 'steps: [', hash: 'h', sent: 'steps:' })
  expect(takeDraft('p', 'b.yaml')).toBeUndefined()
  expect(takeDraft('p', 'a.yaml')).toEqual({ text: 'steps: [', hash: 'h', sent: 'steps:' })
  expect(takeDraft('p', 'a.yaml')).toBeUndefined()
})

test('what is no draft is none, and a browser that keeps nothing is no error', () => {
  kept.set('alambic.draft p/a.yaml', '{"text":1}')
  expect(takeDraft('p', 'a.yaml')).toBeUndefined()
  kept.set('alambic.draft p/a.yaml', 'not JSON')
  expect(takeDraft('p', 'a.yaml')).toBeUndefined()
  vi.stubGlobal('localStorage', undefined)
  expect(() => keepDraft('p', 'a.yaml', { text: '', hash: '' })).not.toThrow()
  expect(takeDraft('p', 'a.yaml')).toBeUndefined()
})

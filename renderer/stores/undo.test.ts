import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, test } from 'vitest'
import { useUndo } from './undo.ts'

beforeEach(() => setActivePinia(createPinia()))

const renaming = (names: string[], from: string, to: string) => ({
  what: to,
  undo: () => void names.push(from),
  redo: () => void names.push(to),
})

test('edits are taken back from the last to the first, and made again in their order', async () => {
  const undo = useUndo()
  const names: string[] = []
  undo.push(renaming(names, 'a', 'b'))
  undo.push(renaming(names, 'b', 'c'))
  expect([(await undo.undo())?.what, (await undo.undo())?.what, await undo.undo()]).toEqual(['c', 'b', undefined])
  expect([(await undo.redo())?.what, undo.canRedo]).toEqual(['b', true])
  expect(names).toEqual(['b', 'a', 'b'])
})

test('a new edit forgets what was undone; one that cannot be taken back stays', async () => {
  const undo = useUndo()
  const names: string[] = []
  undo.push(renaming(names, 'a', 'b'))
  await undo.undo()
  undo.push({ what: 'stuck', undo: () => Promise.reject(new Error('offline')), redo: () => undefined })
  expect(undo.canRedo).toBe(false)
  await expect(undo.undo()).rejects.toThrow('offline')
  expect(undo.canUndo).toBe(true)
})

import { expect, test } from 'vitest'
import { diffLines } from './diff.ts'

const signs = { same: ' ', added: '+', removed: '-' } as const
const shown = (before: string, after: string) => diffLines(before, after).map(({ kind, text }) => signs[kind] + text)

test('lines that are kept, removed and added', () => {
  expect(shown('a\nb\nc\n', 'a\nx\nc\nd\n')).toEqual([' a', '-b', '+x', ' c', '+d'])
  expect(shown('a\n', 'a\n')).toEqual([' a'])
  expect(shown('a\nb', 'b')).toEqual(['-a', ' b'])
})

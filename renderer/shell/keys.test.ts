import { expect, test } from 'vitest'
import { commandTable, scopes } from './command-table.ts'
import { keysOf, showKeys, worksWhileTyping, type KeyPress } from './keys.ts'

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...more,
})

test('what is pressed has one name', () => {
  expect(keysOf(press('k', { ctrlKey: true }), false)).toBe('Mod+K')
  expect(keysOf(press('k', { metaKey: true }), true)).toBe('Mod+K')
  expect(keysOf(press('Z', { ctrlKey: true, shiftKey: true }), false)).toBe('Mod+Shift+Z')
  expect(keysOf(press('?', { shiftKey: true }), false)).toBe('?')
  expect(keysOf(press('F6', { shiftKey: true }), false)).toBe('Shift+F6')
  expect(keysOf(press('Shift', { shiftKey: true }), false)).toBeUndefined()
})

test('keys are shown as they are written on the keyboard', () => {
  expect(showKeys('Mod+Shift+Z', false)).toBe('Ctrl Shift Z')
  expect(showKeys('Mod+Shift+Z', true)).toBe('⌘ ⇧ Z')
  expect(showKeys('?', false)).toBe('?')
  expect(showKeys('+', false)).toBe('+')
})

test('typing is never disturbed', () => {
  expect(['?', 'P', 'Mod+Z', 'Mod+Shift+Z', 'Mod+V'].filter(worksWhileTyping)).toEqual([])
  expect(['Mod+K', 'F6', 'Mod+1'].filter(worksWhileTyping)).toEqual(['Mod+K', 'F6', 'Mod+1'])
})

test('no two commands that can be done on one screen have the same keys', () => {
  for (const screen of scopes) {
    const here = Object.values(commandTable).filter(({ scope }) => scope === 'everywhere' || scope === screen)
    const all = here.flatMap(({ keys }) => keys)
    expect(all.length).toBe(new Set(all).size)
  }
})

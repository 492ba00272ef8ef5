import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { chooseShell, electronProgram, openCommand } from './shell.ts'

const electron = '/opt/electron'

test.each([
  [{ platform: 'linux', env: { DISPLAY: ':0' }, electron }, 'desktop'],
  [{ platform: 'linux', env: { WAYLAND_DISPLAY: 'wayland-0' }, electron: undefined }, 'browser'],
  [{ platform: 'linux', env: {}, electron }, 'terminal'],
  [{ platform: 'linux', env: { DISPLAY: '' }, electron }, 'terminal'],
  [{ platform: 'darwin', env: {}, electron }, 'desktop'],
  [{ platform: 'win32', env: {}, electron: undefined }, 'browser'],
] as const)('%o shows itself in the %s', (around, kind) => {
  expect(chooseShell(around).kind).toBe(kind)
})

test('finds the program that the electron package has fetched, and only that', () => {
  const root = mkdtempSync(join(tmpdir(), 'alambic-electron-'))
  const folder = join(root, 'node_modules', 'electron')
  expect(electronProgram(root)).toBeUndefined()
  mkdirSync(join(folder, 'dist'), { recursive: true })
  writeFileSync(join(folder, 'path.txt'), 'electron')
  expect(electronProgram(root)).toBeUndefined()
  writeFileSync(join(folder, 'dist', 'electron'), '')
  expect(electronProgram(root)).toBe(join(folder, 'dist', 'electron'))
  rmSync(root, { recursive: true })
})

test('hands the address to the browser as one argument, never through a shell', () => {
  const address = 'http://127.0.0.1:7410/#token=a&b;c'
  for (const platform of ['linux', 'darwin', 'win32'] as const) {
    const [, ...args] = openCommand(platform, address)
    expect(args.at(-1)).toBe(address)
  }
})

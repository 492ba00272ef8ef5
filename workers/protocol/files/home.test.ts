import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { alambicHome, chooseHome } from './home.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-home-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('the data folder is what the environment says, else what was chosen, else the usual one', async () => {
  const env = { XDG_DATA_HOME: join(root, 'share') }
  const usual = join(root, 'share', 'alambic')
  expect(alambicHome(env, 'linux')).toBe(usual)
  const chosen = join(root, 'large', 'disk')
  await chooseHome(chosen, env, 'linux')
  expect(existsSync(chosen)).toBe(true)
  expect(alambicHome(env, 'linux')).toBe(chosen)
  expect(alambicHome({ ...env, ALAMBIC_HOME: '/given' }, 'linux')).toBe('/given')
  // A damaged choice is none.
  for (const text of ['{', '{"dataFolder":7}', '{"dataFolder":"not/absolute"}']) {
    writeFileSync(join(usual, 'data-folder.json'), text)
    expect(alambicHome(env, 'linux')).toBe(usual)
  }
})

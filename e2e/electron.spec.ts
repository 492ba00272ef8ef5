import { createRequire } from 'node:module'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { _electron as electron } from '@playwright/test'
import { expect, test } from './studio.ts'

/** Where Electron's program is; undefined where its package or its download is not there. */
function electronPath(): string | undefined {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('electron/package.json'))
    const names = ['dist/electron', 'dist/electron.exe', 'dist/Electron.app/Contents/MacOS/Electron']
    return names.map((name) => join(folder, name)).find((path) => existsSync(path))
  } catch {
    return undefined
  }
}

const main = join(import.meta.dirname, '../electron/main.ts')

test('the desktop window opens on the studio', async () => {
  const executablePath = electronPath()
  test.skip(
    executablePath === undefined,
    'Electron’s program is not on this machine: it is downloaded at the first desktop start',
  )
  test.skip(!existsSync(main), 'this version has no desktop shell yet')
  const app = await electron.launch({ args: [main], ...(executablePath === undefined ? {} : { executablePath }) })
  const window = await app.firstWindow()
  await expect(window.getByRole('navigation')).toBeVisible()
  await app.close()
})

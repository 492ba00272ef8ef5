import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test as base, expect, type Page } from '@playwright/test'
import { chromiumPath, missing } from '../workers/testing/assets.ts'

/** A studio of its own, with a data folder of its own. */
export interface Studio {
  readonly home: string
  /** With the key. */
  readonly address: string
  readonly pid: number
  /** Ends it as a crash would. */
  kill(): void
  /** Starts it again on the same data folder and the same port. */
  restart(): Promise<void>
  /** Ends it, does something with its data folder, and starts it again. */
  meanwhile(work: () => void): Promise<void>
  stop(): Promise<void>
}

const START = 30_000

export async function startStudio(sample: 'yes' | 'no'): Promise<Studio> {
  const home = mkdtempSync(join(tmpdir(), 'alambic-e2e-'))
  let { child, address } = await launch(home, sample, '0')
  const end = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      // A studio that does not end is a failure of its own, but not of the test that is over.
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
    }
  }
  const stop = async (): Promise<void> => {
    await end()
    rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
  return {
    home,
    get address() {
      return address
    },
    get pid() {
      return child.pid ?? -1
    },
    kill: () => void child.kill('SIGKILL'),
    restart: async () => {
      const { port } = new URL(address)
      ;({ child, address } = await launch(home, 'no', port))
    },
    meanwhile: async (work) => {
      await end()
      work()
      const { port } = new URL(address)
      ;({ child, address } = await launch(home, 'no', port))
    },
    stop,
  }
}

async function launch(home: string, sample: string, port: string): Promise<{ child: ChildProcess; address: string }> {
  const entry = join(import.meta.dirname, 'serve.ts')
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, home, sample, port], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })
  const address = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the studio did not start in time')), START)
    lines.once('line', (line) => {
      clearTimeout(timer)
      resolve(line)
    })
    child.once('exit', (code) => reject(new Error(`the studio ended with ${code} before it gave an address`)))
  })
  return { child, address }
}

/** Opens the first screen; until it is there the router does not hear of another address. */
export async function openStudio(page: Page, studio: Studio): Promise<void> {
  await page.goto(studio.address)
  await expect(page.locator('main > *').first()).toBeVisible()
}

/** What is in view once a screen is there. */
const landmarks = {
  compare: 'main .table, main .empty',
  models: 'main table',
  runs: 'main table',
  recipes: 'main h1',
  settings: '#set-language',
} as const

/** Goes to a screen. A first launch goes to its newest run by itself, once that is known: so it is asked until it is there. */
export async function goTo(page: Page, studio: Studio, screen: keyof typeof landmarks): Promise<void> {
  await openStudio(page, studio)
  await expect(async () => {
    await page.evaluate((to) => (window.location.hash = `#/${to}`), screen)
    await expect(page.locator(landmarks[screen]).first()).toBeVisible({ timeout: 1000 })
    await expect(page).toHaveURL(new RegExp(`#/${screen}$`))
  }).toPass()
}

/** Messages of the page that a person would find in its console: none is right. */
export function watchConsole(page: Page): readonly string[] {
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => {
    // A browser logs every lost connection by itself.
    if (message.type() === 'error' && !/WebSocket|ERR_CONNECTION|401/.test(message.text()))
      problems.push(message.text())
  })
  return problems
}

/** Tests that need a browser; they are skipped with the reason where there is none. */
export const test = base.extend<{ needsBrowser: undefined }>({
  needsBrowser: [
    async ({ browserName: _ }, use, info) => {
      info.skip(chromiumPath() === undefined, missing('chromium'))
      await use(undefined)
    },
    { auto: true },
  ],
})

/** Keeps a picture of what is seen, as an artifact of the tests. */
export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(import.meta.dirname, '../node_modules/.cache/alambic/screens', `${name}.png`) })
}

export { expect }

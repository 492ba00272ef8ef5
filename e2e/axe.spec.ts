import type { Page } from '@playwright/test'
import { looks, setLook, violations } from './axe.ts'
import { expect, openStudio, picture, startStudio, type Studio, test } from './studio.ts'

/** Accessibility and looks of every screen, in both themes and both languages. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
test.beforeAll(async ({ browser }) => {
  studio = await startStudio('yes')
  // Paused, the run shows all that it shows while it goes, and leaves the processor to the tests.
  const page = await browser.newPage()
  await openStudio(page, studio)
  await page.getByRole('img', { name: /^Loss: loss: last/ }).waitFor({ timeout: 60_000 })
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await page.getByRole('button', { name: 'Resume', exact: true }).waitFor({ timeout: 30_000 })
  await page.close()
})
test.afterAll(async () => {
  await studio.stop()
})

interface Screen {
  readonly name: string
  /** Goes there by address or by keys, which are the same in every language. */
  open(page: Page, run: string): Promise<void>
  /** Leaves what was opened. */
  close?(page: Page): Promise<void>
}

const at = (hash: (run: string) => string) => async (page: Page, run: string) => {
  await page.evaluate((to) => (window.location.hash = to), hash(run))
  await page.locator('main h1').first().waitFor()
}
const projectOf = (run: string): string => run.split('.')[0] ?? ''
const escape = (page: Page) => page.keyboard.press('Escape')

const screens: readonly Screen[] = [
  { name: 'projects', open: at(() => '#/projects') },
  { name: 'project', open: at((run) => `#/projects/${projectOf(run)}`) },
  {
    name: 'new-run',
    open: async (page, run) => {
      await at(() => `#/projects/${projectOf(run)}`)(page, run)
      await page.locator('main button.primary').click()
      await page.locator('dialog select').first().waitFor()
    },
    close: escape,
  },
  { name: 'runs', open: at(() => '#/runs') },
  ...['curves', 'results', 'samples', 'log', 'config', 'checkpoints'].map((tab) => ({
    name: `run-${tab}`,
    open: async (page: Page, run: string) => {
      await at(() => `#/runs/${run}/${tab}`)(page, run)
      await page.getByRole('tabpanel').waitFor()
    },
  })),
  {
    name: 'discard',
    open: async (page, run) => {
      await at(() => `#/runs/${run}`)(page, run)
      await page.locator('main button.danger').click()
    },
    close: escape,
  },
  { name: 'devices', open: at(() => '#/devices') },
  { name: 'settings', open: at(() => '#/settings') },
  { name: 'palette', open: (page) => page.keyboard.press('Control+k'), close: escape },
  { name: 'shortcuts', open: (page) => page.keyboard.press('?'), close: escape },
]

for (const look of looks) {
  const [theme, language] = look
  test(`no screen breaks an accessibility rule: ${theme}, ${language}`, async ({ page }) => {
    test.setTimeout(120_000)
    await openStudio(page, studio)
    await expect(page).toHaveURL(/#\/runs\/[^/]+/)
    const run = /#\/runs\/([^/]+)/.exec(page.url())?.[1] ?? ''
    await page.evaluate(() => (window.location.hash = '#/settings'))
    await setLook(page, look)
    const broken: string[] = []
    for (const screen of screens) {
      await screen.open(page, run)
      broken.push(...(await violations(page, screen.name)))
      await picture(page, `${screen.name}-${theme}-${language}`)
      await screen.close?.(page)
    }
    expect(broken).toEqual([])
  })
}

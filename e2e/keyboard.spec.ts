import { expect, startStudio, test, type Studio } from './studio.ts'

/** Without a mouse. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
test.beforeAll(async () => {
  studio = await startStudio('no')
})
test.afterAll(async () => {
  await studio.stop()
})

test('everything can be reached, and the focus goes where it should', async ({ page }) => {
  await page.goto(studio.address)
  const heading = page.getByRole('heading', { level: 1 })
  await expect(heading).toHaveText('Projects')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to the content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('main')).toBeFocused()
  await page.keyboard.press('F6')
  await expect(page.getByRole('contentinfo')).toBeFocused()
  await page.keyboard.press('F6')
  await expect(page.getByRole('navigation')).toBeFocused()

  await page.keyboard.press('Alt+3')
  await expect(heading).toHaveText('Runs')
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toBeHidden()

  await page.keyboard.press('Control+k')
  await page.keyboard.type('new pro')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog', { name: 'New project' })).toBeVisible()
  await page.keyboard.type('By keys alone')
  await page.keyboard.press('Enter')
  await expect(heading).toHaveText('By keys alone')

  await page.keyboard.press('Control+k')
  await page.keyboard.type('settings')
  await page.keyboard.press('Enter')
  await expect(heading).toHaveText('Settings')
})

test('the language is switched live, and is kept', async ({ page }) => {
  await page.goto(studio.address)
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Projects')
  await page.keyboard.press('Control+k')
  await page.keyboard.type('简体')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('项目')
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await page.reload()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('项目')
  await page.keyboard.press('Control+k')
  await page.keyboard.type('English')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Projects')
})

test('keys can be changed, and those that mean something already are refused', async ({ page }) => {
  await page.goto(`${studio.address}`)
  await page.keyboard.press('Alt+7')
  const change = page.getByRole('button', { name: /Change the keys of “Dark theme”/ })
  await change.click()
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('alert')).toContainText('Open the command palette')
  await page.keyboard.press('Control+Shift+d')
  await expect(change).toContainText('Ctrl Shift D')
  await page.keyboard.press('Control+Shift+d')
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark')
})

test('the width of the navigation is changed by keys, kept, and undone', async ({ page }) => {
  await page.goto(studio.address)
  const edge = page.getByRole('separator', { name: 'Width of the navigation' })
  const before = Number(await edge.getAttribute('aria-valuenow'))
  await edge.focus()
  await page.keyboard.press('ArrowRight')
  await expect(edge).toHaveAttribute('aria-valuenow', String(before + 16))
  await page.keyboard.press('Control+z')
  await expect(edge).toHaveAttribute('aria-valuenow', String(before))
})

test('an address without its key is refused, in words', async ({ browser }) => {
  const page = await (await browser.newContext()).newPage()
  await page.goto(new URL(studio.address).origin)
  await expect(page.getByRole('heading', { name: 'This window may not connect' })).toBeVisible()
})

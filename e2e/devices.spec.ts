import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { looks, setLook, violations } from './axe.ts'
import { expect, openStudio, picture, startStudio, type Studio, test } from './studio.ts'

/** The Devices page: a card for every engine, with the reason where it does not compute, and a self-test that stays. */
let studio: Studio
/** What is measured here is not remembered for the person whose machine it is. */
const home = mkdtempSync(join(tmpdir(), 'alambic-devices-'))
const before = process.env['ALAMBIC_HOME']
test.beforeAll(async () => {
  process.env['ALAMBIC_HOME'] = home
  studio = await startStudio('no')
})
test.afterAll(async () => {
  await studio.stop()
  if (before === undefined) delete process.env['ALAMBIC_HOME']
  else process.env['ALAMBIC_HOME'] = before
  rmSync(home, { recursive: true, force: true })
})

test('every engine says whether it computes here, and what was measured', async ({ page }) => {
  test.setTimeout(180_000)
  await openStudio(page, studio)
  await page.locator('main h1').first().waitFor()
  await page.evaluate(() => (window.location.hash = '#/devices'))
  const cards = page.locator('.devices > li')
  await expect(cards).toHaveCount(7, { timeout: 60_000 })
  const processor = cards.first()
  await expect(processor).toContainText('Available')
  await expect(processor).toContainText('Not verified on this machine.')
  // What is missing says why.
  await expect(cards.filter({ hasText: 'DirectML' })).toContainText(/Why|Available/)
  await processor.getByRole('button').click()
  await expect(processor.getByRole('status')).toContainText(/Passed.*samples\/s/, { timeout: 60_000 })
  await page.getByRole('button', { name: 'Look again' }).click()
  await expect(processor.getByRole('status')).toContainText(/Passed.*Measured/, { timeout: 60_000 })
  // Engines are asked anew each time, which takes seconds: both themes and both languages in two looks.
  for (const look of [looks[0], looks[3]]) {
    await page.evaluate(() => (window.location.hash = '#/settings'))
    await setLook(page, look)
    await page.evaluate(() => (window.location.hash = '#/devices'))
    await expect(cards).toHaveCount(7, { timeout: 60_000 })
    expect(await violations(page)).toEqual([])
    await picture(page, `devices-cards-${look.join('-')}`)
  }
})

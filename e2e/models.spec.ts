import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { unzipSync } from 'fflate'
import { alambic, modelsOf } from './cli.ts'
import { expect, openStudio, picture, startStudio, type Studio, test, watchConsole } from './studio.ts'

/** Versions of a model, and exports that were proven to work. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => {
    const common = ['--project', 'digits', '--data', 'mnist', '--threads', '1', '--limit', '2000', '--epochs', '1']
    alambic(studio.home, 'train', 'lenet-5@0.3', ...common, '--lr', '0.003')
    alambic(studio.home, 'prune', modelsOf(studio.home)[0] ?? '', ...common, '--ratio', '0.3', '--lr', '0.001')
  })
})
test.afterAll(async () => {
  await studio.stop()
})

/** A first launch goes to its newest run by itself, once that is known: so a screen is gone to until it is there. */
async function go(page: Page, screen: 'models' | 'settings'): Promise<void> {
  const there = { models: 'main table', settings: '#set-language' }[screen]
  await openStudio(page, studio)
  await expect(async () => {
    await page.evaluate((to) => (window.location.hash = `#/${to}`), screen)
    await expect(page.locator(there).first()).toBeVisible({ timeout: 1000 })
    await expect(page).toHaveURL(new RegExp(`#/${screen}$`))
  }).toPass()
}

test('models stand below what they were made from', async ({ page }) => {
  const problems = watchConsole(page)
  await go(page, 'models')
  const versions = page.getByRole('region', { name: 'Versions' })
  await expect(versions.getByRole('row')).toHaveCount(3)
  await expect(versions.getByRole('row').nth(1)).toContainText(/Level 1: train #1/)
  await expect(versions.getByRole('row').nth(2)).toContainText(/Level 2: prune #2/)
  await page.getByRole('button', { name: /^Measure \d model/ }).click()
  await expect(page.getByRole('button', { name: /^Measure/ })).toHaveCount(0, { timeout: 60_000 })
  await expect(versions.getByRole('row').nth(2)).toContainText(/kB\s*[\d.]+ kB/)
  await picture(page, 'models')
  expect(problems).toEqual([])
})

test('an export is verified, kept, and its sample code runs', async ({ page }) => {
  test.setTimeout(120_000)
  await go(page, 'models')
  await page.getByRole('button', { name: 'Export prune #2' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: /^Folder with sample code/ }).check()
  await picture(page, 'models-export')
  await dialog.getByRole('button', { name: 'Export', exact: true }).click()
  await expect(dialog.getByText('✓ verified')).toBeVisible({ timeout: 60_000 })
  await expect(dialog).toContainText(/accuracy [\d.]+ % → [\d.]+ % on 10,000/)
  await picture(page, 'models-exported')
  const waiting = page.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Download' }).click()
  const files = unzipSync(readFileSync(await (await waiting).path()))
  const folder = mkdtempSync(join(tmpdir(), 'alambic-sample-'))
  try {
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), bytes)
    }
    const program = Object.keys(files).find((name) => name.endsWith('node/run.mjs')) ?? ''
    symlinkSync(join(import.meta.dirname, '../node_modules'), join(folder, dirname(program), 'node_modules'))
    const run = spawnSync(process.execPath, [join(folder, program)], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    expect(run.stdout).toContain('largest difference')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  const exports = page.getByRole('region', { name: 'Exports' })
  await expect(exports.getByRole('row').nth(1)).toContainText('✓ verified')
  await page.getByRole('button', { name: 'Export train #1' }).click()
  await page
    .getByRole('dialog')
    .getByRole('radio', { name: /^ONNX, int8 \(QDQ\)/ })
    .check()
  await page.getByRole('dialog').getByRole('button', { name: 'Export', exact: true }).click()
  await expect(page.getByRole('dialog').getByText('✓ verified')).toBeVisible({ timeout: 60_000 })
})

test('a model is renamed, put in the bin, and brought back by undo', async ({ page }) => {
  await go(page, 'models')
  await page.getByRole('button', { name: 'Rename prune #2' }).click()
  await page.getByRole('dialog').getByRole('textbox').fill('slim')
  await page.keyboard.press('Enter')
  const versions = page.getByRole('region', { name: 'Versions' })
  await expect(versions).toContainText('slim')
  // A model that others were made from stays.
  await page.getByRole('button', { name: 'To the bin train #1' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'To the bin' }).click()
  await expect(page.getByText('another model or a run was made from this model')).toBeVisible()
  await page.getByRole('button', { name: 'To the bin slim' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'To the bin' }).click()
  await expect(versions.getByRole('row')).toHaveCount(2)
  await page.keyboard.press('Control+z')
  await expect(versions.getByRole('row')).toHaveCount(3)
})

const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
for (const [theme, language] of [
  ['light', 'en'],
  ['dark', 'zh-CN'],
  ['dark', 'en'],
  ['light', 'zh-CN'],
] as const) {
  test(`no accessibility rule is broken: ${theme}, ${language}`, async ({ page }) => {
    await go(page, 'settings')
    await page.locator('#set-language').selectOption(language)
    await page.locator('#set-theme').selectOption(theme)
    await expect(page.locator('html')).toHaveAttribute('lang', language)
    await page.evaluate(() => (window.location.hash = '#/models'))
    await expect(page.locator('main table')).toHaveCount(2)
    const broken = async () => {
      const { violations } = await new AxeBuilder({ page }).withTags(levels).analyze()
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`)
    }
    expect(await broken()).toEqual([])
    await picture(page, `models-${theme}-${language}`)
    await page.locator('main .actions button').first().click()
    await expect(page.locator('dialog[open] fieldset')).toBeVisible()
    expect(await broken()).toEqual([])
    await picture(page, `models-dialog-${theme}-${language}`)
  })
}

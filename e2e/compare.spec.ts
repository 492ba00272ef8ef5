import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { looks, setLook, violations } from './axe.ts'
import { modelsOf, trainAndPrune } from './cli.ts'
import { expect, goTo, picture, startStudio, type Studio, test, watchConsole } from './studio.ts'

/** Real runs held against each other: numbers, layers, answers, and a report that opens without a network. */
test.describe.configure({ mode: 'serial' })

let studio: Studio

test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => trainAndPrune(studio.home, { net: 'lenet-5@0.5', samples: 3000, epochs: 2, ratio: 0.5 }))
})
test.afterAll(async () => {
  await studio.stop()
})

const open = (page: Page) => goTo(page, studio, 'compare')

test('two runs are pinned, and the table tells how they differ', async ({ page }) => {
  const problems = watchConsole(page)
  await open(page)
  await page.getByRole('button', { name: 'Pin the newest' }).click()
  const table = page.getByRole('table', { name: 'What is compared' })
  await expect(table.getByRole('row')).toHaveCount(3)
  await expect(table).toContainText('baseline')
  // Half the channels: the size says so, with a sign and in words.
  await expect(table).toContainText(/▲ \d\.\d×better by/)
  await expect(page.getByText(/^✓ Fair: same data/)).toBeVisible()
  await expect(page.getByRole('img', { name: /Accuracy against/ })).toBeVisible()
  await expect(page.getByRole('img', { name: /Channels, layer by layer: \d rows/ })).toBeVisible({ timeout: 30_000 })
  await picture(page, 'compare-first')
  expect(problems).toEqual([])
})

test('every model is asked the same samples', async ({ page }) => {
  await open(page)
  await page.getByRole('button', { name: /^Ask 2 models/ }).click()
  await expect(page.getByText(/McNemar p/)).toBeVisible({ timeout: 60_000 })
  const section = page.getByRole('region', { name: 'Same samples, all models' })
  await expect(section.locator('.thumb canvas').first()).toBeVisible()
  await expect(section.getByRole('img', { name: /A table of 10 classes/ })).toBeVisible()
  await section.getByRole('button', { name: /^Lay out \d+ samples/ }).click()
  const plane = section.getByRole('img', { name: /samples on which the two disagree/ })
  await expect(plane.locator('image').first()).toBeVisible({ timeout: 60_000 })
  // Reached by keys: each thumbnail says what it is, and leads to the samples of its kind.
  await plane.focus()
  await page.keyboard.press('ArrowRight')
  await expect(section.getByText(/^Sample \d+, label/).last()).toBeAttached()
  await plane.scrollIntoViewIfNeeded()
  await picture(page, 'compare-embedding')
  await section.scrollIntoViewIfNeeded()
  await page.screenshot({ path: 'node_modules/.cache/alambic/screens/compare-full.png', fullPage: true })
  await picture(page, 'compare-predictions')
})

test('both graphs are drawn, with the changed nodes marked', async ({ page }) => {
  await open(page)
  await page.getByRole('button', { name: 'Graphs' }).click()
  await expect(page.getByRole('region', { name: /^Graph of/ })).toHaveCount(2)
  await page.getByRole('button', { name: 'Next change' }).click()
  await expect(page.getByText(/shape of .*: \d+×/).first()).toBeVisible()
  await expect(page.getByText(/Laying out/)).toHaveCount(0, { timeout: 30_000 })
  await page
    .getByRole('region', { name: /^Graph of/ })
    .last()
    .scrollIntoViewIfNeeded()
  await picture(page, 'compare-graphs')
  await page.getByRole('button', { name: 'Table', exact: true }).click()
  const layers = page.getByRole('region', { name: 'Layers side by side' })
  await expect(layers.getByRole('row').nth(1)).toContainText(/\d+×1×5×5 → \d+×1×5×5/)
  await layers.getByRole('button', { name: 'conv1' }).click()
  await expect(page.getByText(/units before, \d+ now, cut together/)).toBeVisible()
})

test('the report opens without a network and has the same numbers', async ({ page, browser }) => {
  await open(page)
  const table = page.getByRole('table', { name: 'What is compared' })
  await expect(page.getByRole('img', { name: /Channels, layer by layer: \d rows/ })).toBeVisible({ timeout: 30_000 })
  const cells = await table.getByRole('row').nth(2).getByRole('cell').allInnerTexts()
  const numbers = cells.slice(0, 3).map((text) => text.split('\n')[0]?.trim() ?? '')
  expect(numbers[0]).toMatch(/^\d+\.\d ± \d\.\d %$/)
  await expect(page.getByRole('region', { name: 'Accuracy, all runs' }).locator('canvas').first()).toBeVisible()
  const waiting = page.waitForEvent('download')
  await page.getByRole('group', { name: 'Export' }).getByRole('button', { name: 'HTML' }).click()
  const file = await (await waiting).path()
  const offline = await browser.newContext({ offline: true })
  const report = await offline.newPage()
  const asked: string[] = []
  report.on('request', (request) => asked.push(request.url()))
  const problems = watchConsole(report)
  await report.setContent(readFileSync(file, 'utf8'))
  for (const number of numbers) await expect(report.getByRole('cell', { name: number }).first()).toBeVisible()
  await expect(report.getByRole('img', { name: /Accuracy against/ })).toBeVisible()
  // Curves and both graphs are drawn in it, too.
  const curve = report.getByRole('img', { name: 'Accuracy, all runs' })
  await expect(curve.locator('path').first()).toHaveAttribute('d', /M[\d.]+ [\d.]+L/)
  const graphs = report.locator('.drawings figure')
  await expect(graphs).toHaveCount(2)
  for (const graph of await graphs.all()) {
    await expect(graph).toContainText(/^Graph of .* Δ changed/)
    // The boxes of eight layers, the marks of what was cut, and the lines between them.
    expect(await graph.locator('svg rect').count()).toBeGreaterThan(8)
    expect(await graph.locator('svg path').count()).toBeGreaterThan(7)
    await expect(graph.locator('svg text', { hasText: 'Δ' }).first()).toBeVisible()
  }
  await expect(report.getByText('All models were measured under the same conditions.')).toBeVisible()
  expect(asked.filter((url) => !url.startsWith('data:'))).toEqual([])
  expect(problems).toEqual([])
  await report.screenshot({ path: 'node_modules/.cache/alambic/screens/compare-report.png', fullPage: true })
  await offline.close()
  const png = page.waitForEvent('download')
  await page.getByRole('group', { name: 'Export' }).getByRole('button', { name: 'PNG' }).click()
  const picture = readFileSync(await (await png).path())
  expect(picture.subarray(1, 4).toString()).toBe('PNG')
  expect(picture.length).toBeGreaterThan(20_000)
})

for (const look of looks) {
  const [theme, language] = look
  test(`no accessibility rule is broken: ${theme}, ${language}`, async ({ page }) => {
    await goTo(page, studio, 'settings')
    await setLook(page, look)
    await page.evaluate(() => (window.location.hash = '#/compare'))
    await expect(page.locator('.side .scene-chart svg')).toBeVisible({ timeout: 30_000 })
    await page.locator('.stack > .card > header button').last().click()
    await expect(page.locator('.thumb canvas').first()).toBeVisible({ timeout: 60_000 })
    await page.screenshot({ path: `node_modules/.cache/alambic/screens/compare-${theme}-${language}.png` })
    expect(await violations(page)).toEqual([])
    const main = page.locator('main .screen')
    await main.screenshot({ path: `node_modules/.cache/alambic/screens/compare-all-${theme}-${language}.png` })
  })
}

test('what was measured under other conditions has no winner, and can be measured again', async ({ page }) => {
  await goTo(page, studio, 'settings')
  await page.locator('#set-language').selectOption('en')
  await studio.meanwhile(() => {
    // The same numbers, but on another processor: what a project brought from another machine looks like.
    const about = join(modelsOf(studio.home)[0] ?? '', '..', 'about.json')
    const kept = JSON.parse(readFileSync(about, 'utf8')) as { measured: { provenance: Record<string, unknown> } }
    kept.measured.provenance['processor'] = 'Another processor'
    writeFileSync(about, JSON.stringify(kept))
  })
  await open(page)
  await expect(page.getByText(/^⚠ Not comparable: device/)).toBeVisible()
  await expect(page.getByText(/^No winner/)).toBeVisible()
  await expect(page.getByText('sweet spot')).toHaveCount(0)
  await page.getByText(/^⚠ Not comparable/).click()
  await expect(page.getByText(/Another processor/)).toBeVisible()
  await picture(page, 'compare-unfair')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Measure together' }).click()
  await expect(page.getByText(/^✓ Fair: same data/)).toBeVisible({ timeout: 60_000 })
  await expect(page.getByText('sweet spot').first()).toBeVisible()
})

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { looks, setLook, violations } from './axe.ts'
import { alambic, modelsOf } from './cli.ts'
import { expect, goTo, picture, startStudio, type Studio, test, watchConsole } from './studio.ts'

/** What the steps of real runs did, drawn: distilling, factorizing, sharing, packing, and a search while it goes. */
test.describe.configure({ mode: 'serial' })

let studio: Studio

const everything = `alambic: 1
name: five-steps
title: Five steps
steps:
  - { step: distil, student: lenet-5@0.3, losses: [kd, at], epochs: 2, lr: 0.003 }
  - { step: factorize, rank: { ratio: 2 } }
  - { step: prune-retrain, keep: 0.3, epochs: 1 }
  - { step: cluster, epochs: 1, convBits: 4, denseBits: 4 }
  - { step: pack }
`
const searching = `alambic: 1
name: a-search
title: A search
steps:
  - { step: optimize, target: macs=60%, maxDrop: 0.6, seconds: 30, rungs: 0, samples: 40 }
`
const teaching = `alambic: 1
name: teaching
title: Teaching
steps:
  - { step: distil, losses: [kd, at] } # by hand
`
const recipes = () => join(studio.home, 'projects', 'digits', 'recipes')
const fileText = (name: RegExp) => {
  const file = readdirSync(recipes()).find((one) => name.test(one)) ?? ''
  return readFileSync(join(recipes(), file), 'utf8')
}

test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => {
    const { home } = studio
    const common = ['--project', 'digits', '--data', 'mnist', '--threads', '1', '--limit', '1200']
    alambic(home, 'train', 'lenet-5@0.5', ...common, '--epochs', '2', '--lr', '0.003')
    const folder = join(home, 'projects', 'digits', 'recipes')
    mkdirSync(folder, { recursive: true })
    for (const [name, text] of Object.entries({ 'five-steps': everything, 'a-search': searching, teaching }))
      writeFileSync(join(folder, `${name}.yaml`), text)
    const [made = ''] = modelsOf(home)
    alambic(home, 'compress', made, ...common, '--recipe', join(folder, 'five-steps.yaml'))
  })
})
test.afterAll(async () => {
  await studio.stop()
})

async function openRun(page: Page): Promise<void> {
  await goTo(page, studio, 'runs')
  await page
    .getByRole('table')
    .getByRole('link', { name: /Five steps/ })
    .click()
  await page.getByRole('tab', { name: 'Results' }).click()
}

async function openRecipe(page: Page, title: string): Promise<void> {
  await goTo(page, studio, 'recipes')
  await page.getByRole('link', { name: title, exact: true }).click()
  await page.getByRole('listitem').filter({ hasText: '1. ' }).getByRole('button').first().click()
}

test('what distilling paired is drawn, with agreement, both confusions and samples that differ', async ({ page }) => {
  const problems = watchConsole(page)
  await openRun(page)
  await expect(page.getByRole('img', { name: /^What is compared: / })).toHaveAccessibleName(
    /at: conv2 learns from conv2; as maps of attention\..*kd: logits learns from logits; outputs compared/,
  )
  await expect(page.getByText('agree with the teacher, 10,000 predictions')).toBeVisible()
  await expect(page.getByText(/computed once and kept|kept from an earlier run/)).toBeVisible()
  await expect(page.getByRole('img', { name: /^Agreement over time: agreement with the teacher from/ })).toBeVisible()
  const confusion = page.getByRole('region', { name: 'What the student says where the teacher says …' })
  const after = await confusion.getByRole('img').getAttribute('aria-label')
  await confusion.getByRole('button', { name: 'Before' }).click()
  await expect(confusion.getByRole('img')).not.toHaveAttribute('aria-label', after ?? '')
  const differing = page.getByRole('region', { name: 'Where they disagree' })
  await expect(differing.locator('canvas').first()).toBeVisible()
  await expect(differing.getByText(/Teacher: \d/).first()).toBeVisible()
  await page.screenshot({ path: 'node_modules/.cache/alambic/screens/results-methods.png', fullPage: true })
  expect(problems).toEqual([])
})

test('a cut is moved by keys and by the pointer, timed, and opened as a recipe', async ({ page }) => {
  await openRun(page)
  await page
    .getByRole('region', { name: 'Layers, before and after' })
    .getByRole('button', { name: 'conv2.weight' })
    .click()
  const chart = page.getByRole('region', { name: 'Ranks of conv2.weight' })
  const slider = chart.getByRole('slider', { name: 'Cut of conv2.weight' })
  await slider.focus()
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight')
  await expect(page.getByText(/^Changed: conv2\.weight \d+ × \d+\.$/)).toBeVisible()
  const box = await chart.getByRole('img').boundingBox()
  if (!box) throw new Error('the chart is not drawn')
  await page.mouse.move(box.x + box.width * 0.3, box.y + 100)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.92, box.y + 100, { steps: 4 })
  await page.mouse.up()
  const text = (await slider.getAttribute('aria-valuetext')) ?? ''
  const [, out, into] = /^ranks (\d+) × (\d+): at most [\d.]+ % is lost$/.exec(text) ?? []
  expect(Number(out)).toBeGreaterThan(5)
  await chart.getByRole('button', { name: 'Measure latency' }).click()
  await expect(chart.getByRole('img')).toHaveAccessibleName(/Latency was measured at 7 ranks/, { timeout: 60_000 })
  await picture(page, 'results-ranks')
  await page.getByRole('button', { name: 'Open as a recipe with these ranks' }).click()
  await expect(page).toHaveURL(/#\/recipes\//)
  await expect.poll(() => fileText(/ranks/)).toMatch(new RegExp(`fixed:\\s+- ${out}\\s+- ${into}`))
})

test('codebooks and sizes after each step are drawn, and what each code took off', async ({ page }) => {
  await openRun(page)
  await expect(page.getByRole('img', { name: /^Size after each step: from \d+ kB to \d/ })).toBeVisible()
  await expect(page.getByRole('img', { name: /^Codebook of .*: \d+ values from -/ })).toBeVisible()
  const waterfall = page.getByRole('region', { name: 'Where the bytes went' })
  await waterfall.getByRole('button', { name: 'Show as table' }).click()
  await expect(waterfall.locator('tbody th')).toHaveText(['ONNX file', 'Prune', 'Share', 'Huffman'])
})

test('a search is started from the studio and fills in while it goes', async ({ page }) => {
  const problems = watchConsole(page)
  await openRecipe(page, 'A search')
  await expect(page.getByLabel('target', { exact: true }).or(page.locator('#f-0-target'))).toHaveValue('macs=60%')
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await expect(page).toHaveURL(/#\/runs\//, { timeout: 30_000 })
  await page.getByRole('tab', { name: 'Results' }).click()
  await expect(page.getByText(/^Searching\. Trials so far: \d/)).toBeVisible({ timeout: 60_000 })
  const map = page.getByRole('region', { name: 'What each technique costs on each layer' })
  await expect(map.getByRole('img')).toBeVisible({ timeout: 30_000 })
  await expect(page.getByRole('img', { name: /^Trials: [23] points/ })).toBeVisible({ timeout: 60_000 })
  await picture(page, 'search-live')
  await expect(page.getByText(/^Trials: \d+; recipes refused/)).toBeVisible({ timeout: 60_000 })
  const table = page.getByRole('region', { name: 'Trials, cheapest first' })
  await expect(table.getByText('chosen')).toBeVisible()
  await table.getByRole('button').nth(1).focus()
  await page.keyboard.press('Enter')
  await page.screenshot({ path: 'node_modules/.cache/alambic/screens/search-done.png', fullPage: true })
  await page.getByRole('button', { name: 'Open as a recipe' }).click()
  await expect(page).toHaveURL(/#\/recipes\//)
  expect(problems).toEqual([])
})

test('pairs are chosen in the drawing and in the text alike, and a student in the gallery', async ({ page }) => {
  await openRecipe(page, 'Teaching')
  const pairing = page.getByRole('region', { name: 'Pairs of layers' })
  const drawn = pairing.getByRole('img', { name: /^What is compared/ })
  await expect(drawn).toHaveAccessibleName(/at: pool1 learns from pool1/, { timeout: 30_000 })
  await pairing.getByRole('button', { name: /^Remove pool1 → pool1/ }).click()
  await expect.poll(() => fileText(/teaching/)).toContain('pairs: [ { student: conv1, teacher: conv1 }')
  expect(fileText(/teaching/)).not.toContain('student: pool1')
  expect(fileText(/teaching/)).toContain('# by hand')
  await expect(drawn).not.toHaveAccessibleName(/at: pool1 learns/)
  // By keys: the first layer of the teacher, then one of the student.
  await pairing.getByRole('combobox', { name: 'Teacher' }).selectOption('pool2')
  await pairing.getByRole('combobox', { name: 'Student' }).selectOption('conv2')
  await pairing.getByRole('button', { name: /^Add to/ }).click()
  await expect(drawn).toHaveAccessibleName(/at: conv2 learns from pool2; averaged to 4×4/)
  await pairing.getByRole('combobox', { name: 'Teacher' }).selectOption('relu1')
  await pairing.getByRole('combobox', { name: 'Student' }).selectOption('conv1')
  await pairing.getByRole('button', { name: /^Add to/ }).click()
  await expect(pairing.getByText('No pair fits')).toBeVisible()
  await picture(page, 'pairing-misfit')
  await page.keyboard.press('Control+z')
  await expect(pairing.getByText('No pair fits')).toBeHidden()

  const gallery = page.getByRole('region', { name: 'Choose a student' })
  await gallery.getByRole('button', { name: 'Compare students' }).click()
  await expect(gallery.getByRole('img', { name: /^Students, by Parameters: \d+ rows/ })).toBeVisible({
    timeout: 30_000,
  })
  await gallery.getByRole('button', { name: 'Measure latency here' }).click()
  await expect(gallery.getByRole('img', { name: /^Students, by Latency/ })).toBeVisible({ timeout: 60_000 })
  await page.screenshot({ path: 'node_modules/.cache/alambic/screens/student-gallery.png', fullPage: true })
  await gallery.getByRole('button', { name: 'thin:0.5' }).click()
  await expect.poll(() => fileText(/teaching/)).toContain('student: thin:0.5')
})

test('all of it is accessible, light in English and dark in Chinese', async ({ page }) => {
  test.setTimeout(120_000)
  const found: string[] = []
  for (const look of [looks[0], looks[3]]) {
    await goTo(page, studio, 'settings')
    await setLook(page, look)
    await page.evaluate(() => (window.location.hash = '#/runs'))
    await page
      .getByRole('table')
      .getByRole('link', { name: /Five steps/ })
      .click()
    await page.locator('#run-panel-results').click()
    await page.locator('.samples canvas').first().waitFor()
    await picture(page, `results-${look.join('-')}`)
    found.push(...(await violations(page, look.join(' '))))
  }
  expect(found).toEqual([])
})

import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { looks, setLook, violations } from './axe.ts'
import { unzipSync } from 'fflate'
import { drop, makeFiles } from './files.ts'
import { expect, openStudio, picture, startStudio, test, watchConsole, type Studio } from './studio.ts'

/** The recipe builder: composed by mouse and by keys, as forms and as text, run on real data to its end. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
let files: Awaited<ReturnType<typeof makeFiles>>
let address = ''
test.beforeAll(async () => {
  ;[studio, files] = await Promise.all([startStudio('no'), makeFiles()])
})
test.afterAll(async () => {
  await studio.stop()
  rmSync(files.folder, { recursive: true, force: true })
})

const steps = (page: Page) => page.getByRole('list', { name: 'Steps' }).locator('.title')
const saved = (page: Page) => expect(page.getByText('Saved', { exact: true })).toBeVisible()

/** The text of the only recipe file that there is, or of the one with a name. */
function fileText(name: RegExp): string {
  const projects = join(studio.home, 'projects')
  for (const project of readdirSync(projects)) {
    const folder = join(projects, project, 'recipes')
    const file = readdirSync(folder).find((one) => name.test(one))
    if (file) return readFileSync(join(folder, file), 'utf8')
  }
  return ''
}

const set = async (page: Page, label: string | RegExp, value: string) => {
  const field = page.getByRole('spinbutton', { name: label })
  await field.fill(value)
  await field.press('Tab')
}

test('a template becomes a recipe, and is composed by mouse', async ({ page }) => {
  const problems = watchConsole(page)
  await openStudio(page, studio)
  await page.getByRole('link', { name: 'Recipes' }).click()
  await expect(page.getByText('No recipe of your own yet')).toBeVisible()
  await picture(page, 'recipes-empty')
  await page.getByRole('button', { name: /Use this Half the channels/ }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Half the channels, taught by the whole net')
  address = page.url()
  await expect(steps(page)).toHaveText(['1. Prune channels', '2. Distil'])

  await page.getByLabel('Add a step …').selectOption({ label: 'Quantize' })
  await expect(steps(page)).toHaveText(['1. Prune channels', '2. Distil', '3. Quantize'])
  await page.locator('.step').nth(1).click()
  await page.getByRole('button', { name: 'Duplicate' }).click()
  await expect(steps(page)).toHaveCount(4)
  await page.getByRole('button', { name: 'Remove', exact: true }).first().click()
  await expect(steps(page)).toHaveCount(3)
  // What is quantized comes first now, which is odd, and said.
  const dragged = ['1. Quantize', '2. Prune channels', '3. Distil']
  await expect(async () => {
    // A drop before the page has answered to what hovers over it is none: a person drags again.
    if ((await steps(page).first().innerText()) !== dragged[0])
      await page.locator('li:has(.step)').nth(2).dragTo(page.locator('li:has(.step)').nth(0))
    await expect(steps(page)).toHaveText(dragged, { timeout: 1500 })
  }).toPass({ timeout: 20_000 })
  await expect(page.getByRole('button', { name: /Warning:.*weights are integers by then/ }).first()).toBeVisible()
  await page.keyboard.press('Control+z')
  await expect(steps(page)).toHaveText(['1. Prune channels', '2. Distil', '3. Quantize'])

  await page.locator('.step').nth(0).click()
  await set(page, 'Ratio', '0.25')
  await saved(page)
  expect(fileText(/thin-and-distil/)).toContain('ratio: 0.25')
  expect(fileText(/thin-and-distil/)).toContain('# Cuts half of the channels')
  await expect(page.getByRole('cell', { name: /kB|MB/ }).first()).toBeVisible({ timeout: 30_000 })
  await picture(page, 'recipe-form')

  await page.getByRole('tab', { name: 'Changes' }).click()
  await expect(page.getByRole('region', { name: 'Changes' })).toContainText('ratio: 0.25')
  await picture(page, 'recipe-diff')
  expect(problems).toEqual([])
})

test('text and forms are one recipe; a slip is told by its line', async ({ page }) => {
  await openStudio(page, studio)
  await page.goto(address)
  await page.getByRole('tab', { name: 'YAML' }).click()
  const text = page.getByLabel('The recipe as YAML')
  const before = await text.inputValue()
  await text.fill(before.replace('ratio: 0.25', 'ratio: 0.4 # by hand'))
  await page.getByRole('tab', { name: 'Form' }).click()
  await page.locator('.step').nth(0).click()
  await expect(page.getByRole('spinbutton', { name: 'Ratio' })).toHaveValue('0.4')
  await set(page, 'Ratio', '0.3')
  await page.getByRole('tab', { name: 'YAML' }).click()
  await expect(text).toHaveValue(/ratio: 0\.3 # by hand/)
  const good = await text.inputValue()
  await text.fill(good.replace('steps:', 'steps: ['))
  await expect(page.getByText(/Line \d+:/)).toBeVisible()
  await picture(page, 'recipe-yaml-fault')
  // Left in the middle of a word, without a moment of quiet: what was written is there.
  await text.fill(`${good}\n# left in a hurry\n`)
  await page.goto('about:blank')
  await openStudio(page, studio)
  await page.goto(address)
  await page.getByRole('tab', { name: 'YAML' }).click()
  await expect(text).toHaveValue(/# left in a hurry/)
  await expect.poll(() => fileText(/thin-and-distil/)).toContain('# left in a hurry')
  await text.fill(good)
  await expect(page.getByText(/Line \d+:/)).toBeHidden()
  await saved(page)
})

test('an invalid field is found, led to and mended', async ({ page }) => {
  await openStudio(page, studio)
  await page.goto(address)
  await page.locator('.step').nth(1).click()
  await set(page, 'Epochs', '-2')
  await expect(page.locator('.step').nth(1)).toContainText('1 error')
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled()
  await page.getByRole('button', { name: 'Targets and name' }).click()
  await page.keyboard.press('F8')
  const epochs = page.getByRole('spinbutton', { name: 'Epochs' })
  await expect(epochs).toBeFocused()
  await picture(page, 'recipe-invalid')
  await page.getByRole('heading', { level: 1 }).click()
  await page.keyboard.press('Control+z')
  await expect(epochs).toHaveValue('5')
  await expect(page.getByText('Nothing speaks against it.').first()).toBeVisible()
  await saved(page)
})

test('composed by keys alone, then run to its end on MNIST', async ({ page }) => {
  test.setTimeout(240_000)
  await openStudio(page, studio)
  await page.keyboard.press('Alt+2')
  await page.getByRole('button', { name: 'New recipe' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('My recipe')
  const add = page.getByLabel('Add a step …')
  await add.focus()
  await add.selectOption({ label: 'Train' })
  await expect(steps(page)).toHaveText(['1. Prune channels', '2. Train'])
  await page.locator('.step').nth(1).focus()
  await page.keyboard.press('Alt+ArrowUp')
  await expect(steps(page)).toHaveText(['1. Train', '2. Prune channels'])
  await expect(page.locator('.step').nth(0)).toBeFocused()
  await page.keyboard.press('Alt+ArrowDown')
  await page.keyboard.press('Alt+ArrowUp')
  await page.getByRole('spinbutton', { name: 'Epochs' }).focus()
  await page.keyboard.type('1')
  await page.keyboard.press('Tab')
  await page.getByRole('button', { name: 'Targets and name' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('spinbutton', { name: 'Largest file' }).focus()
  await page.keyboard.type('900')
  await page.keyboard.press('Tab')
  await page.getByRole('spinbutton', { name: /Use only so many/ }).focus()
  await page.keyboard.type('1280')
  await page.keyboard.press('Tab')
  await expect(page.getByText('Nothing speaks against it.').first()).toBeVisible()
  await saved(page)
  const written = fileText(/my-recipe/)
  expect(written).toContain('bytes: 900000')
  expect(written.indexOf('step: train')).toBeLessThan(written.indexOf('step: prune'))
  await expect(page.getByText(/Largest file: the estimate keeps to it/)).toBeVisible({ timeout: 30_000 })
  await page.keyboard.press('Control+Enter')
  await expect(page).toHaveURL(/#\/runs\//, { timeout: 30_000 })
  await expect(page.locator('h1 ~ .chip').first()).toHaveText(/Succeeded/, { timeout: 200_000 })
  await expect(page.getByText(/✓ Largest file: .* keeps to 900 kB/)).toBeVisible()
  await picture(page, 'recipe-run')
})

test('what it made is compared, exported, and comes back as a model', async ({ page }) => {
  test.setTimeout(120_000)
  const problems = watchConsole(page)
  await openStudio(page, studio)
  await page.getByRole('link', { name: 'Models' }).click()
  const versions = page.getByRole('region', { name: 'Versions' })
  await expect(versions.getByRole('row')).toHaveCount(2)
  await versions.getByRole('button', { name: /^Compare / }).click()
  const table = page.getByRole('table', { name: 'What is compared' })
  await expect(table.getByRole('row').nth(1)).toContainText(/My recipe.*baseline/s)
  await expect(table.getByRole('row').nth(1)).toContainText(/\d+\.\d ± \d\.\d %/)
  await page.getByRole('link', { name: 'Models' }).click()
  await versions.getByRole('button', { name: /^Export / }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: /^ONNX, float16/ }).check()
  await dialog.getByRole('button', { name: 'Export', exact: true }).click()
  await expect(dialog.getByText('✓ verified')).toBeVisible({ timeout: 60_000 })
  const waiting = page.waitForEvent('download')
  await dialog.getByRole('button', { name: 'Download' }).click()
  const contents = unzipSync(readFileSync(await (await waiting).path()))
  const [name = '', bytes = new Uint8Array()] = Object.entries(contents).find(([one]) => one.endsWith('.onnx')) ?? []
  const back = join(files.folder, name)
  writeFileSync(back, bytes)
  await dialog.getByRole('button', { name: 'Close' }).last().click()
  // Where a project is open, what is dropped goes into it.
  await page.goto(address)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await drop(page, [back])
  await page.getByRole('dialog').getByRole('button', { name: 'Add 1' }).click()
  await expect(page.getByRole('dialog')).toContainText('1 added')
  await page.keyboard.press('Escape')
  await page.getByRole('link', { name: 'Models' }).click()
  await expect(versions.getByRole('row')).toHaveCount(3)
  await expect(versions.getByRole('row', { name: new RegExp(name.replace('.onnx', '')) })).toContainText(/imported/i)
  expect(problems).toEqual([])
})

test('a model that is no better than guessing does not start unawares; a sweep is many runs', async ({ page }) => {
  test.setTimeout(120_000)
  await openStudio(page, studio)
  await page.goto(address)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await drop(page, [files.model])
  const sheet = page.getByRole('dialog')
  await sheet.getByRole('button', { name: 'Add 1' }).click()
  await expect(sheet).toContainText('1 added')
  await page.keyboard.press('Escape')
  const model = page.getByRole('combobox', { name: 'Model', exact: true })
  const own = model
    .locator('option')
    .filter({ hasText: /^\s*lenet/ })
    .first()
  await expect(own).toBeAttached()
  await model.selectOption(await own.getAttribute('value'))
  await page.getByRole('button', { name: 'Check now' }).click()
  await expect(page.getByText(/guessing gets 10/)).toBeVisible({ timeout: 30_000 })
  await picture(page, 'recipe-baseline')
  await page.getByRole('button', { name: 'Run', exact: true }).click()
  await expect(page.getByRole('dialog', { name: 'No better than guessing' })).toBeVisible()
  await page.keyboard.press('Escape')

  await page.getByRole('button', { name: 'Sweep …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Sweep over fields' })
  await dialog.getByLabel('Field 1', { exact: true }).selectOption('steps.0.ratio')
  await dialog.getByLabel('Values of field 1').fill('0.2, 0.3')
  await dialog.getByRole('button', { name: 'Another field' }).click()
  await dialog.getByLabel('Field 2', { exact: true }).selectOption('steps.1.epochs')
  await dialog.getByLabel('Values of field 2').fill('1..2')
  await expect(dialog).toContainText('ratio=0.3, epochs=2')
  await picture(page, 'recipe-sweep')
  await dialog.getByRole('button', { name: 'Start 4 runs' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Run anyway' }).click()
  await expect(page).toHaveURL(/#\/runs$/, { timeout: 30_000 })
  await expect(page.locator('table th a').filter({ hasText: 'ratio=' })).toHaveCount(4)
})

test('rules of single layers are made on the graph, beside how sensitive each layer is', async ({ page }) => {
  test.setTimeout(120_000)
  const problems = watchConsole(page)
  await openStudio(page, studio)
  await page.goto(address)
  await page.locator('.step').nth(0).click()
  await page.getByRole('tab', { name: 'Layers' }).click()
  const graph = page.getByRole('application')
  await expect(graph).toHaveAccessibleName(/drawn as [1-9]/)
  await expect(page.getByText('Laying out …')).toBeHidden()
  // By the keys of the graph: down to the first layer, and what is selected there is what the rule is for.
  await graph.focus()
  const editor = page.getByRole('group', { name: 'Rule for what is chosen' })
  await expect(async () => {
    await page.keyboard.press('ArrowDown')
    await expect(editor.getByRole('spinbutton', { name: /Ratio/ })).toBeVisible({ timeout: 300 })
  }).toPass()
  await editor.getByRole('spinbutton', { name: /Ratio/ }).fill('0')
  await page.keyboard.press('Tab')
  const list = page.getByRole('region', { name: 'Layers' })
  await expect(list.getByRole('row', { name: /ratio 0/ })).toHaveCount(1)
  // And by the list, of two layers at once.
  await list.getByRole('checkbox').nth(2).check()
  await list.getByRole('checkbox').nth(3).check()
  await list.getByRole('checkbox').nth(1).uncheck()
  await expect(editor).toContainText('2 layers chosen')
  await editor.getByRole('spinbutton', { name: /Ratio/ }).fill('0.2')
  await page.keyboard.press('Tab')
  await expect(list.getByRole('row', { name: /ratio 0\.2/ })).toHaveCount(2)
  await saved(page)
  expect(fileText(/thin-and-distil/)).toMatch(/rules:\s+- layer: \S+\s+ratio: 0\s/)
  await expect(page.getByText('A stand-in without data')).toBeVisible()
  await page.getByRole('combobox', { name: 'Data', exact: true }).selectOption('named:mnist')
  await page.getByRole('button', { name: 'Scan the layers' }).click()
  await expect(page.getByText(/Accuracy lost by each layer alone/)).toBeVisible({ timeout: 60_000 })
  await expect(list.getByRole('row').nth(1)).toContainText('%')
  await picture(page, 'recipe-layers')
  await editor.getByRole('button', { name: 'Take the rule away' }).click()
  await expect(list.getByRole('row', { name: /ratio 0\.2/ })).toHaveCount(0)
  await page.locator('h1').click()
  await page.keyboard.press('Control+z')
  await expect(list.getByRole('row', { name: /ratio 0\.2/ })).toHaveCount(2)
  expect(problems).toEqual([])
})

test('a recipe is deleted, and comes back', async ({ page }) => {
  await openStudio(page, studio)
  await page.keyboard.press('Alt+2')
  const row = page.getByRole('row', { name: /My recipe/ })
  await expect(row).toBeVisible()
  await picture(page, 'recipes')
  await page.getByRole('button', { name: 'Delete “My recipe”' }).click()
  await expect(row).toBeHidden()
  await page.keyboard.press('Control+z')
  await expect(row).toBeVisible()
})

for (const look of looks) {
  const [theme, language] = look
  test(`recipes and help break no accessibility rule: ${theme}, ${language}`, async ({ page }) => {
    test.setTimeout(120_000)
    await openStudio(page, studio)
    await page.evaluate(() => (window.location.hash = '#/settings'))
    await setLook(page, look)
    const hash = new URL(address).hash
    const screens: readonly [string, string, (() => Promise<void>)?][] = [
      ['recipes', '#/recipes'],
      ['recipe', hash],
      ['recipe-step', hash, () => page.locator('.step').nth(2).click()],
      ['recipe-yaml', hash, () => page.getByRole('tab', { name: 'YAML' }).click()],
      ['recipe-diff', hash, () => page.getByRole('tab').last().click()],
      [
        'recipe-layers',
        hash,
        async () => {
          await page.locator('.step').nth(0).click()
          await page.getByRole('tab').nth(1).click()
          await page.getByRole('application').waitFor()
        },
      ],
      ['help', '#/help'],
      ['help-prune', '#/help/prune'],
      ['help-quantize', '#/help/quantize'],
    ]
    const broken: string[] = []
    for (const [name, to, then] of screens) {
      await page.evaluate((there) => (window.location.hash = there), to)
      await page.locator('main h1').first().waitFor()
      await then?.()
      await page.waitForTimeout(300)
      broken.push(...(await violations(page, name)))
      await picture(page, `${name}-${theme}-${language}`)
    }
    expect(broken).toEqual([])
  })
}

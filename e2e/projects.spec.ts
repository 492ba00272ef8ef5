import { rmSync } from 'node:fs'
import { drop, makeFiles } from './files.ts'
import { expect, picture, startStudio, test, watchConsole, type Studio } from './studio.ts'

/** From an empty studio to a finished run, with files of one's own. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
let files: Awaited<ReturnType<typeof makeFiles>>
test.beforeAll(async () => {
  ;[studio, files] = await Promise.all([startStudio('no'), makeFiles()])
})
test.afterAll(async () => {
  await studio.stop()
  rmSync(files.folder, { recursive: true, force: true })
})

test('an empty studio says what can be done', async ({ page }) => {
  await page.goto(studio.address)
  await expect(page.getByText('No project yet')).toBeVisible()
  await picture(page, 'projects-empty')
  await page.getByRole('button', { name: 'What can I drop?' }).click()
  await expect(page.getByRole('dialog')).toContainText('ONNX files')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('button', { name: 'What can I drop?' })).toBeFocused()
})

test('a dropped ONNX file becomes a project', async ({ page }) => {
  const problems = watchConsole(page)
  await page.goto(studio.address)
  await expect(page.getByText('No project yet')).toBeVisible()
  await drop(page, [files.model])
  const sheet = page.getByRole('dialog')
  await expect(sheet).toContainText('1 thing found')
  await expect(sheet.getByRole('row', { name: /lenet/ })).toContainText('✓ ready')
  await picture(page, 'import-model')
  await sheet.getByLabel('Name', { exact: true }).fill('<b>Mine</b>')
  await sheet.getByRole('button', { name: 'Add 1' }).click()
  await expect(sheet).toContainText('1 added')
  await sheet.getByRole('button', { name: 'Open the project' }).click()
  // A name is text, whatever it looks like.
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('<b>Mine</b>')
  await expect(page.getByRole('row', { name: /lenet/ })).toContainText('431,080')
  expect(problems).toEqual([])
})

test('of a dropped folder everything is listed, and what is good can be taken', async ({ page }) => {
  await page.goto(studio.address)
  await page.getByRole('link', { name: '<b>Mine</b>' }).first().click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('<b>Mine</b>')
  await drop(page, [files.mixed])
  const sheet = page.getByRole('dialog')
  await expect(sheet.getByRole('row', { name: /shades/ })).toContainText('✓ ready')
  await expect(sheet.getByRole('row', { name: /broken/ })).toContainText('✕')
  await expect(sheet.getByRole('row', { name: /broken/ }).getByRole('checkbox')).toBeDisabled()
  await expect(sheet).toContainText('notes.txt')
  await picture(page, 'import-mixed')
  await expect(sheet.getByRole('row', { name: /quick/ })).toContainText('✓ ready')
  await sheet.getByRole('button', { name: 'Add 2' }).click()
  await sheet.getByRole('button', { name: 'Open the project' }).click()
  await expect(page.getByRole('row', { name: /shades/ })).toBeVisible()
  await picture(page, 'project')
})

test('a run on the dropped model goes from its form to its end', async ({ page }) => {
  test.setTimeout(120_000)
  await page.goto(studio.address)
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByLabel('Mode').selectOption('expert')
  await page.getByRole('link', { name: '<b>Mine</b>' }).first().click()
  await page.getByRole('button', { name: 'New run' }).click()
  const form = page.getByRole('dialog')
  const choose = async (field: string, option: RegExp) => {
    const list = form.getByRole('combobox', { name: field })
    await list.selectOption(await list.locator('option').filter({ hasText: option }).first().getAttribute('value'))
  }
  await choose('Data set', /^\s*MNIST/)
  await choose('Recipe', /A quick training/)
  await choose('Computes on', /The fastest here/)
  await form.getByLabel('Name (optional)').fill('A quick one')
  await form.getByLabel(/Use only so many/).fill('1280')
  await form.getByLabel('Seed').focus()
  await expect(form.getByText('Nothing speaks against it')).toBeVisible({ timeout: 30_000 })
  await picture(page, 'new-run')
  await form.getByRole('button', { name: 'Start run' }).click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('A quick one')
  await expect(page.locator('h1 ~ .chip').first()).toHaveText(/Succeeded/, { timeout: 100_000 })
  await expect(page.getByText(/accuracy, 10,000 test samples/)).toBeVisible()
  await expect(page.getByText('1 run going')).toBeHidden()
  await picture(page, 'run-succeeded')
  await page.getByRole('tab', { name: 'Config' }).click()
  await expect(page.getByText(/^Chosen (automatically|by the run)/)).toBeVisible()
  await page.getByRole('link', { name: '<b>Mine</b>' }).first().click()
  await expect(page.getByRole('row', { name: /made by/ })).toBeVisible()
})

test('a rename is undone and done again', async ({ page }) => {
  await page.goto(studio.address)
  await page.getByRole('link', { name: '<b>Mine</b>' }).first().click()
  await page.getByRole('button', { name: 'Rename the project' }).click()
  await page.getByRole('dialog').getByLabel('Name').fill('Shades')
  await page.keyboard.press('Enter')
  const title = page.getByRole('heading', { level: 1 })
  await expect(title).toHaveText('Shades')
  await page.keyboard.press('Control+z')
  await expect(title).toHaveText('<b>Mine</b>')
  await page.keyboard.press('Control+Shift+z')
  await expect(title).toHaveText('Shades')
})

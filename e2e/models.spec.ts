import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join } from 'node:path'
import type { Page } from '@playwright/test'
import { unzipSync } from 'fflate'
import { looks, setLook, violations } from './axe.ts'
import { trainAndPrune } from './cli.ts'
import { expect, goTo, picture, startStudio, type Studio, test, watchConsole } from './studio.ts'

/** Versions of a model, and exports that were proven to work. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => trainAndPrune(studio.home, { net: 'lenet-5@0.3', samples: 2000, epochs: 1, ratio: 0.3 }))
})
test.afterAll(async () => {
  await studio.stop()
})

test('models stand below what they were made from', async ({ page }) => {
  const problems = watchConsole(page)
  await goTo(page, studio, 'models')
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
  await goTo(page, studio, 'models')
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
    if (process.env['ALAMBIC_LONG'] === '1') await runInBrowser(page, join(folder, dirname(program), '..'))
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

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** The exported page as its reader would open it: onnxruntime-web from npm, the folder served by any web server. */
async function runInBrowser(page: Page, place: string): Promise<void> {
  const installed = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: join(place, 'browser'),
    encoding: 'utf8',
  })
  expect(installed.status, installed.stderr).toBe(0)
  const server = createServer((request, response) => {
    const path = join(place, new URL(request.url ?? '/', 'http://x').pathname)
    response.setHeader('content-type', contentTypes[extname(path)] ?? 'application/octet-stream')
    if (existsSync(path)) response.end(readFileSync(path))
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo
    const own = await page.context().newPage()
    await own.goto(`http://127.0.0.1:${port}/browser/index.html`)
    await expect(own.locator('#said')).toHaveText(/largest difference: [\d.e-]+/, { timeout: 60_000 })
    const worst = Number(/[\d.e-]+$/.exec(await own.locator('#said').innerText())?.[0])
    const { tolerance } = JSON.parse(readFileSync(join(place, 'sample.json'), 'utf8')) as { tolerance: number }
    expect(worst).toBeLessThanOrEqual(tolerance)
    await own.close()
  } finally {
    server.close()
  }
}

test('an old export goes to the bin, and comes back', async ({ page }) => {
  await goTo(page, studio, 'models')
  const exports = page.getByRole('region', { name: 'Exports' })
  await expect(exports.getByRole('row')).toHaveCount(3)
  await exports.getByRole('button', { name: 'To the bin prune #2, folder' }).click()
  await expect(exports.getByRole('row')).toHaveCount(2)
  await page.keyboard.press('Control+z')
  await expect(exports.getByRole('row')).toHaveCount(3)
})

test('a model is compared with what it was made from by one click', async ({ page }) => {
  await goTo(page, studio, 'models')
  await page.getByRole('button', { name: 'Compare prune #2' }).click()
  const table = page.getByRole('table', { name: 'What is compared' })
  await expect(table.getByRole('row')).toHaveCount(3)
  await expect(table.getByRole('row').nth(1)).toContainText('train #1')
  await expect(table.getByRole('row').nth(1)).toContainText('baseline')
  await expect(table.getByRole('row').nth(2)).toContainText('prune #2')
})

test('a model is renamed, put in the bin, and brought back by undo', async ({ page }) => {
  await goTo(page, studio, 'models')
  await page.getByRole('button', { name: 'Rename prune #2' }).click()
  await page.getByRole('dialog').getByRole('textbox').fill('slim')
  await page.keyboard.press('Enter')
  const versions = page.getByRole('region', { name: 'Versions' })
  await expect(versions).toContainText('slim')
  // A model that others were made from stays.
  await page.getByRole('button', { name: 'To the bin train #1', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'To the bin' }).click()
  await expect(page.getByText('another model or a run was made from this model')).toBeVisible()
  await page.getByRole('button', { name: 'To the bin slim', exact: true }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'To the bin' }).click()
  await expect(versions.getByRole('row')).toHaveCount(2)
  await page.keyboard.press('Control+z')
  await expect(versions.getByRole('row')).toHaveCount(3)
})

for (const look of looks) {
  const [theme, language] = look
  test(`no accessibility rule is broken: ${theme}, ${language}`, async ({ page }) => {
    await goTo(page, studio, 'settings')
    await setLook(page, look)
    await page.evaluate(() => (window.location.hash = '#/models'))
    await expect(page.locator('main table')).toHaveCount(2)
    expect(await violations(page)).toEqual([])
    await picture(page, `models-${theme}-${language}`)
    await page.locator('main .actions button').first().click()
    await expect(page.locator('dialog[open] fieldset')).toBeVisible()
    expect(await violations(page)).toEqual([])
    await picture(page, `models-dialog-${theme}-${language}`)
  })
}

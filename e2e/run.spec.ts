import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { expect, picture, startStudio, test, watchConsole, type Studio } from './studio.ts'

/** From the first launch to the end of its run, with everything that can happen to it on the way. */
test.describe.configure({ mode: 'serial' })

let studio: Studio
test.beforeAll(async () => {
  studio = await startStudio('yes')
})
test.afterAll(async () => {
  await studio.stop()
})

const state = (page: Page) => page.locator('h1 ~ .chip').first()
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

/** The steps in the table of the loss, which has every row as long as there are few, and says how many there are. */
async function lossTable(page: Page): Promise<{ readonly rows: number; readonly first: string }> {
  const card = page.getByRole('region', { name: 'Loss' }).first()
  await card.getByRole('button', { name: 'Show as table' }).click()
  const note = await card.getByText(/rows\.$/).innerText()
  const first = await card.locator('tbody th').first().innerText()
  await card.getByRole('button', { name: 'Show as chart' }).click()
  return { rows: Number(/([\d,]+) rows/.exec(note)?.[1]?.replace(',', '')), first }
}

/** Processes that the studio has started, by what they run. */
function workersOf(parent: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const ppid = Number(
          readFileSync(join('/proc', name, 'stat'), 'utf8')
            .split(') ')[1]
            ?.split(' ')[1],
        )
        const command = readFileSync(join('/proc', name, 'cmdline'), 'utf8')
        return ppid === parent && command.includes('worker') ? [Number(name)] : []
      } catch {
        return []
      }
    })
}

test('the first launch opens the sample with its run going and its curves growing', async ({ page }) => {
  const problems = watchConsole(page)
  await page.goto(studio.address)
  await expect(page).toHaveURL(/#\/runs\//)
  expect(page.url()).not.toContain('token')
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Sample')
  await expect(state(page)).toHaveText(/Running/, { timeout: 60_000 })
  await expect(page.getByRole('img', { name: /^Loss: loss: last [\d.]+/ })).toBeVisible({ timeout: 30_000 })
  await expect(page.getByRole('contentinfo')).toContainText('1 run going')
  expect(problems).toEqual([])
  await picture(page, 'run-light-en')
})

test('a reload in the middle keeps the curves from their first step, without a gap', async ({ page }) => {
  await page.goto(studio.address)
  await expect(page.getByRole('img', { name: /^Loss: loss: last/ })).toBeVisible()
  const before = await lossTable(page)
  await page.reload()
  await expect(page.getByRole('img', { name: /^Loss: loss: last/ })).toBeVisible()
  const after = await lossTable(page)
  expect(after.first).toBe('1')
  expect(after.rows).toBeGreaterThanOrEqual(before.rows)
})

test('pause, then resume', async ({ page }) => {
  await page.goto(studio.address)
  await button(page, 'Pause').click()
  await expect(state(page)).toHaveText(/Paused/, { timeout: 30_000 })
  await expect(page.getByText('You paused it.')).toBeVisible()
  await expect(page.getByText(/resuming gives exactly the same result/)).toBeVisible()
  await picture(page, 'run-paused')
  await button(page, 'Resume').click()
  await expect(state(page)).toHaveText(/Running/, { timeout: 30_000 })
})

test('a worker that is killed is resumed, and the curves have no gap', async ({ page }) => {
  test.skip(process.platform !== 'linux', 'processes are looked up in /proc')
  await page.goto(studio.address)
  await expect(state(page)).toHaveText(/Running/)
  const before = await lossTable(page)
  const workers = workersOf(studio.pid)
  expect(workers.length).toBeGreaterThan(0)
  for (const pid of workers) process.kill(pid, 'SIGKILL')
  await expect(page.getByText(/process died|ended unexpectedly/).first()).toBeVisible({ timeout: 30_000 })
  await expect(state(page)).toHaveText(/Running/, { timeout: 60_000 })
  await expect.poll(async () => (await lossTable(page)).rows, { timeout: 60_000 }).toBeGreaterThan(before.rows)
  expect((await lossTable(page)).first).toBe('1')
})

test('without the host a banner says so; when it is back, the window and the run go on by themselves', async ({
  page,
}) => {
  test.setTimeout(120_000)
  await page.goto(studio.address)
  await expect(page.getByRole('img', { name: /^Loss: loss: last/ })).toBeVisible()
  const before = await lossTable(page)
  studio.kill()
  await expect(page.getByRole('alert')).toContainText('The connection to Alambic on this machine is lost')
  await expect(page.getByRole('contentinfo')).toContainText('Not connected')
  // What was read stays in view.
  await expect(page.getByRole('img', { name: /^Loss: loss: last/ })).toBeVisible()
  await picture(page, 'run-offline')
  await studio.restart()
  await expect(page.getByRole('contentinfo')).toContainText('Connected', { timeout: 30_000 })
  await expect(page.getByText('The connection to Alambic')).toBeHidden()
  await expect(state(page)).toHaveText(/Running/, { timeout: 60_000 })
  await expect.poll(async () => (await lossTable(page)).rows, { timeout: 30_000 }).toBeGreaterThanOrEqual(before.rows)
  expect((await lossTable(page)).first).toBe('1')
})

test('stopping keeps the best and measures it', async ({ page }) => {
  await page.goto(studio.address)
  await page
    .getByRole('link', { name: /^Sample/ })
    .first()
    .click()
  await button(page, 'Stop and keep best').click()
  await expect(state(page)).toHaveText(/Stopped, best kept/, { timeout: 60_000 })
  await expect(page.getByText(/accuracy, 10,000 test samples/)).toBeVisible()
  await picture(page, 'run-stopped')
  await page.getByRole('link', { name: 'Compare', exact: true }).last().click()
  const table = page.getByRole('table', { name: 'What is compared' })
  await expect(table.getByRole('row').filter({ hasText: 'baseline' })).toContainText('Sample')
  await picture(page, 'run-compared')
  await page.goBack()
  await expect(state(page)).toHaveText(/Stopped, best kept/)
  await page.getByRole('tab', { name: /Checkpoints/ }).click()
  await expect(page.getByRole('button', { name: 'Branch from here' }).first()).toBeVisible()
  await page.getByRole('tab', { name: 'Samples' }).click()
  await button(page, 'Ask the model').click()
  await expect(page.getByText(/Student right on \d+ of \d+/)).toBeVisible({ timeout: 30_000 })
  await picture(page, 'run-samples')
  await page.getByRole('tab', { name: /Log/ }).click()
  await expect(page.getByRole('log')).toContainText(/\w/)
  await page.getByRole('tab', { name: 'Config' }).click()
  await expect(page.getByRole('region', { name: 'Recipe' })).toContainText('steps:')
})

test('cancelling discards a run, and undo brings it back', async ({ page }) => {
  await page.goto(studio.address)
  await page
    .getByRole('link', { name: /^Sample/ })
    .first()
    .click()
  await button(page, 'Run again').click()
  await expect(state(page)).toHaveText(/Preparing|Running|Queued/)
  const url = page.url()
  await button(page, 'Cancel and discard').click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('no model is kept')
  await dialog.getByRole('button', { name: 'Cancel and discard' }).click()
  await expect(page.getByText(/is in the bin/)).toBeVisible({ timeout: 30_000 })
  await expect(page).toHaveURL(/#\/projects\//)
  await page.keyboard.press('Control+z')
  await expect(page.getByText(/^Undone/)).toBeVisible()
  await page.goto(url)
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Sample')
})

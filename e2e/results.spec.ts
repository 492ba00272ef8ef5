import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { looks, setLook, violations } from './axe.ts'
import { alambic, modelsOf } from './cli.ts'
import { expect, goTo, openStudio, picture, startStudio, type Studio, test, watchConsole } from './studio.ts'

/** The page of a run's results, of a real run that prunes, sparsifies and quantizes. */
test.describe.configure({ mode: 'serial' })

const recipe = `alambic: 1
name: chain
title: A chain
steps:
  - step: prune
    scope: sensitivity
    ratio: 0.3
    recover: bn
    scanSamples: 128
    samples: 128
  - step: sparsify
    sparsity: 0.5
  - step: quantize
    weightBits: 3
    maxDrop: 0.005
    checkSamples: 500
    samples: 64
`

let studio: Studio
let folder = ''
let hash = ''

test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => {
    const common = ['--project', 'digits', '--data', 'mnist', '--threads', '1', '--limit', '2000']
    alambic(studio.home, 'train', 'lenet-5@0.5', ...common, '--epochs', '2', '--lr', '0.003')
    const file = join(studio.home, 'chain.yaml')
    writeFileSync(file, recipe)
    alambic(studio.home, 'compress', modelsOf(studio.home)[0] ?? '', ...common, '--recipe', file)
  })
  const project = join(studio.home, 'projects', 'digits')
  const { id } = JSON.parse(readFileSync(join(project, 'project.json'), 'utf8')) as { id: string }
  const run = readdirSync(join(project, 'runs')).find((name) => name.includes('chain')) ?? ''
  folder = join(project, 'runs', run)
  hash = `#/runs/${id}.${run}/results`
})
test.afterAll(async () => {
  await studio.stop()
})

const step = (page: Page, n: number) => page.getByRole('region', { name: new RegExp(`^(Step|第) ?${n}`) })

async function open(page: Page): Promise<void> {
  await openStudio(page, studio)
  await expect(async () => {
    await page.evaluate((to) => (window.location.hash = to), hash)
    await expect(step(page, 1)).toBeVisible({ timeout: 1000 })
  }).toPass()
}

test('pruning shows what was cut together and why, what each group costs, and what it takes', async ({ page }) => {
  const problems = watchConsole(page)
  await open(page)
  const prune = step(page, 1)
  await expect(prune.getByRole('table', { name: /^Costs before and after/ })).toContainText(/−\d+\.\d %, better/)
  await expect(prune.getByRole('img', { name: /^Latency, predicted and measured: 2 rows/ })).toBeVisible()
  await expect(prune.getByRole('img', { name: /^Output channels of each layer.*: 4 rows/ })).toBeVisible()
  // By keys: a group is chosen, and is so in the bars as well.
  await prune.getByRole('button', { name: 'conv2', exact: true }).focus()
  await page.keyboard.press('Enter')
  const why = prune.getByRole('region', { name: 'Why the channels of “conv2” go together' })
  await expect(why).toContainText('conv2.weight axis 0: output channels of node "conv2" (Conv)')
  await expect(why).toContainText(/ip1\.weight axis 1: input channels of node "ip1" \(Gemm\) \(\d+ for each unit\)/)
  await expect(why).toContainText('node "conv2" (Conv): one bias for each output channel')
  const scan = prune.getByRole('region', { name: /^Sensitivity/ })
  await scan.getByRole('button', { name: 'Show as table' }).click()
  await expect(scan.getByRole('row')).toHaveCount(4)
  await expect(scan.getByRole('row').nth(1)).toContainText(/^conv1[−+\d.]+/)
  await expect(prune.getByRole('region', { name: 'What stays whole, and why' })).toContainText(
    'it is the output "logits"',
  )
  const download = page.waitForEvent('download')
  await prune.getByRole('button', { name: 'CSV of Groups: what was cut together' }).click()
  const csv = readFileSync(await (await download).path(), 'utf8')
  expect(csv).toMatch(/Group,Before,After,Change,Slices that go along\r\nconv1,10,/)
  expect(problems).toEqual([])
})

test('zeros are told for what they are, and integers layer by layer with the search that chose them', async ({
  page,
}) => {
  await open(page)
  await expect(step(page, 2)).toContainText('neither smaller nor faster as it is')
  await expect(step(page, 2)).toContainText(/\d+\.\d % of the weights are zero: [\d,]+ of [\d,]+\./)
  const quantize = step(page, 3)
  const search = quantize.getByRole('region', { name: 'Search for layers that must stay in float' })
  await expect(search.getByRole('img')).toHaveAccessibleName(/sets that were tried/)
  await search.getByRole('button', { name: 'Show as table' }).click()
  await expect(search.getByRole('row').nth(1)).toContainText(/^10\d+\.\d %.*pp … .*pp/)
  const layers = quantize.getByRole('region', { name: 'Layers: bits, range, noise' })
  await expect(layers.getByRole('columnheader')).toContainText(['Layer', 'Operator', 'Weights stored as', 'Bits'])
  const [name = ''] = (await layers.locator('tbody button').allInnerTexts()).slice(-1)
  await layers.getByRole('button', { name, exact: true }).click()
  // The layer that is chosen in the table is the one whose weight is drawn, with its clip.
  await expect(quantize.getByRole('region', { name: `Distribution of “${name}.weight”` })).toBeVisible()
  await quantize.getByLabel('Weight or activation').selectOption({ index: 0 })
  await expect(
    quantize.getByText(/^Codes reach from .* to .* \(dashed\)\. One scale for each of \d+ channels/),
  ).toBeVisible()
  await page.getByRole('button', { name: 'Compare', exact: true }).click()
  await expect(page.getByRole('table', { name: 'What is compared' }).getByRole('row')).toHaveCount(3)
  await page.goBack()
  await page.getByRole('link', { name: 'Inspect this model' }).click()
  await expect(page).toHaveURL(/#\/projects\/.*\/models\//)
})

test('nothing of it breaks an accessibility rule, in both themes and languages', async ({ page }) => {
  test.setTimeout(90_000)
  const broken: string[] = []
  for (const look of looks) {
    await goTo(page, studio, 'settings')
    await setLook(page, look)
    await open(page)
    await step(page, 1).locator('th button').first().click()
    broken.push(...(await violations(page, look.join(' '))))
    await picture(page, `results-${look.join('-')}`)
    if (look[1] === 'zh-CN') {
      await expect(step(page, 1)).toContainText('节点“conv1”(Conv)：每个输出通道一个偏置')
      await expect(step(page, 1)).toContainText('它是输出“logits”')
    }
  }
  expect(broken).toEqual([])
})

test('a run that goes fills the page as it goes', async ({ page }) => {
  test.setTimeout(90_000)
  await goTo(page, studio, 'settings')
  await setLook(page, ['light', 'en'])
  await open(page)
  await page.getByRole('button', { name: 'Run again' }).click()
  await expect(page).not.toHaveURL(new RegExp(hash.replace(/[.#/]/g, '\\$&')))
  await page.getByRole('tab', { name: 'Results' }).click()
  await expect(step(page, 3)).toContainText('This step has not started yet.')
  await picture(page, 'results-waiting')
  await expect(step(page, 1).locator('header .chip', { hasText: 'done' })).toBeVisible({ timeout: 60_000 })
  await expect(step(page, 3).getByRole('region', { name: /^Search for layers/ })).toBeVisible({ timeout: 60_000 })
  await expect(step(page, 3).locator('header .chip', { hasText: 'done' })).toBeVisible({ timeout: 60_000 })
})

test('a report that cannot be read says where, and the others are shown', async ({ page }) => {
  await studio.meanwhile(() => {
    const file = join(folder, 'run.json')
    const record = JSON.parse(readFileSync(file, 'utf8')) as { steps: { report: { rounds: unknown } }[] }
    const [, sparsify] = record.steps
    if (sparsify) sparsify.report.rounds = 'two'
    writeFileSync(file, JSON.stringify(record))
  })
  await open(page)
  await expect(step(page, 2).getByRole('alert')).toContainText('rounds')
  await expect(step(page, 3).getByRole('region', { name: 'Layers: bits, range, noise' })).toBeVisible()
  await picture(page, 'results-broken')
})

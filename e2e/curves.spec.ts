import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { trainBriefly } from './cli.ts'
import { expect, openStudio, picture, startStudio, type Studio, test } from './studio.ts'

/** Curves of a very long run: a million steps of twenty values are drawn at once, and move as they are dragged. */
test.describe.configure({ mode: 'serial' })

const POINTS = 1_000_000
const SERIES = 20

let studio: Studio
test.beforeAll(async () => {
  test.setTimeout(180_000)
  studio = await startStudio('no')
  await studio.meanwhile(() => {
    const { runs, run } = trainBriefly(studio.home, 'long')
    writeMetrics(join(runs, run, 'metrics'))
  })
})
test.afterAll(async () => {
  await studio.stop()
})

/** Falling curves with noise, and one spike each that must never be hidden. */
function writeMetrics(folder: string): void {
  const path = join(folder, '0-train')
  const names = Array.from({ length: SERIES }, (_, i) => `loss${i + 1}`)
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  writeFileSync(`${path}.json`, JSON.stringify({ columns: ['step', ...names] }))
  const rows = new Float64Array(POINTS * (SERIES + 1))
  for (let i = 0; i < POINTS; i++) {
    rows[i * (SERIES + 1)] = i + 1
    for (let k = 1; k <= SERIES; k++) {
      const noise = (((i * 7919 + k * 104_729) % 1009) / 1009 - 0.5) * 0.2
      rows[i * (SERIES + 1) + k] = i === 40_000 * k ? 9 : k / 10 + 2 * Math.exp(-i / 200_000) + noise
    }
  }
  writeFileSync(`${path}.f64`, rows)
}

/** Milliseconds between frames while the view moves once in each. */
const panning = (page: Page): Promise<readonly number[]> =>
  page.evaluate(async () => {
    const canvas = document.querySelector<HTMLElement>('.chart .canvas')
    const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve))
    const press = (key: string) => canvas?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))
    press('+')
    await frame()
    const times: number[] = []
    let last = await frame()
    for (let i = 0; i < 90; i++) {
      press(i % 10 < 5 ? 'ArrowLeft' : 'ArrowRight')
      const now = await frame()
      times.push(now - last)
      last = now
    }
    return times
  })

test('a million steps of twenty values are drawn within 2 s and pan at 30 frames a second', async ({ page }) => {
  test.setTimeout(120_000)
  await openStudio(page, studio)
  await page.evaluate(() => (window.location.hash = '#/runs'))
  const run = await page.locator('main table a').first().getAttribute('href')
  const painted = await page.evaluate(async (hash) => {
    const started = performance.now()
    window.location.hash = hash
    let first: number | undefined
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(resolve))
      const label = document.querySelector('.chart .canvas')?.getAttribute('aria-label') ?? ''
      if (label.includes('last') && document.querySelector('.chart canvas')) first ??= performance.now() - started
      if (/to (1,000,000|1 M)\.$/.test(label)) return { first, whole: performance.now() - started }
    }
  }, run ?? '')
  await picture(page, 'curves-long')
  const times = (await panning(page)).toSorted((a, b) => a - b)
  const median = times[times.length >> 1] ?? Infinity
  const p95 = times[Math.floor(0.95 * times.length)] ?? Infinity
  console.log(
    `${POINTS} points × ${SERIES} series: first curves ${painted.first?.toFixed(0)} ms, all ${painted.whole.toFixed(0)} ms; ` +
      `panning: ${median.toFixed(1)} ms a frame, 95 % within ${p95.toFixed(1)} ms`,
  )
  await picture(page, 'curves-panned')
  // On a busy machine only against freezing; the limits hold for a quiet one.
  const slack = process.env['ALAMBIC_QUIET'] ? 1 : 6
  expect(painted.first).toBeLessThan(2000 * slack)
  expect(median).toBeLessThan((1000 / 30) * slack)
})

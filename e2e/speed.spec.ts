import { gzipSync } from 'node:zlib'
import { FIRST_PAINT, FIRST_SCRIPT } from './limits.ts'
import { expect, startStudio, test, type Studio } from './studio.ts'

/** How soon there is something to see. */
let studio: Studio
test.beforeAll(async () => {
  studio = await startStudio('no')
})
test.afterAll(async () => {
  await studio.stop()
})

const LOADS = 7

test('the first paint comes soon, and after little script', async ({ browser }) => {
  const paints: number[] = []
  let script = 0
  for (let i = 0; i < LOADS; i++) {
    // Nothing is in the cache of a new person.
    const context = await browser.newContext()
    const page = await context.newPage()
    const sizes: Promise<number>[] = []
    page.on('response', (response) => {
      if (response.request().resourceType() === 'script')
        sizes.push(response.body().then((body) => gzipSync(body).length))
    })
    await page.goto(studio.address)
    await page.locator('main > *').first().waitFor()
    paints.push(
      await page.evaluate(
        () =>
          performance.getEntriesByType('paint').find(({ name }) => name === 'first-contentful-paint')?.startTime ??
          Infinity,
      ),
    )
    script = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    await context.close()
  }
  // The first one warms the host.
  const sorted = paints.slice(1).toSorted((a, b) => a - b)
  const [median = Infinity, most = Infinity] = [sorted[sorted.length >> 1], sorted.at(-1)]
  process.stdout.write(
    `first paint: median ${median.toFixed(0)} ms, most ${most.toFixed(0)} ms of ${sorted.length}; ` +
      `first script ${(script / 1000).toFixed(0)} kB (gzip)\n`,
  )
  expect(script).toBeGreaterThan(20_000)
  expect(script).toBeLessThan(FIRST_SCRIPT)
  expect(median).toBeLessThan(FIRST_PAINT)
})

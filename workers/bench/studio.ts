import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { chromiumPath, missing } from '../testing/assets.ts'
import { machine } from './pairs.ts'

const root = join(import.meta.dirname, '../..')
/** End-to-end tests that measure: each prints a line. */
const measuring =
  'the first paint comes soon|10,000 nodes open|sorting, scrolling, filtering and pinning|a million steps'

/**
 * `npm run bench -- studio`: the built studio in real Chromium. How soon it is painted and after how much script, how
 * soon 10,000 nodes are drawn, and within which time interactions are answered there and on a comparison of 1,000 runs, and
 * how a chart of 1,000,000 points in 20 lines moves.
 */
export function benchmarkStudio(): void {
  if (chromiumPath() === undefined) return console.log(missing('chromium'))
  console.log(`${machine()}\n`)
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules/@playwright/test/cli.js'),
      ...['test', '--config', 'e2e/playwright.config.ts', '--grep', measuring, '--project', 'browser'],
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ALAMBIC_QUIET: '1' } },
  )
  if (status !== 0) process.exitCode = 1
}

/**
 * `npm test`: sets up what tests need, then runs every check and every test, and ends with one line of counts. A check
 * that fails does not stop the ones after it, so that one run shows everything. With arguments (`npm test -- workers/
 * graph`, `npm test -- e2e/axe`) only the matching tests run.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tallyVariable } from './reporter.ts'
import type { Tally } from './tally.ts'
import { addTallies, noTally, skippedReport, summaryLine, tallyOfCheck, tallyOfTests } from './tally.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const tallyFile = join(root, 'node_modules', '.cache', 'alambic', 'test-tally.json')

interface Check {
  readonly title: string
  /** A script of node_modules, from the root, and its arguments. */
  readonly run: readonly string[]
  /** What to do when it fails. */
  readonly fix: string
}

const tsc = 'node_modules/typescript/bin/tsc'
/** TypeScript that reads single-file components too. */
const vueTsc = 'node_modules/vue-tsc/bin/vue-tsc.js'

const checks: readonly Check[] = [
  {
    title: 'format',
    run: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'],
    fix: 'npm run format',
  },
  { title: 'lint', run: ['node_modules/eslint/bin/eslint.js', '.'], fix: 'npm run lint -- --fix, or by hand' },
  { title: 'types', run: [tsc, '--build', 'tsconfig.build.json'], fix: 'by hand' },
  { title: 'types of the screens', run: [vueTsc, '--project', 'renderer/tsconfig.json'], fix: 'by hand' },
  { title: 'types of their tests', run: [vueTsc, '--project', 'renderer/tsconfig.test.json'], fix: 'by hand' },
  { title: 'types of the end-to-end tests', run: [tsc, '--project', 'e2e/tsconfig.json'], fix: 'by hand' },
]

/** Colours are for a terminal only: a log that a program reads stays plain. */
const plain = process.stdout.isTTY ? {} : { NO_COLOR: '1' }

/** Runs a script on this Node, its output passed through. Returns whether it ended well. */
const runScript = (args: readonly string[], env: NodeJS.ProcessEnv = {}): boolean => {
  const { status } = spawnSync(process.execPath, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...plain, ...process.env, ...env },
  })
  return status === 0
}

const runCheck = ({ title, run, fix }: Check): Tally => {
  const start = performance.now()
  const ok = runScript(run)
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(ok ? `✓ ${title} (${seconds} s)` : `✗ ${title} failed (${seconds} s). Fix: ${fix}\n`)
  return tallyOfCheck(ok)
}

const readTally = (): Tally | undefined => {
  try {
    return JSON.parse(readFileSync(tallyFile, 'utf8')) as Tally
  } catch {
    return undefined
  }
}

/** The end-to-end tests, on the built studio in a real browser. */
const runEndToEnd = (filters: readonly string[]): Tally => {
  rmSync(tallyFile, { force: true })
  const ok = runScript(
    ['node_modules/@playwright/test/cli.js', 'test', '--config', 'e2e/playwright.config.ts', ...filters],
    {
      [tallyVariable]: tallyFile,
    },
  )
  return tallyOfTests(readTally(), ok)
}

const isEndToEnd = (filter: string): boolean => filter.startsWith('e2e')

const runTests = (filters: readonly string[]): Tally => {
  rmSync(tallyFile, { force: true })
  const reporters = ['--reporter=default', '--reporter=./electron/setup/test/reporter.ts']
  const ok = runScript(['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...filters], {
    [tallyVariable]: tallyFile,
  })
  return tallyOfTests(readTally(), ok)
}

const main = (filters: readonly string[]): void => {
  runScript(['workers/testing/setup/main.ts'])
  const checked = filters.length > 0 ? noTally : checks.map(runCheck).reduce(addTallies, noTally)
  const unit = filters.filter((filter) => !isEndToEnd(filter))
  const endToEnd = filters.filter(isEndToEnd)
  const all = filters.length === 0
  const tests = [
    ...(all || unit.length > 0 ? [runTests(unit)] : []),
    ...(all || endToEnd.length > 0 ? [runEndToEnd(endToEnd)] : []),
  ]
  const total = tests.reduce(addTallies, checked)
  if (total.skipped.length > 0) console.log(`${skippedReport(total.skipped)}\n`)
  console.log(summaryLine(total))
  process.exitCode = total.failed > 0 ? 1 : 0
}

main(process.argv.slice(2))

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { root } from '../install.mjs'
import { tallyVariable } from './reporter.ts'
import type { Tally } from './tally.ts'
import { addTallies, noTally, skippedReport, summaryLine, tallyOfCheck, tallyOfTests } from './tally.ts'

test('the last line counts checks and tests together', () => {
  const tests: Tally = { passed: 7, failed: 0, skipped: [{ name: 'a', reason: 'no Python' }] }
  const total = [tallyOfCheck(true), tallyOfCheck(false), tests].reduce(addTallies, noTally)
  expect(summaryLine(total)).toBe('8 passed, 1 failed, 1 skipped')
})

test('a runner that ends badly without a failed test is a failure', () => {
  expect(tallyOfTests(undefined, false).failed).toBe(1)
  expect(tallyOfTests({ ...noTally, passed: 3 }, false).failed).toBe(1)
  expect(tallyOfTests({ ...noTally, failed: 2 }, false).failed).toBe(2)
  expect(tallyOfTests({ ...noTally, passed: 3 }, true).failed).toBe(0)
})

test('skipped tests are shown by reason', () => {
  const skipped = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, reason: name === 'e' ? 'no GPU' : 'no Python' }))
  expect(skippedReport(skipped)).toMatchInlineSnapshot(`
    "skipped 4: no Python
        a
        b
        c
        … and 1 more
    skipped 1: no GPU
        e"
  `)
})

test('the reporter counts passed, failed, skipped with their reason, and files that do not load', () => {
  const folder = mkdtempSync(join(tmpdir(), 'alambic-tally-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(
    join(folder, 'a.test.mjs'),
    `
    test('passes', () => {})
    test('fails', () => { throw new Error('on purpose') })
    test('skips', (context) => context.skip('no Python'))
    test.skip('skips silently', () => {})
  `,
  )
  writeFileSync(join(folder, 'b.test.mjs'), `import './missing.mjs'`)
  const tallyFile = join(folder, 'tally.json')
  const reporter = join(root, 'electron/setup/test/reporter.ts')
  const args = ['run', '--root', folder, '--globals', `--reporter=${reporter}`]
  const done = spawnSync(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), ...args], {
    env: { ...process.env, [tallyVariable]: tallyFile },
  })
  expect(done.status).toBe(1)
  expect(JSON.parse(readFileSync(tallyFile, 'utf8'))).toEqual({
    passed: 1,
    failed: 2,
    skipped: [
      { name: 'a.test.mjs > skips', reason: 'no Python' },
      { name: 'a.test.mjs > skips silently', reason: expect.stringContaining('no reason given') as string },
    ],
  })
})

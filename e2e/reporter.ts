import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { FullConfig, Reporter, Suite, TestCase } from '@playwright/test/reporter'
import { tallyVariable } from '../electron/setup/test/reporter.ts'
import type { Tally } from '../electron/setup/test/tally.ts'

const nameOf = (test: TestCase): string =>
  test
    .titlePath()
    .filter((part) => part !== '')
    .join(' > ')

const reasonOf = ({ annotations }: TestCase): string =>
  annotations.find(({ type, description }) => type === 'skip' && description !== undefined)?.description ??
  'no reason given'

/** Counts the end-to-end tests for the last line of `npm test`. */
export default class TallyReporter implements Reporter {
  #suite: Suite | undefined
  #outside = 0

  onBegin(_config: FullConfig, suite: Suite): void {
    this.#suite = suite
  }

  /** Something that failed outside every test. */
  onError(): void {
    this.#outside++
  }

  onEnd(): void {
    const file = process.env[tallyVariable]
    if (file === undefined) return
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify(this.#tally()))
  }

  #tally(): Tally {
    const tests = this.#suite?.allTests() ?? []
    const skipped = tests.filter((test) => test.outcome() === 'skipped')
    const failed = tests.filter((test) => test.outcome() === 'unexpected' || test.outcome() === 'flaky')
    return {
      passed: tests.length - skipped.length - failed.length,
      failed: failed.length + this.#outside,
      skipped: skipped.map((test) => ({ name: nameOf(test), reason: reasonOf(test) })),
    }
  }
}

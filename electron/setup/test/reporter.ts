import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SerializedError } from 'vitest'
import type { Reporter, TestCase, TestModule } from 'vitest/node'
import type { Skipped, Tally } from './tally.ts'

/** Where the tally goes; the test command sets it. */
export const tallyVariable = 'ALAMBIC_TEST_TALLY'

const noReason = 'no reason given; tests that take minutes run with ALAMBIC_LONG=1'

const skippedOf = (test: TestCase, file: string): Skipped => {
  const result = test.result()
  const note = result.state === 'skipped' ? result.note : undefined
  return { name: `${file} > ${test.fullName}`, reason: note ?? noReason }
}

/** Counts tests by outcome; a file that could not be loaded and an error outside every test are failures too. */
const tallyOf = (modules: readonly TestModule[], outside: readonly SerializedError[]): Tally => {
  let passed = 0
  let failed = outside.length
  const skipped: Skipped[] = []
  for (const module of modules) {
    failed += module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') passed++
      else if (state === 'failed') failed++
      else skipped.push(skippedOf(test, module.relativeModuleId))
    }
  }
  return { passed, failed, skipped }
}

/** A Vitest reporter that writes the tally beside what the usual reporter prints. */
export default class TallyReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const file = process.env[tallyVariable]
    if (file === undefined) return
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, JSON.stringify(tallyOf(modules, errors)))
  }
}

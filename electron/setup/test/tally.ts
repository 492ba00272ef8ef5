/** A test that did not run, and why. */
export interface Skipped {
  readonly name: string
  readonly reason: string
}

/** What the test runner's reporter hands over, as JSON. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly Skipped[]
}

export const noTally: Tally = { passed: 0, failed: 0, skipped: [] }

export const addTallies = (a: Tally, b: Tally): Tally => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: [...a.skipped, ...b.skipped],
})

/** A check that is not made of tests (lint, types …) counts as one. */
export const tallyOfCheck = (ok: boolean): Tally => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: [] })

/**
 * The tests' tally, made to agree with how their runner ended: a runner that failed without a failed test (a crash, an
 * unhandled error, no report at all) counts as one failure.
 */
export const tallyOfTests = (reported: Tally | undefined, ok: boolean): Tally => {
  const tally = reported ?? noTally
  return ok || tally.failed > 0 ? tally : { ...tally, failed: 1 }
}

/** The last line of a test run. */
export const summaryLine = ({ passed, failed, skipped }: Tally): string =>
  `${passed} passed, ${failed} failed, ${skipped.length} skipped`

/** The skipped tests grouped by reason: every reason in full, three of its tests by name. */
export const skippedReport = (skipped: readonly Skipped[]): string => {
  const groups = Map.groupBy(skipped, ({ reason }) => reason)
  return [...groups]
    .flatMap(([reason, tests]) => [
      `skipped ${tests.length}: ${reason}`,
      ...tests.slice(0, 3).map(({ name }) => `    ${name}`),
      ...(tests.length > 3 ? [`    … and ${tests.length - 3} more`] : []),
    ])
    .join('\n')
}

/** Milliseconds before the next try to connect: from half a second, doubling, at most 15 s. */
export const backoff = (attempt: number): number => Math.min(15_000, 500 * 2 ** Math.min(attempt, 10))

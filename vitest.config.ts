import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['workers/**/*.test.ts', 'electron/**/*.test.ts', 'renderer/**/*.test.ts'],
    // Native addons and `process.execPath` want real processes; two at a time also suits a small machine.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})

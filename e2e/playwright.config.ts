import { join } from 'node:path'
import { defineConfig } from '@playwright/test'
import { assetsFolder, chromiumPath } from '../workers/testing/assets.ts'

const executablePath = chromiumPath()

export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  outputDir: join(assetsFolder, 'e2e'),
  globalSetup: './global-setup.ts',
  reporter: [['list'], ['./reporter.ts']],
  // The runs of the tests compute on all cores: more workers would only make each other wait.
  workers: 1,
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  use: {
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    trace: 'retain-on-failure',
    screenshot: 'only-on-failure',
    launchOptions: {
      ...(executablePath === undefined ? {} : { executablePath }),
      // Root has no sandbox of its own in a container; nothing but this studio is ever opened.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
  projects: [
    { name: 'browser', testIgnore: 'electron.spec.ts' },
    { name: 'electron', testMatch: 'electron.spec.ts' },
  ],
})

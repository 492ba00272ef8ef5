import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { build, type InlineConfig } from 'vite'

/** One bundle of the desktop shell; packages stay outside. */
const bundle = (root: string, entry: string, format: 'es' | 'cjs', file: string): InlineConfig => ({
  root,
  configFile: false,
  logLevel: 'error',
  publicDir: false,
  build: {
    outDir: join(root, 'dist', 'electron'),
    emptyOutDir: false,
    target: 'node24',
    minify: false,
    ssr: true,
    rollupOptions: {
      input: join(root, entry),
      external: ['electron', /^node:/],
      output: { format, entryFileNames: file },
    },
  },
})

/**
 * Writes the shell's two scripts to `dist/electron`. They are bundled because Electron loads a sandboxed preload only
 * as one CommonJS file.
 */
export async function buildDesktop(root: string): Promise<void> {
  await build(bundle(root, 'electron/main.ts', 'es', 'main.js'))
  await build(bundle(root, 'electron/preload.ts', 'cjs', 'preload.cjs'))
}

/** Runs the desktop shell until it is closed; answers its exit code. */
export async function runDesktop(root: string, electron: string, paths: readonly string[]): Promise<number> {
  await buildDesktop(root)
  const child = spawn(electron, [root, ...paths], {
    stdio: 'inherit',
    env: { ...process.env, ALAMBIC_ROOT: root, ALAMBIC_NODE: process.execPath },
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

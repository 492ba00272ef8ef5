import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { electronProgram } from './shell.ts'

/** Where the `electron` package gets its program from, unless a mirror is set. */
const SOURCE = 'https://github.com/electron/electron/releases/'

/** Milliseconds to wait for an answer before the browser is taken instead. */
const PATIENCE = 3000

async function isReachable(): Promise<boolean> {
  try {
    const mirror = process.env['ELECTRON_MIRROR'] ?? process.env['npm_config_electron_mirror']
    await fetch(mirror ?? SOURCE, { method: 'HEAD', signal: AbortSignal.timeout(PATIENCE) })
    return true
  } catch {
    return false
  }
}

/** Fetches Electron's program (about 120 MB, once) where its source can be reached; undefined where it cannot. */
export async function fetchElectron(root: string): Promise<string | undefined> {
  if (process.env['ELECTRON_SKIP_BINARY_DOWNLOAD'] || !(await isReachable())) {
    process.stderr.write('alambic: Electron cannot be fetched here; the studio opens in the browser.\n')
    return undefined
  }
  process.stderr.write('alambic: fetching Electron (about 120 MB, once) …\n')
  // Checked against the checksums that the locked package carries.
  spawnSync(process.execPath, [join(root, 'node_modules', 'electron', 'install.js')], { stdio: ['ignore', 2, 2] })
  return electronProgram(root)
}

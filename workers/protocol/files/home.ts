import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Where everything of a person is kept that no project owns: `$ALAMBIC_HOME`, else the place that the operating system
 * has for a program's data.
 */
export function alambicHome(env: Environment = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env['ALAMBIC_HOME']) return env['ALAMBIC_HOME']
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'alambic')
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'alambic')
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'alambic')
}

/** Where data sets that were added are kept. */
export const datasetHome = (env: Environment = process.env, platform: NodeJS.Platform = process.platform): string =>
  join(alambicHome(env, platform), 'datasets')

/** Where results are kept that can be computed again, `$ALAMBIC_CACHE` before anything else; deleting it is safe. */
export const cacheHome = (env: Environment = process.env, platform: NodeJS.Platform = process.platform): string =>
  env['ALAMBIC_CACHE'] ?? join(alambicHome(env, platform), 'cache')

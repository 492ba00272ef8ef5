import { homedir } from 'node:os'
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Where data sets that were added are kept: `$ALAMBIC_HOME/datasets`, else under the place that the operating system
 * has for a program's data.
 */
export function datasetHome(env: Environment = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env['ALAMBIC_HOME']) return join(env['ALAMBIC_HOME'], 'datasets')
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'alambic', 'datasets')
  if (platform === 'win32')
    return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'alambic', 'datasets')
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'alambic', 'datasets')
}

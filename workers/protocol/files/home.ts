import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { replaceJson } from './durable.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** The place that the operating system has for a program's data. */
function usualHome(env: Environment, platform: NodeJS.Platform): string {
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'alambic')
  if (platform === 'win32') return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'alambic')
  return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'alambic')
}

/** Says in the usual place that another one was chosen. */
const pointer = (usual: string): string => join(usual, 'data-folder.json')

function chosenInstead(usual: string): string | undefined {
  try {
    const { dataFolder } = JSON.parse(readFileSync(pointer(usual), 'utf8')) as { dataFolder?: unknown }
    return typeof dataFolder === 'string' && isAbsolute(dataFolder) ? dataFolder : undefined
  } catch {
    return undefined
  }
}

/**
 * Where everything of a person is kept that no project owns: `$ALAMBIC_HOME`, else what was chosen in the settings, else
 * the place that the operating system has for a program's data.
 */
export function alambicHome(env: Environment = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env['ALAMBIC_HOME']) return env['ALAMBIC_HOME']
  const usual = usualHome(env, platform)
  return chosenInstead(usual) ?? usual
}

/** Chooses another folder, which is made where it is new; it is used from the next start on. */
export async function chooseHome(
  folder: string,
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  const usual = usualHome(env, platform)
  await mkdir(folder, { recursive: true })
  await mkdir(usual, { recursive: true })
  await replaceJson(pointer(usual), { dataFolder: folder })
}

/** Where data sets that were added are kept. */
export const datasetHome = (env: Environment = process.env, platform: NodeJS.Platform = process.platform): string =>
  join(alambicHome(env, platform), 'datasets')

/** Where results are kept that can be computed again, `$ALAMBIC_CACHE` before anything else; deleting it is safe. */
export const cacheHome = (env: Environment = process.env, platform: NodeJS.Platform = process.platform): string =>
  env['ALAMBIC_CACHE'] ?? join(alambicHome(env, platform), 'cache')

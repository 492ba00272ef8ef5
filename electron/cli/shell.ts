import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What there is to show a studio with. */
export interface Surroundings {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  /** Electron's program; undefined when it is not here and could not be fetched. */
  readonly electron: string | undefined
}

export type Shell =
  { readonly kind: 'desktop'; readonly electron: string } | { readonly kind: 'browser' } | { readonly kind: 'terminal' }

/** Whether windows can be shown: always on macOS and Windows, with a display server elsewhere. */
export const hasDisplay = ({ platform, env }: Pick<Surroundings, 'platform' | 'env'>): boolean =>
  platform === 'darwin' || platform === 'win32' || Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'])

/** Electron where it can be had, else a browser, else the terminal. */
export function chooseShell(around: Surroundings): Shell {
  if (!hasDisplay(around)) return { kind: 'terminal' }
  return around.electron === undefined ? { kind: 'browser' } : { kind: 'desktop', electron: around.electron }
}

/** Where the `electron` package has its program, once it was fetched. */
export function electronProgram(root: string): string | undefined {
  const folder = join(root, 'node_modules', 'electron')
  try {
    const program = join(folder, 'dist', readFileSync(join(folder, 'path.txt'), 'utf8').trim())
    return existsSync(program) ? program : undefined
  } catch {
    return undefined
  }
}

/** The command that opens an address in the person's browser. */
export function openCommand(platform: NodeJS.Platform, address: string): readonly [string, ...string[]] {
  if (platform === 'darwin') return ['open', address]
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler', address]
  return ['xdg-open', address]
}

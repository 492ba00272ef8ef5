import { isAbsolute } from 'node:path'
import type { MenuItemConstructorOptions, WebPreferences } from 'electron'

/*
 * Everything about the desktop shell that can be said without a window: what pages may do, what they are served, what
 * the menu holds. main.ts only applies it.
 */

export const SCHEME = 'alambic'
/** Pages have an origin of their own, unlike those of `file:`. */
export const ORIGIN = `${SCHEME}://studio`

/** A page is a guest: no Node, no shared world with the preload, its process in a sandbox. */
export const webPreferences = (preload: string): WebPreferences => ({
  preload,
  sandbox: true,
  contextIsolation: true,
  nodeIntegration: false,
  nodeIntegrationInWorker: false,
  nodeIntegrationInSubFrames: false,
  webSecurity: true,
  allowRunningInsecureContent: false,
  experimentalFeatures: false,
  webviewTag: false,
  navigateOnDragDrop: false,
  spellcheck: false,
})

/** The window only ever shows the studio. */
export const mayNavigate = (address: string): boolean => originOf(address) === ORIGIN

/** Pages of documentation go to the person's own browser; nothing else leaves. */
export const mayOpenOutside = (address: string): boolean => originOf(address)?.startsWith('https://') ?? false

/** Files that a person may drag out of the window. */
const DRAGGED = /\.(onnx|ort|cmpz)$/i

/**
 * The file that a page asks to drag out: a model that is there, asked for by our own page; undefined for anything else,
 * so that no page makes a person carry out a file that is none of the studio's.
 */
export function draggedFile(address: string, path: unknown, isThere: (path: string) => boolean): string | undefined {
  if (!mayNavigate(address) || typeof path !== 'string' || !isAbsolute(path) || !DRAGGED.test(path)) return undefined
  // Electron throws for a file that is not there.
  return isThere(path) ? path : undefined
}

/** `null` for an address that is none; schemes that URL does not know keep their scheme and host. */
function originOf(address: string): string | undefined {
  try {
    const { protocol, host } = new URL(address)
    return `${protocol}//${host}`
  } catch {
    return undefined
  }
}

/** Copying text is all that the studio asks for. */
export const mayHave = (permission: string, address: string): boolean =>
  permission === 'clipboard-sanitized-write' && mayNavigate(address)

export const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The built file that an address of the page stands for; undefined when there is none. */
export function pageFor<File>(address: string, files: ReadonlyMap<string, File>): File | undefined {
  if (!mayNavigate(address)) return undefined
  const { pathname } = new URL(address)
  return files.get(pathname === '/' || pathname === '' ? '/index.html' : pathname)
}

/** Files that the command line or the desktop hands over, without the program's own arguments. */
export const pathsIn = (words: readonly string[]): readonly string[] =>
  words.filter((word) => !word.startsWith('-') && /\.(?:onnx|cmpz|ya?ml)$|project\.json$/i.test(word))

/** A share for the taskbar: −1 takes the bar away. */
export const taskbarShare = ({ running, share }: { readonly running: number; readonly share?: number }): number =>
  running === 0 ? -1 : (share ?? 0)

export interface MenuActions {
  readonly openFile: () => void
  readonly showWindow: () => void
  readonly quit: () => void
}

/** The menu: the system's own entries by their roles, so that they are in the person's language. */
export function menuTemplate(
  platform: NodeJS.Platform,
  actions: MenuActions,
  { open }: { readonly open: string },
): MenuItemConstructorOptions[] {
  const mac = platform === 'darwin'
  return [
    ...(mac ? [{ role: 'appMenu' as const }] : []),
    {
      role: 'fileMenu',
      submenu: [
        { label: open, accelerator: 'CmdOrCtrl+O', click: actions.openFile },
        { type: 'separator' },
        mac ? { role: 'close' } : { role: 'quit', click: actions.quit },
      ],
    },
    { role: 'editMenu' },
    {
      role: 'viewMenu',
      submenu: [
        { role: 'reload' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { type: 'separator' },
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
  ]
}

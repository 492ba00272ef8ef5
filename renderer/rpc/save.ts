import type { Written } from '../../workers/protocol/studio.ts'

/** Lets the browser save a file that the host has made; on the desktop it is where the person wanted it already. */
export function saveWritten({ download, path }: Written): void {
  if (download === undefined) return
  const link = document.createElement('a')
  link.href = download
  link.download = path.split(/[\\/]/).at(-1) ?? ''
  link.click()
}

import type { Written } from '../../workers/protocol/studio.ts'

/** Lets the browser save a file that the host has made; on the desktop it is where the person wanted it already. */
export function saveWritten({ download, path }: Written): void {
  if (download === undefined) return
  offer(download, path.split(/[\\/]/).at(-1) ?? '')
}

/** Lets the browser save what the screen itself has made. */
export function saveBlob(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  offer(address, name)
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

function offer(address: string, name: string): void {
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
}

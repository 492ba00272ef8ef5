import { contextBridge, ipcRenderer, webUtils } from 'electron'
import type { DesktopBridge } from '../workers/protocol/studio.ts'

declare const window: { postMessage(message: string, target: string, ports: readonly unknown[]): void }

/** All that a page gets of the desktop: a port to the host, dialogs, and the paths of files that were dropped on it. */
const bridge: DesktopBridge = {
  shell: 'desktop',
  platform: process.platform,
  connect: () => ipcRenderer.send('alambic:connect'),
  pathOf: (file) => webUtils.getPathForFile(file as Parameters<typeof webUtils.getPathForFile>[0]),
  chooseToOpen: (kind) => ipcRenderer.invoke('alambic:open', kind) as Promise<readonly string[]>,
  chooseToSave: (name) => ipcRenderer.invoke('alambic:save', name) as Promise<string | undefined>,
  reveal: (path) => ipcRenderer.send('alambic:reveal', path),
  drag: (path) => ipcRenderer.send('alambic:drag', path),
}

// A port cannot go through the bridge; it goes to the page as a message of its own window.
ipcRenderer.on('alambic:port', ({ ports }) => window.postMessage('alambic:port', '*', ports))

contextBridge.exposeInMainWorld('alambic', bridge)

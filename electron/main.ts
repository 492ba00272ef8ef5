import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  app,
  BrowserWindow,
  dialog,
  ipcMain,
  Menu,
  MessageChannelMain,
  nativeImage,
  net,
  Notification,
  powerSaveBlocker,
  protocol,
  session,
  shell,
  Tray,
  type MessagePortMain,
} from 'electron'
import { HostProcess } from './desktop/host-process.ts'
import type { FromHost, Status } from './desktop/messages.ts'
import {
  contentPolicy,
  draggedFile,
  mayHave,
  mayNavigate,
  mayOpenOutside,
  menuTemplate,
  ORIGIN,
  pageFor,
  pathsIn,
  SCHEME,
  taskbarShare,
  webPreferences,
} from './desktop/policy.ts'
import { menuWords } from './desktop/words.ts'
import { languageOf } from './host/language.ts'
import { staticFiles } from './web/static.ts'

/*
 * The desktop shell: one window, its menu and tray, and the way between the window and the host. It computes nothing
 * and keeps nothing; `ALAMBIC_ROOT` and `ALAMBIC_NODE` come from the launcher, or from the package's resources.
 */
const root = process.env['ALAMBIC_ROOT'] ?? app.getAppPath()
const nodeFolder = app.isPackaged ? process.resourcesPath : join(root, 'node_modules', '.bin')
const node = process.env['ALAMBIC_NODE'] ?? join(nodeFolder, process.platform === 'win32' ? 'node.exe' : 'node')
const pages = staticFiles(join(root, 'dist', 'renderer'))

let window: BrowserWindow | undefined
let tray: Tray | undefined
let host: HostProcess | undefined
let blocker: number | undefined
let quitting = false
const ports = new Map<number, MessagePortMain>()
const waiting = [...pathsIn(process.argv.slice(1))]

protocol.registerSchemesAsPrivileged([
  { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
])

// ── the host ─────────────────────────────────────────────────────────────────────────────────────────────────────

function heard(message: FromHost): void {
  if (message.kind === 'data') ports.get(message.channel)?.postMessage(message.data)
  else if (message.kind === 'status') show(message.status)
  else if (message.kind === 'notice') {
    if (window?.isFocused()) return
    const notification = new Notification({ title: message.title, body: message.body })
    notification.on('click', openWindow)
    notification.show()
  } else if (message.kind === 'failed') {
    dialog.showErrorBox('Alambic', message.message)
  } else for (const path of waiting.splice(0)) host?.send({ kind: 'open-path', path })
}

/** Taskbar, tray, and a machine that stays awake while something runs. */
function show(status: Status): void {
  window?.setProgressBar(taskbarShare(status))
  tray?.setToolTip(status.title === undefined ? 'Alambic' : `Alambic: ${status.title}`)
  if (status.running > 0) blocker ??= powerSaveBlocker.start('prevent-app-suspension')
  else if (blocker !== undefined) {
    powerSaveBlocker.stop(blocker)
    blocker = undefined
  }
}

/** A port for the window that asks; the window's older one is over. */
function connect(event: Electron.IpcMainEvent): void {
  if (!mayNavigate(event.senderFrame?.url ?? '') || !host) return
  for (const port of ports.values()) port.close()
  const { port1, port2 } = new MessageChannelMain()
  const channel = host.open()
  ports.set(channel, port1)
  port1.on('message', ({ data }) => host?.send({ kind: 'data', channel, data }))
  port1.on('close', () => {
    ports.delete(channel)
    host?.send({ kind: 'close', channel })
  })
  port1.start()
  event.sender.postMessage('alambic:port', null, [port2])
}

// ── the window ───────────────────────────────────────────────────────────────────────────────────────────────────

function openWindow(): void {
  if (window) return window.show()
  window = new BrowserWindow({
    width: 1280,
    height: 840,
    minWidth: 880,
    minHeight: 560,
    show: false,
    icon: join(root, 'resources', 'icon.png'),
    webPreferences: webPreferences(join(root, 'dist', 'electron', 'preload.cjs')),
  })
  window.once('ready-to-show', () => window?.show())
  // Runs go on without a window; the tray brings it back.
  window.on('closed', () => (window = undefined))
  window.webContents.on('will-navigate', (event, address) => {
    if (!mayNavigate(address)) event.preventDefault()
  })
  window.webContents.on('will-attach-webview', (event) => event.preventDefault())
  window.webContents.setWindowOpenHandler(({ url }) => {
    if (mayOpenOutside(url)) void shell.openExternal(url)
    return { action: 'deny' }
  })
  void window.loadURL(`${ORIGIN}/`)
}

function servePages(): void {
  protocol.handle(SCHEME, async (request) => {
    const file = pageFor(request.url, pages)
    if (!file) return new Response('no such file', { status: 404 })
    const response = await net.fetch(pathToFileURL(file.path).href)
    return new Response(response.body, {
      headers: {
        'content-type': file.type,
        'content-security-policy': contentPolicy,
        'x-content-type-options': 'nosniff',
      },
    })
  })
  const { defaultSession } = session
  defaultSession.setPermissionRequestHandler((_contents, permission, answer, { requestingUrl }) =>
    answer(mayHave(permission, requestingUrl)),
  )
  defaultSession.setPermissionCheckHandler((_contents, permission, origin) => mayHave(permission, `${origin}/`))
}

function openPath(path: string): void {
  openWindow()
  if (host) host.send({ kind: 'open-path', path })
  else waiting.push(path)
}

/** Projects and data sets are folders. */
async function choose(kind: unknown): Promise<readonly string[]> {
  const folder = kind === 'folder' || kind === 'project'
  const { filePaths } = await dialog.showOpenDialog({
    properties: folder ? ['openDirectory'] : ['openFile', 'multiSelections'],
    filters: folder ? [] : [{ name: 'ONNX', extensions: ['onnx', 'cmpz'] }],
  })
  return filePaths
}

function answerPages(): void {
  const fromUs = (event: Electron.IpcMainInvokeEvent) => mayNavigate(event.senderFrame?.url ?? '')
  ipcMain.on('alambic:connect', connect)
  ipcMain.handle('alambic:open', (event, kind: unknown) => (fromUs(event) ? choose(kind) : []))
  ipcMain.handle('alambic:save', async (event, name: unknown) => {
    if (!fromUs(event)) return undefined
    const { filePath } = await dialog.showSaveDialog({ defaultPath: typeof name === 'string' ? name : '' })
    return filePath
  })
  ipcMain.on('alambic:reveal', (event, path: unknown) => {
    if (mayNavigate(event.senderFrame?.url ?? '') && typeof path === 'string') shell.showItemInFolder(path)
  })
  ipcMain.on('alambic:drag', (event, path: unknown) => {
    const file = draggedFile(event.senderFrame?.url ?? '', path, existsSync)
    if (file !== undefined) event.sender.startDrag({ file, icon: join(root, 'resources', 'icon.png') })
  })
}

function addMenus(): void {
  const actions = {
    openFile: () => void choose('model').then((paths) => paths.forEach(openPath)),
    showWindow: openWindow,
    quit: () => app.quit(),
  }
  const words = menuWords[languageOf('system', app.getLocale())]
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform, actions, words)))
  tray = new Tray(nativeImage.createFromPath(join(root, 'resources', 'icon.png')).resize({ width: 22, height: 22 }))
  tray.setContextMenu(
    Menu.buildFromTemplate([
      { label: words.show, click: actions.showWindow },
      { type: 'separator' },
      { role: 'quit', click: actions.quit },
    ]),
  )
  tray.on('click', openWindow)
}

// ── the program ──────────────────────────────────────────────────────────────────────────────────────────────────

if (!app.requestSingleInstanceLock()) app.quit()
else {
  app.on('second-instance', (_event, words) => {
    openWindow()
    pathsIn(words.slice(1)).forEach(openPath)
  })
  app.on('open-file', (event, path) => {
    event.preventDefault()
    if (app.isReady()) openPath(path)
    else waiting.push(path)
  })
  app.on('activate', openWindow)
  // Without a window the program stays in the tray: runs go on.
  app.on('window-all-closed', () => undefined)
  app.on('before-quit', (event) => {
    if (quitting || !host) return
    event.preventDefault()
    quitting = true
    void host.quit().finally(() => app.quit())
  })
  void app.whenReady().then(() => {
    servePages()
    answerPages()
    host = new HostProcess({ node, entry: join(root, 'electron', 'desktop', 'host.ts') }, heard)
    addMenus()
    openWindow()
  })
}

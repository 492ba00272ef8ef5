import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createBirpc } from 'birpc'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { packErrors, unpackErrors, type StudioApi, type StudioEvent } from '../../workers/protocol/studio.ts'
import { buildDesktop } from '../cli/desktop.ts'
import { languageOf } from '../host/language.ts'
import { processStamp } from '../host/processes.ts'
import { HostProcess } from './host-process.ts'
import type { FromHost } from './messages.ts'
import {
  contentPolicy,
  draggedFile,
  mayHave,
  mayNavigate,
  mayOpenOutside,
  menuTemplate,
  pageFor,
  pathsIn,
  taskbarShare,
  webPreferences,
} from './policy.ts'
import { menuWords, noticeText } from './words.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

describe('what a page of the desktop shell may do', () => {
  test('it has no Node and no world in common with the preload', () => {
    expect(webPreferences('p')).toMatchObject({
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      webviewTag: false,
    })
  })

  test.each([
    ['alambic://studio/', true],
    ['alambic://studio/#/runs/a.b', true],
    ['alambic://other/', false],
    ['alambic://studio.evil/', false],
    ['https://studio/', false],
    ['file:///etc/passwd', false],
    ['javascript:alert(1)', false],
    ['data:text/html,x', false],
    ['', false],
    ['alambic:studio', false],
  ])('navigates to %s: %s', (address, allowed) => expect(mayNavigate(address)).toBe(allowed))

  test.each([
    ['https://onnx.ai/', true],
    ['http://onnx.ai/', false],
    ['file:///etc/passwd', false],
    ['smb://server/share', false],
    ['alambic://studio/', false],
    ['javascript:alert(1)', false],
    ['not an address', false],
  ])('opens %s in the browser: %s', (address, allowed) => expect(mayOpenOutside(address)).toBe(allowed))

  test('no permission but copying, and that only for its own pages', () => {
    expect(mayHave('clipboard-sanitized-write', 'alambic://studio/')).toBe(true)
    expect(mayHave('clipboard-sanitized-write', 'https://evil.example/')).toBe(false)
    for (const name of ['media', 'geolocation', 'notifications', 'openExternal', 'fileSystem', 'clipboard-read']) {
      expect(mayHave(name, 'alambic://studio/')).toBe(false)
    }
  })

  test('a model is dragged out as a file, and nothing else', () => {
    const there = new Set(['/home/me/models/net.onnx', '/home/me/.ssh/id_ed25519'])
    const dragged = (path: unknown, address = 'alambic://studio/') =>
      draggedFile(address, path, (one) => there.has(one))
    expect(dragged('/home/me/models/net.onnx')).toBe('/home/me/models/net.onnx')
    expect(dragged('/home/me/models/net.onnx', 'https://evil.example/')).toBeUndefined()
    expect(dragged('/home/me/models/gone.onnx')).toBeUndefined()
    expect(dragged('/home/me/.ssh/id_ed25519')).toBeUndefined()
    expect(dragged('models/net.onnx')).toBeUndefined()
    expect(dragged({ path: '/home/me/models/net.onnx' })).toBeUndefined()
  })

  test('no inline script, nothing from elsewhere', () => {
    expect(contentPolicy).toContain("script-src 'self';")
    expect(contentPolicy).not.toMatch(/script-src[^;]*unsafe|https?:|\*/)
  })

  test('is served what was built and nothing beside it', () => {
    const files = new Map([
      ['/index.html', 'page'],
      ['/assets/a.js', 'script'],
    ])
    expect(pageFor('alambic://studio/', files)).toBe('page')
    expect(pageFor('alambic://studio/assets/a.js?x#y', files)).toBe('script')
    for (const path of ['../package.json', '%2e%2e/package.json', 'assets/..%2f..%2fpackage.json', '//etc/passwd']) {
      expect(pageFor(`alambic://studio/${path}`, files)).toBeUndefined()
    }
    expect(pageFor('alambic://other/index.html', files)).toBeUndefined()
  })
})

test('finds the files among the words that the desktop hands over', () => {
  const words = ['.', '--flag', '--x=a.onnx', '/a/b.onnx', 'recipe.yaml', '/p/project.json', 'c.cmpz', 'other.txt']
  expect(pathsIn(words)).toEqual(['/a/b.onnx', 'recipe.yaml', '/p/project.json', 'c.cmpz'])
})

test('the taskbar shows a share while something runs', () => {
  expect(taskbarShare({ running: 0, share: 0.5 })).toBe(-1)
  expect(taskbarShare({ running: 1 })).toBe(0)
  expect(taskbarShare({ running: 2, share: 0.25 })).toBe(0.25)
})

test.each(['darwin', 'linux', 'win32'] as const)('the menu of %s has open, undo and quit', (platform) => {
  const actions = { openFile: vi.fn(), showWindow: vi.fn(), quit: vi.fn() }
  const menu = menuTemplate(platform, actions, menuWords['zh-CN'])
  const file = menu.find(({ role }) => role === 'fileMenu')?.submenu
  const entries = Array.isArray(file) ? file : []
  const open = entries.find(({ accelerator }) => accelerator === 'CmdOrCtrl+O')
  expect(open?.label).toBe('打开…')
  open?.click?.(undefined as never, undefined, undefined as never)
  expect(actions.openFile).toHaveBeenCalledOnce()
  expect(menu.some(({ role }) => role === 'editMenu')).toBe(true)
  expect(menu[0]?.role).toBe(platform === 'darwin' ? 'appMenu' : 'fileMenu')
})

test('notifications are told in the language of the person, and an opened file is none', () => {
  expect(languageOf('system', 'zh-Hans-CN')).toBe('zh-CN')
  expect(languageOf('en', 'zh-CN')).toBe('en')
  const notice = { code: 'run-failed', level: 'error', message: 'lenet failed: …' } as const
  expect(noticeText(notice, 'en')).toBe('The run has failed.')
  expect(noticeText(notice, 'zh-CN')).toBe('运行失败。')
  expect(noticeText({ ...notice, code: 'open-path' }, 'en')).toBeUndefined()
})

test('the package turns off what Electron can do beside showing windows', () => {
  const config = parse(readFileSync(join(root, 'electron-builder.yml'), 'utf8')) as {
    electronFuses: Record<string, boolean>
    fileAssociations: { ext: string }[]
  }
  expect(config.electronFuses).toMatchObject({
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    grantFileProtocolExtraPrivileges: false,
  })
  expect(config.fileAssociations.map(({ ext }) => ext)).toContain('onnx')
})

test('the shell bundles into two scripts that need nothing but Electron and Node', async () => {
  await buildDesktop(root)
  const main = readFileSync(join(root, 'dist', 'electron', 'main.js'), 'utf8')
  const preload = readFileSync(join(root, 'dist', 'electron', 'preload.cjs'), 'utf8')
  const imported = [...main.matchAll(/^import .*? from ["'](.*?)["']/gms)].map(([, name]) => name)
  expect(imported.filter((name) => name !== 'electron' && !name?.startsWith('node:'))).toEqual([])
  expect([...preload.matchAll(/require\(["'](.*?)["']\)/g)].map(([, name]) => name)).toEqual(['electron'])
})

describe('the host behind the shell', () => {
  const home = mkdtempSync(join(tmpdir(), 'alambic-desktop-'))
  const heard: FromHost[] = []
  let host: HostProcess

  beforeAll(async () => {
    vi.stubEnv('ALAMBIC_HOME', home)
    vi.stubEnv('ALAMBIC_NO_SAMPLE', '1')
    const entry = fileURLToPath(new URL('./host.ts', import.meta.url))
    host = new HostProcess({ node: process.execPath, entry }, (message) => heard.push(message))
    await vi.waitFor(() => expect(heard).toContainEqual({ kind: 'ready' }), { timeout: 20_000 })
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    rmSync(home, { recursive: true, force: true })
  })

  /** A window's side of a channel. */
  function window(changes: (events: readonly StudioEvent[]) => void = () => undefined) {
    const channel = host.open()
    let receive: (data: unknown) => void = () => undefined
    let read = 0
    const timer = setInterval(() => {
      for (; read < heard.length; read++) {
        const message = heard[read]
        if (message?.kind === 'data' && message.channel === channel) receive(message.data)
      }
    }, 5)
    const api = createBirpc<StudioApi>(
      { changes },
      {
        post: (data) => host.send({ kind: 'data', channel, data: packErrors(data) }),
        on: (listener) => (receive = (data) => void listener(unpackErrors(data))),
        timeout: -1,
      },
    ) as unknown as StudioApi
    return {
      api,
      close: () => {
        clearInterval(timer)
        host.send({ kind: 'close', channel })
      },
    }
  }

  test('answers each window over its own channel, with errors as they are', async () => {
    const [first, second] = [window(), window()]
    expect(await first.api.hello({})).toMatchObject({ shell: 'desktop', dataFolder: home })
    expect(await second.api.projects({})).toEqual([])
    await expect(second.api.runDetail({ run: 'a.b' })).rejects.toMatchObject({ code: 'run.unknown' })
    // The desktop may name any path: the person chose it in a dialog or dropped it.
    await expect(first.api.openProject({ path: tmpdir() })).rejects.toMatchObject({ code: 'project.missing' })
    first.close()
    second.close()
  })

  test('hands a file that was opened on to the windows', async () => {
    const events: StudioEvent[] = []
    const { api, close } = window((some) => events.push(...some))
    await api.subscribe({ after: 0 })
    host.send({ kind: 'open-path', path: '/a/model.onnx' })
    await vi.waitFor(() =>
      expect(events.find(({ kind }) => kind === 'notice')).toMatchObject({ notice: { path: '/a/model.onnx' } }),
    )
    close()
  })

  test('ends when it is asked to', async () => {
    const { pid = 0 } = host
    expect(processStamp(pid)).toBeDefined()
    await host.quit()
    expect(processStamp(pid)).toBeUndefined()
  })
})

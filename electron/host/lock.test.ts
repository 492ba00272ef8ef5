import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ProjectLock } from './lock.ts'

let folder = ''
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'alambic-lock-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const lockFile = new URL('./lock.ts', import.meta.url).href

/** A process that takes the lock, says so, and waits. */
async function holder(): Promise<ChildProcess> {
  const script = `const { ProjectLock } = await import(${JSON.stringify(lockFile)})
    console.log(Object.keys(ProjectLock.take(${JSON.stringify(folder)}, 'browser'))[0])
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('the second one hears who holds the project', async () => {
  const child = await holder()
  const taken = ProjectLock.take(folder, 'command line')
  expect(taken).toMatchObject({ holder: { pid: child.pid, shell: 'browser' } })
  child.kill('SIGKILL')
  await once(child, 'exit')
})

test('a crash of the holder frees it, and nothing is left behind', async () => {
  const child = await holder()
  child.kill('SIGKILL')
  await once(child, 'exit')
  const taken = ProjectLock.take(folder, 'desktop')
  if (!('lock' in taken)) throw new Error('the lock was not taken')
  expect(readdirSync(folder)).toEqual(['.lock'])
  taken.lock.release()
  expect(readdirSync(folder)).toEqual([])
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { processStamp } from '../../electron/host/processes.ts'

const watchdog = new URL('./watchdog.ts', import.meta.url).href

/** A process that cannot do anything: its main thread waits for what never comes. */
const stuck = `
  const { Worker } = await import('node:worker_threads')
  new Worker(new URL(${JSON.stringify(watchdog)}), { execArgv: [] }).unref()
  await new Promise((resolve) => setTimeout(resolve, 500))
  console.log(process.pid)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)`

const host = `
  const { spawn } = await import('node:child_process')
  spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(stuck)}], { stdio: 'inherit' })
  setInterval(() => {}, 1000)`

/** False also for one that has ended and whose end nobody has asked for yet. */
const isThere = (pid: number): boolean => processStamp(pid) !== undefined

test('a worker that is stuck ends within 10 s of its host, and not before', async (context) => {
  if (process.platform === 'win32') context.skip('a process of Windows keeps the number of a parent that is gone')
  const parent = spawn(process.execPath, ['--input-type=module', '-e', host], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(parent.stdout), 'line')) as [string]
  const pid = Number(line)
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(isThere(pid)).toBe(true)
  parent.kill('SIGKILL')
  const killed = performance.now()
  while (isThere(pid) && performance.now() - killed < 15_000) await new Promise((resolve) => setTimeout(resolve, 50))
  const took = performance.now() - killed
  expect(took).toBeLessThan(10_000)
  expect(took).toBeGreaterThan(5000)
})

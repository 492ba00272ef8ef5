import { fork } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { engines, unavailable } from '../executors/engines.ts'
import { DeviceId } from '../protocol/devices.ts'
import { replaceJson } from '../protocol/files/durable.ts'
import { alambicHome } from '../protocol/files/home.ts'
import type { Outcome, Report } from '../protocol/worker.ts'
import type { StepShape } from '../recipes/labelled-step.ts'

/** How long a device may take to answer at all, and to be measured, in milliseconds. */
const LOOK = 20_000
const TEST = 90_000

/** A run's own training step, and for how many milliseconds it is taken. */
export interface StepTest {
  readonly model: string
  readonly seed: number
  readonly shape: StepShape
  readonly budget: number
}

/** Asks a device in a process of its own. What crashes or hangs there is an answer too. */
export function probe(device: DeviceId, task: 'look' | 'test'): Promise<Outcome>
export function probe(device: DeviceId, task: 'step', detail: StepTest): Promise<Outcome>
export function probe(device: DeviceId, task: 'look' | 'test' | 'step', detail?: StepTest): Promise<Outcome> {
  const words = detail === undefined ? [] : [JSON.stringify(detail)]
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, 'probe.ts'), [device, task, ...words], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    const failed = (found: string) => {
      const fix = 'Update the driver of the graphics card, or use another device.'
      resolve({ ok: false, error: { code: 'device.crashed', message: `"${device}" ended its process`, found, fix } })
    }
    const limit = task === 'look' ? LOOK : TEST
    const timer = setTimeout(() => {
      failed(`no answer within ${limit / 1000} s`)
      child.kill('SIGKILL')
    }, limit)
    child.once('message', (outcome: Outcome) => resolve(outcome))
    child.once('error', (error) => failed(error.message))
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      failed(signal === null ? `exit code ${code}` : `a crash (${signal})`)
    })
  })
}

/** What was measured on this machine, by device. */
interface Measured {
  /** Of which machine: another processor or runtime makes it void. */
  readonly machine: string
  readonly tests: Readonly<Partial<Record<DeviceId, Report & { readonly time: string }>>>
}

const file = (): string => join(alambicHome(), 'devices.json')
export const machine = (): string =>
  `${process.platform} ${process.arch}, ${cpus()[0]?.model ?? 'unknown'} × ${cpus().length}`

/** The self-tests that were made on this machine; none where it has changed since. */
export async function remembered(): Promise<Measured['tests']> {
  try {
    const found = JSON.parse(await readFile(file(), 'utf8')) as Measured
    return found.machine === machine() ? found.tests : {}
  } catch {
    return {}
  }
}

/** Measures a device and remembers what came out. */
export async function measure(device: DeviceId): Promise<Outcome> {
  const outcome = await probe(device, 'test')
  if (outcome.ok) await remember(device, outcome.report)
  return outcome
}

/** Keeps the self-test of a device for this machine. */
export async function remember(device: DeviceId, report: Report): Promise<void> {
  const tests = { ...(await remembered()), [device]: { ...report, time: new Date().toISOString() } }
  await mkdir(alambicHome(), { recursive: true })
  await replaceJson(file(), { machine: machine(), tests } satisfies Measured)
}

/**
 * The device that trains fastest here, of those whose results are right: by the self-tests that are remembered, and
 * those that are missing are made now.
 */
export async function fastest(): Promise<DeviceId> {
  const speeds = await rightOnes()
  return speeds.toSorted((a, b) => b.speed - a.speed)[0]?.device ?? 'cpu'
}

/** The devices whose self-test gave right results, with the samples per second that it took. */
export async function rightOnes(): Promise<readonly { readonly device: DeviceId; readonly speed: number }[]> {
  const known = await remembered()
  const found: { device: DeviceId; speed: number }[] = []
  for (const device of DeviceId.options) {
    if (!engines[device] || unavailable(device)) continue
    const report = known[device] ?? (await measuredNow(device))
    if (report?.['ok'] === true) found.push({ device, speed: Number(report['samplesPerSecond']) })
  }
  return found
}

async function measuredNow(device: DeviceId): Promise<Report | undefined> {
  const looked = await probe(device, 'look')
  const outcome = looked.ok ? await measure(device) : looked
  return outcome.ok ? outcome.report : undefined
}

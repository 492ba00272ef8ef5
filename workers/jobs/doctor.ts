import { arch, availableParallelism, cpus, freemem, platform, totalmem } from 'node:os'
import { statfs } from 'node:fs/promises'
import { engines, unavailable } from '../executors/engines.ts'
import { DeviceId, deviceTitles } from '../protocol/devices.ts'
import type { Report } from '../protocol/worker.ts'
import { cpuFlags, int8Ability } from '../measure/cpu.ts'
import { measuredSteps } from './choose.ts'
import { probe, remembered } from './remembered.ts'

/** What this machine can do, and whether its engines really compute here: each is asked in a process of its own. */
export async function doctor(): Promise<Report> {
  const flags = await cpuFlags()
  const int8 = int8Ability(flags)
  const disk = await statfs(process.cwd()).catch(() => undefined)
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    cpuFlags: flags,
    int8: `${int8.verdict}: ${int8.reason}`,
    memory: { total: totalmem(), free: freemem() },
    disk: disk ? { free: disk.bavail * disk.bsize } : undefined,
    engines: await engineReports(),
    // What `auto` chose by, of the steps that were trained here.
    steps: await measuredSteps(),
  }
}

/** Every engine, one after the other: they share the machine. */
export async function engineReports(): Promise<readonly Report[]> {
  const tests = await remembered()
  const reports: Report[] = []
  for (const device of DeviceId.options) reports.push(await engineReport(device, tests))
  return reports
}

/** What is known of a device: whether it computes here, or why not; and how fast it was when it was measured. */
async function engineReport(device: DeviceId, tests: Awaited<ReturnType<typeof remembered>>): Promise<Report> {
  const base = { device, title: deviceTitles[device] }
  const missing = unavailable(device)
  if (missing) return { ...base, available: false, ...missing }
  if (!engines[device]) return { ...base, available: false, code: 'device.not-written', reason: notWritten }
  const outcome = await probe(device, 'look')
  if (!outcome.ok) {
    const { code, message, found, fix } = outcome.error
    return { ...base, available: false, code, reason: found === undefined ? message : `${message}: ${found}`, fix }
  }
  const { [device]: test } = tests
  return { ...base, available: true, ...outcome.report, ...(test ? { selfTest: test } : {}) }
}

const notWritten = 'Alambic does not compute on it yet'

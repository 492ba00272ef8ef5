import { cpus, freemem, totalmem } from 'node:os'
import { readFileSync } from 'node:fs'
import type { DeviceId } from '../../workers/protocol/devices.ts'
import type { Device, SelfTest, SystemStatus } from '../../workers/protocol/studio.ts'
import type { Report } from '../../workers/protocol/worker.ts'
import { diskSpace } from './disk.ts'
import { defined } from './defined.ts'

/** How busy the machine is; shares are since the last call. */
export class SystemMonitor {
  readonly #folder: string
  #last = cpuTimes()
  #cpu = 0

  constructor(folder: string) {
    this.#folder = folder
  }

  /** `workers` are the processes whose memory counts as ours. */
  async status(floor: number, workers: readonly number[] = []): Promise<SystemStatus> {
    const now = cpuTimes()
    const total = now.total - this.#last.total
    // Asked twice within one tick of the clock, the last answer holds.
    if (total > 0) this.#cpu = (now.busy - this.#last.busy) / total
    if (total > 0) this.#last = now
    const disk = await diskSpace(this.#folder)
    return {
      cpu: Math.min(1, Math.max(0, this.#cpu)),
      cores: cpus().length,
      memory: {
        total: totalmem(),
        free: availableMemory(),
        own: workers.reduce((sum, pid) => sum + residentBytes(pid), process.memoryUsage.rss()),
      },
      disk: { path: this.#folder, ...disk, low: disk.free < floor },
    }
  }
}

function cpuTimes(): { busy: number; total: number } {
  const all = cpus().map(({ times }) => times)
  const idle = all.reduce((sum, { idle }) => sum + idle, 0)
  const total = all.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0)
  return { busy: total - idle, total }
}

/** Memory that a process holds; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return 0
  }
}

/** What programs can still get: Linux counts its file cache as used, and gives it back when asked. */
function availableMemory(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024
  } catch {
    return freemem()
  }
}

interface Engine {
  readonly device: DeviceId
  readonly title: string
  readonly runtime?: string
  readonly available: boolean
  readonly code?: string
  readonly reason?: string
  readonly fix?: string
  readonly memory?: number
  readonly facts?: Readonly<Record<string, string>>
  readonly selfTest?: SelfTest
}

/** Engines as the worker's `doctor` reports them, the processor with what is known of it. */
export function devicesOf(report: Report): readonly Device[] {
  const { cpu, cores, cpuFlags, int8, memory, engines } = report as {
    cpu?: string
    cores?: number
    cpuFlags?: readonly string[]
    int8?: string
    memory?: { total: number }
    engines?: readonly Engine[]
  }
  const processor = { cores: String(cores ?? ''), instructions: (cpuFlags ?? []).join(' '), int8: int8 ?? 'unknown' }
  return (engines ?? []).map(({ device, title, runtime, available, code, reason, fix, selfTest, ...more }) =>
    defined({
      device,
      title: device === 'cpu' ? `${cpu ?? 'CPU'} (${title})` : title,
      kind: device === 'cpu' ? ('cpu' as const) : ('gpu' as const),
      available,
      code: available ? undefined : (code ?? 'device.no-engine'),
      reason: available ? undefined : (reason ?? 'The engine could not be started here.'),
      fix: available ? undefined : fix,
      version: runtime,
      memory: device === 'cpu' ? memory?.total : more.memory,
      facts: device === 'cpu' ? processor : (more.facts ?? {}),
      selfTest,
    }),
  )
}

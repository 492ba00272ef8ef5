import { readFileSync, writeFileSync } from 'node:fs'

/**
 * How many bytes of resident memory a piece of work took at its peak, beyond what the process had before. Where the
 * system can't start the count anew (all but Linux) an earlier peak of the process hides a smaller later one.
 */
export async function withPeakMemory<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly bytes: number }> {
  startAnew()
  const before = process.memoryUsage.rss()
  const value = await work()
  return { value, bytes: Math.max(0, peak() - before) }
}

/** Linux: 5 resets the peak resident size (proc_pid_clear_refs(5)). */
function startAnew(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
  } catch {
    // Not Linux, or not permitted: the peak of the whole process is what can be had.
  }
}

function peak(): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (kilobytes !== undefined) return Number(kilobytes) * 1024
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}

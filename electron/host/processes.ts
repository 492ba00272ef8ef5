import { readFileSync } from 'node:fs'

/**
 * What tells a process from another one that later got the same number: on Linux its start time in clock ticks since
 * boot (proc(5), /proc/<pid>/stat, field 22), elsewhere nothing. Undefined when there is no such process.
 */
export function processStamp(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold blanks and parentheses itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    if (process.platform === 'linux') return undefined
  }
  try {
    process.kill(pid, 0)
    return ''
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? '' : undefined
  }
}

/** True while the process that had this stamp is there. */
export const isAlive = (pid: number, stamp: string): boolean => processStamp(pid) === stamp

/** Waits until a process is gone; ends it when it is not within the time. */
export async function untilGone(pid: number, stamp: string, milliseconds: number): Promise<void> {
  const deadline = Date.now() + milliseconds
  while (isAlive(pid, stamp)) {
    if (Date.now() > deadline) {
      process.kill(pid, 'SIGKILL')
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

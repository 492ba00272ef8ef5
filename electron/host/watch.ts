import { watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'

/** Milliseconds of quiet before a change is looked at: files are written in several steps. */
const QUIET = 300

/** Hears of changes in some folders, not below them. Where the system cannot watch, changes show at the next start. */
export class FolderWatch {
  readonly #changed: (folder: string) => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(changed: (folder: string) => void) {
    this.#changed = changed
  }

  follow(folder: string): void {
    const path = join(folder)
    if (this.#watchers.has(path)) return
    try {
      const watcher = watch(path, { persistent: false }, () => this.#soon(path))
      watcher.on('error', () => this.#drop(path))
      this.#watchers.set(path, watcher)
    } catch {
      // Not there yet, or too many watches: the folder is read when it is asked for.
    }
  }

  #soon(path: string): void {
    clearTimeout(this.#timers.get(path))
    const timer = setTimeout(() => {
      this.#timers.delete(path)
      this.#changed(path)
    }, QUIET)
    timer.unref()
    this.#timers.set(path, timer)
  }

  #drop(path: string): void {
    clearTimeout(this.#timers.get(path))
    this.#timers.delete(path)
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }

  /** Stops watching a folder and what is below it. */
  leave(folder: string): void {
    const path = join(folder)
    for (const one of [...this.#watchers.keys()]) if (one === path || one.startsWith(join(path, '/'))) this.#drop(one)
  }

  close(): void {
    for (const path of [...this.#watchers.keys()]) this.#drop(path)
  }
}

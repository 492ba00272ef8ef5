import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { FromHost, ToHost } from './messages.ts'

export interface HostPrograms {
  /** Plain Node 24: Electron's own is not used for the host and its workers, so that it can refuse to run as Node. */
  readonly node: string
  /** `electron/desktop/host.ts` */
  readonly entry: string
}

/** The host in a process of its own, as the shell sees it. */
export class HostProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  #channels = 0

  constructor({ node, entry }: HostPrograms, listener: (message: FromHost) => void) {
    this.#child = spawn(node, ['--disable-warning=ExperimentalWarning', entry], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    })
    this.#child.on('message', (message) => listener(message as FromHost))
    this.#ended = once(this.#child, 'exit')
    this.#child.on('error', (error) => listener({ kind: 'failed', message: error.message }))
  }

  send(message: ToHost): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  /** A channel for a window. */
  open(): number {
    const channel = ++this.#channels
    this.send({ kind: 'open', channel })
    return channel
  }

  /** Lets runs save; settles when the host has ended. */
  async quit(): Promise<void> {
    this.send({ kind: 'quit' })
    await this.#ended
  }

  get pid(): number | undefined {
    return this.#child.pid
  }
}

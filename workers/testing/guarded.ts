import { fork, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Question {
  readonly id: number
  /** A model that our own reader accepted, as our own writer writes it. */
  readonly bytes: Uint8Array
}

/** How onnxruntime took a model: it ran, it loaded (inputs too large to make up), or it said no. */
export interface Answer {
  readonly id: number
  readonly kind: 'ran' | 'loaded' | 'refused'
  readonly message?: string
}

/** An answer, or how the child ended instead. */
export type Outcome = Answer['kind'] | 'crashed' | 'too slow' | 'too much memory'

export interface GuardLimits {
  readonly milliseconds: number
  readonly bytes: number
}

/**
 * Loads and runs models in a child process with a watchdog: a model that crashes the runtime, takes too long or too
 * much memory costs the child, never the parent. The next model gets a new child.
 */
export class GuardedRuntime {
  readonly #limits: GuardLimits
  #child: ChildProcess | undefined
  #count = 0

  constructor(limits: GuardLimits = { milliseconds: 5000, bytes: 2 ** 30 }) {
    this.#limits = limits
  }

  /** Starting the child is not part of the time that a model has. */
  async #ready(): Promise<ChildProcess> {
    if (this.#child) return this.#child
    const child = fork(join(import.meta.dirname, 'native-child.ts'), {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning', '--max-old-space-size=512'],
    })
    this.#child = child
    child.once('exit', () => (this.#child = undefined))
    // An unreadable model is the first question: its answer says that the runtime is loaded.
    await ask(child, { id: this.#count++, bytes: new Uint8Array(0) })
    return child
  }

  async run(bytes: Uint8Array): Promise<Outcome> {
    const child = await this.#ready()
    let outcome: Outcome | undefined
    const stop = (why: Outcome) => {
      outcome = why
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => stop('too slow'), this.#limits.milliseconds)
    const watch = setInterval(() => residentBytes(child.pid) > this.#limits.bytes && stop('too much memory'), 50)
    const answer = await ask(child, { id: this.#count++, bytes })
    clearTimeout(timer)
    clearInterval(watch)
    if (!answer) this.#child = undefined
    return answer?.kind ?? outcome ?? 'crashed'
  }

  close(): void {
    this.#child?.kill('SIGKILL')
  }
}

/** The child's answer; undefined when it ended under the question. */
function ask(child: ChildProcess, question: Question): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const settle = (answer: Answer | undefined) => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      resolve(answer)
    }
    const onMessage = (answer: Answer) => answer.id === question.id && settle(answer)
    const onExit = () => settle(undefined)
    child.on('message', onMessage)
    child.once('exit', onExit)
    child.send(question, () => undefined)
  })
}

/** Memory of a process on Linux, where the system says it in a file; 0 elsewhere. */
function residentBytes(pid: number | undefined): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

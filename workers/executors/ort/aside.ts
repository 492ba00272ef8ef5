import { Worker } from 'node:worker_threads'
import { AlambicError, asAlambicError } from '../../protocol/errors.ts'
import type { WireError } from '../../protocol/worker.ts'
import { modelOf, type Graph } from '../../graph/graph.ts'
import { encodeModel } from '../../onnx/index.ts'
import type { AsideProgram, CompileOptions, Tensors } from '../executor.ts'

/** What the thread is asked; answers bear the same number. */
export interface AsideRequest {
  readonly id: number
  readonly feeds: Tensors
}

export type AsideAnswer =
  | { readonly id: number; readonly results: Tensors; readonly milliseconds: number }
  | { readonly id: number; readonly error: WireError }

export interface AsideData {
  readonly model: Uint8Array
  readonly name: string
  readonly options: CompileOptions
}

/** The number that the thread's first message bears: the session is there, or why it is not. */
export const READY = 0

interface Waiting {
  resolve(results: Tensors): void
  reject(error: unknown): void
}

/**
 * A program in a thread of its own. onnxruntime's Node binding runs on the thread that calls it: only so can a frozen
 * teacher work while the student takes its step. Runs are answered in order; results are copies.
 */
export async function compileOrtAside(graph: Graph, options: CompileOptions = {}): Promise<AsideProgram> {
  const { state: _none, ...plain } = options
  void _none
  const data: AsideData = { model: encodeModel(modelOf(graph)), name: graph.name, options: plain }
  const thread = new Worker(new URL('./aside-thread.ts', import.meta.url), { workerData: data })
  const program = new Aside(thread)
  await program.started
  return program
}

class Aside implements AsideProgram {
  milliseconds = 0
  readonly started: Promise<Tensors>
  readonly #thread: Worker
  readonly #waiting = new Map<number, Waiting>()
  #next = READY
  /** Why there is no thread any more. */
  #gone: unknown

  constructor(thread: Worker) {
    this.#thread = thread
    thread.on('message', (answer: AsideAnswer) => this.#answered(answer))
    thread.on('error', (error) => this.#ended(error))
    thread.on('exit', () => this.#ended(new AlambicError('executor.thread', 'the thread of a program has ended')))
    this.started = this.#expect()
  }

  run(feeds: Tensors): Promise<Tensors> {
    if (this.#gone !== undefined) return Promise.reject(asAlambicError(this.#gone))
    const id = this.#next
    const answered = this.#expect()
    this.#thread.postMessage({ id, feeds } satisfies AsideRequest)
    return answered
  }

  #expect(): Promise<Tensors> {
    const id = this.#next++
    return new Promise((resolve, reject) => void this.#waiting.set(id, { resolve, reject }))
  }

  #answered(answer: AsideAnswer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) return waiting?.reject(AlambicError.fromJSON(answer.error))
    this.milliseconds += answer.milliseconds
    waiting?.resolve(answer.results)
  }

  #ended(error: unknown): void {
    this.#gone ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }

  readState(): Promise<Tensors> {
    return Promise.resolve({})
  }

  writeState(): Promise<void> {
    return Promise.resolve()
  }

  async dispose(): Promise<void> {
    await this.#thread.terminate()
  }
}

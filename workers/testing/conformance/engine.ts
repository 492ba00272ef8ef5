import { fork, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { AlambicError } from '../../protocol/errors.ts'
import { DeviceId } from '../../protocol/devices.ts'
import type { Tensors } from '../../executors/executor.ts'
import { chromiumPath } from '../assets.ts'

/** A device; or the way that CUDA takes, on the processor; or TensorFlow's functions, in plain JavaScript. */
export const TestedEngine = z.enum([...DeviceId.options, 'looped', 'tfjs'])
export type TestedEngine = z.infer<typeof TestedEngine>

type Asked =
  | { readonly kind: 'steps'; readonly name: string; readonly seed: number }
  | { readonly kind: 'too large' }
  | { readonly kind: 'learn'; readonly steps: number; readonly resumeAt?: number }

export type Question = Asked & { readonly id: number }

export type Answer = { readonly id: number } & (
  | { readonly tensors: Tensors }
  | { readonly losses: readonly number[] }
  | { readonly error: { code: string; message: string; found?: string | undefined; fix?: string | undefined } }
)

/** An engine in a child process: when its native code crashes, a question fails, and nothing else. */
export class EngineProcess {
  readonly #child: ChildProcess
  #count = 0

  constructor(device: TestedEngine, environment: Readonly<Record<string, string>> = {}) {
    this.#child = fork(join(import.meta.dirname, 'child.ts'), [device], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
      env: { ...process.env, ...environment },
    })
  }

  async twoSteps(name: string, seed: number): Promise<Tensors> {
    const answer = await this.#ask({ kind: 'steps', name, seed })
    return 'tensors' in answer ? answer.tensors : {}
  }

  async learn(steps: number, resumeAt?: number): Promise<readonly number[]> {
    const answer = await this.#ask({ kind: 'learn', steps, ...(resumeAt === undefined ? {} : { resumeAt }) })
    return 'losses' in answer ? answer.losses : []
  }

  /** Asks for a value that no memory holds. */
  async tooLarge(): Promise<void> {
    await this.#ask({ kind: 'too large' })
  }

  #ask(asked: Asked): Promise<Answer> {
    const id = this.#count++
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#child.off('message', onMessage)
        this.#child.off('exit', onExit)
      }
      const onMessage = (answer: Answer) => {
        if (answer.id !== id) return
        settle()
        if ('error' in answer) reject(AlambicError.fromJSON(answer.error))
        else resolve(answer)
      }
      const onExit = (code: number | null, signal: string | null) => {
        settle()
        reject(new Error(`the engine's process ended: ${signal ?? `code ${code}`}`))
      }
      this.#child.on('message', onMessage)
      this.#child.once('exit', onExit)
      this.#child.send({ ...asked, id }, () => undefined)
    })
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }
}

/**
 * The environment in which WebGPU finds a graphics processor on every machine that has Chromium: SwiftShader, which
 * computes on the processor and comes with it, as does a Vulkan loader. Undefined where it is not. With
 * `ALAMBIC_GRAPHICS=hardware` the machine's own card is taken.
 */
export function graphics(): Readonly<Record<string, string>> | undefined {
  if (process.env['ALAMBIC_GRAPHICS'] === 'hardware') return {}
  const browser = chromiumPath()
  const folders = ['/usr/lib/chromium', '/usr/lib/chromium-browser', ...(browser ? [dirname(browser)] : [])]
  const folder = folders.find((f) => existsSync(join(f, 'vk_swiftshader_icd.json')))
  if (folder === undefined) return undefined
  const driver = join(folder, 'vk_swiftshader_icd.json')
  // The older and the newer name of the same variable; a directory for sockets that need not be there for this.
  return { VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver, XDG_RUNTIME_DIR: '/tmp', LD_LIBRARY_PATH: folder }
}

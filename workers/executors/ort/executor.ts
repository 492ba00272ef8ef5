import * as ort from 'onnxruntime-node'
import { AlambicError } from '../../protocol/errors.ts'
import { Builder } from '../../graph/builder.ts'
import { modelOf, type Graph } from '../../graph/graph.ts'
import { verify } from '../../graph/verify.ts'
import { staticShape } from '../../graph/types.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import type { Executor, Program, StateLink, Tensors } from '../executor.ts'
import { compileOrtAside } from './aside.ts'
import { lowerForOrtCpu } from './lower.ts'
import { BLOCKED_DOMAIN } from './lower/blocked.ts'
import { overwritable } from './overwrite.ts'
import { createSession, runSession, runtime, type OrtOptions } from './session.ts'
import { emptyOrtTensor, fromOrt, toOrt } from './tensors.ts'

/**
 * onnxruntime on the CPU. It is native code, so only disposable child processes may load this module: a crash must
 * never take the host with it.
 */
export const ortCpu: Executor = {
  id: 'ort-cpu',
  runtime,
  compile: (graph, options) => compileOrt(graph, options),
  compileAside: (graph, options) => compileOrtAside(graph, options),
}

export async function compileOrt(graph: Graph, options: OrtOptions = {}): Promise<Program> {
  const lowered = lowerForOrtCpu(graph, await blockSize())
  if (lowered !== graph) verify(lowered)
  const session = await createSession(encodeForRuntime(modelOf(lowered)), graph.name, options)
  return new OrtProgram(session, lowered, options)
}

let block: Promise<number | undefined> | undefined

/** How many channels a block of the runtime's blocked layout has on this machine; undefined where it has none. */
const blockSize = (): Promise<number | undefined> => (block ??= probeBlockSize().catch(() => undefined))

/** Reorders 64 channels of two pixels, whose values are 2·channel + pixel, and sees where the second pixel begins. */
async function probeBlockSize(): Promise<number | undefined> {
  const g = new Builder()
  const x = g.input('x', 'f32', [1, 64, 1, 2])
  g.output(g.node(BLOCKED_DOMAIN, 'ReorderInput', [x])[0] as string)
  const session = await createSession(encodeForRuntime(modelOf(g.build())), 'blocked layout', { threads: 1 })
  const values = Float32Array.from({ length: 128 }, (_, i) => i)
  const results = await session.run({ x: new ort.Tensor('float32', values, [1, 64, 1, 2]) })
  await session.release()
  const reordered = Object.values(results)[0]?.data as Float32Array
  const second = reordered.indexOf(1)
  return second > 1 ? second : undefined
}

/** A compiled graph as a program; what is resident stays in this process' memory. */
export const plainProgram = (session: ort.InferenceSession, graph: Graph, options: OrtOptions): Program =>
  new OrtProgram(session, graph, options)

class OrtProgram implements Program {
  readonly #session: ort.InferenceSession
  readonly #links: readonly StateLink[]
  readonly #overwritable: ReadonlySet<string>
  readonly #outputs: readonly string[]
  /** State that can't be written over what is read has two copies: one is read while the other is written. */
  #current: Record<string, ort.Tensor> = {}
  #next: Record<string, ort.Tensor> = {}
  /** Outputs that are allocated once, when the caller allows it and their shapes are static. */
  readonly #reused: Record<string, ort.Tensor>

  constructor(session: ort.InferenceSession, graph: Graph, options: OrtOptions) {
    this.#session = session
    this.#links = options.state ?? []
    this.#overwritable = overwritable(graph, this.#links)
    const resident = new Set(this.#links.map((link) => link.output))
    const own = graph.outputs.filter((v) => !resident.has(v.name))
    this.#outputs = own.map((v) => v.name)
    this.#reused = {}
    if (!options.reuseOutputs) return
    for (const { name, type } of own) {
      const dims = staticShape(type)
      if (dims && type.kind === 'tensor' && type.dtype) this.#reused[name] = emptyOrtTensor(type.dtype, dims)
    }
  }

  async run(feeds: Tensors): Promise<Tensors> {
    const inputs: Record<string, ort.Tensor> = {}
    for (const [name, tensor] of Object.entries(feeds)) inputs[name] = toOrt(tensor)
    const fetches: Record<string, ort.Tensor | null> = {}
    for (const { input, output } of this.#links) {
      inputs[input] = this.#state(this.#current, input)
      fetches[output] = this.#state(this.#next, input)
    }
    for (const name of this.#outputs) fetches[name] = this.#reused[name] ?? null
    const results = await runSession(this.#session, inputs, fetches)
    ;[this.#current, this.#next] = [this.#next, this.#current]
    return Object.fromEntries(this.#outputs.map((name) => [name, fromOrt(results[name] as ort.Tensor)]))
  }

  #state(tensors: Record<string, ort.Tensor>, input: string): ort.Tensor {
    const tensor = tensors[input]
    if (tensor) return tensor
    throw new AlambicError('executor.no-state', `the state "${input}" was not written before the first run`)
  }

  async readState(): Promise<Tensors> {
    return Object.fromEntries(this.#links.map(({ input }) => [input, fromOrt(this.#state(this.#current, input), true)]))
  }

  async writeState(state: Tensors): Promise<void> {
    for (const { input } of this.#links) {
      const tensor = state[input]
      if (!tensor) throw new AlambicError('executor.no-state', `no value is given for the state "${input}"`)
      const current = toOrt({ ...tensor, bytes: tensor.bytes.slice() })
      this.#current[input] = current
      this.#next[input] = this.#overwritable.has(input) ? current : emptyOrtTensor(tensor.dtype, tensor.dims)
    }
  }

  async dispose(): Promise<void> {
    await this.#session.release()
  }
}

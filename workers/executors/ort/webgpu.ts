import type * as ort from 'onnxruntime-node'
import { AlambicError } from '../../protocol/errors.ts'
import { Emitter } from '../../ops/emit.ts'
import { identity, modelOf, type Graph } from '../../graph/graph.ts'
import { verify } from '../../graph/verify.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import type { Executor, Program, StateLink, Tensors } from '../executor.ts'
import { lowerFor } from './lower.ts'
import { webgpuTarget } from './lower/webgpu.ts'
import { createSession, runSession, runtime, type OrtOptions } from './session.ts'
import { dtypeOf, fromOrt, toOrt } from './tensors.ts'

/**
 * onnxruntime's WebGPU provider: the graphics processor of any vendor, through Vulkan, Direct3D 12 or Metal. Weights
 * and what the optimizer keeps stay in its memory. Native code, and drivers: only for child processes.
 */
export const ortWebgpu: Executor = {
  id: 'ort-webgpu',
  runtime: `${runtime} WebGPU`,
  compile: (graph, options) => compileWebgpu(graph, options),
}

const executionProviders = ['webgpu'] as const

let kept: Promise<ort.InferenceSession> | undefined

/**
 * With its last session the runtime lets go of the device and of every shader that was compiled for it. A small one
 * that lives as long as the process keeps them.
 */
async function keepDevice(): Promise<void> {
  const g = new Emitter()
  g.input('x', 'f32', [1])
  g.output(g.neg('x'))
  kept ??= createSession(encodeForRuntime(modelOf(g.build())), 'device', { device: { executionProviders } })
  await kept
}

async function compileWebgpu(graph: Graph, options: OrtOptions = {}): Promise<Program> {
  await keepDevice()
  const lowered = lowerFor(webgpuTarget, graph)
  if (lowered !== graph) verify(lowered)
  const links = options.state ?? []
  // What a training step puts out is read once in a while; what other graphs do, at once.
  const location = links.length > 0 ? 'gpu-buffer' : 'cpu'
  const session = await createSession(encodeForRuntime(modelOf(lowered)), graph.name, {
    ...options,
    device: { executionProviders, preferredOutputLocation: location },
  })
  return new WebgpuProgram(session, lowered, links)
}

type OrtTensors = Record<string, ort.Tensor>

class WebgpuProgram implements Program {
  readonly #session: ort.InferenceSession
  readonly #links: readonly StateLink[]
  readonly #outputs: readonly string[]
  readonly #readers = new Map<string, ort.InferenceSession>()
  /** By input name; in this process' memory until the first run has put them into the device's. */
  #state: OrtTensors = {}

  constructor(session: ort.InferenceSession, graph: Graph, links: readonly StateLink[]) {
    this.#session = session
    this.#links = links
    const resident = new Set(links.map((link) => link.output))
    this.#outputs = graph.outputs.flatMap(({ name }) => (resident.has(name) ? [] : [name]))
  }

  async run(feeds: Tensors): Promise<Tensors> {
    return (await this.runAll([feeds]))[0] as Tensors
  }

  async runAll(feeds: readonly Tensors[]): Promise<readonly Tensors[]> {
    const waiting: OrtTensors = {}
    try {
      for (const [i, each] of feeds.entries()) {
        for (const [name, tensor] of Object.entries(await this.#once(each))) waiting[`${i} ${name}`] = tensor
      }
      const read = await this.#read(waiting)
      return feeds.map((_, i) =>
        Object.fromEntries(this.#outputs.map((name) => [name, fromOrt(read[`${i} ${name}`] as ort.Tensor)])),
      )
    } finally {
      release(waiting)
    }
  }

  /** One run; the results stay where they are, the state is the next one. */
  async #once(feeds: Tensors): Promise<OrtTensors> {
    const inputs: OrtTensors = {}
    for (const [name, tensor] of Object.entries(feeds)) inputs[name] = toOrt(tensor)
    for (const { input } of this.#links) inputs[input] = this.#stateOf(input)
    const fetches: Record<string, null> = {}
    for (const { output } of this.#links) fetches[output] = null
    for (const name of this.#outputs) fetches[name] = null
    const results = await runSession(this.#session, inputs, fetches)
    const before = this.#state
    this.#state = Object.fromEntries(this.#links.map(({ input, output }) => [input, results[output] as ort.Tensor]))
    release(before)
    return Object.fromEntries(this.#outputs.map((name) => [name, results[name] as ort.Tensor]))
  }

  #stateOf(input: string): ort.Tensor {
    const tensor = this.#state[input]
    if (tensor) return tensor
    throw new AlambicError('executor.no-state', `the state "${input}" was not written before the first run`)
  }

  /**
   * Copies of tensors in this process' memory. The runtime's own way to read a buffer is not there in Node; the output
   * of a session that does nothing is.
   */
  async #read(tensors: OrtTensors): Promise<OrtTensors> {
    const there = Object.entries(tensors).filter(([, tensor]) => tensor.location === 'gpu-buffer')
    if (there.length === 0) return tensors
    const session = await this.#reader(there.map(([, tensor]) => tensor))
    const inputs = Object.fromEntries(there.map(([, tensor], i) => [`x${i}`, tensor]))
    const fetches = Object.fromEntries(there.map((_, i) => [`y${i}`, null]))
    const read = await runSession(session, inputs, fetches)
    return { ...tensors, ...Object.fromEntries(there.map(([name], i) => [name, read[`y${i}`] as ort.Tensor])) }
  }

  async #reader(tensors: readonly ort.Tensor[]): Promise<ort.InferenceSession> {
    const key = tensors.map(({ type, dims }) => `${type}[${dims.join()}]`).join()
    const known = this.#readers.get(key)
    if (known) return known
    const g = new Emitter()
    tensors.forEach((tensor, i) => {
      g.input(`x${i}`, dtypeOf(tensor), tensor.dims)
      const y = `y${i}`
      g.append(identity(`x${i}`, y))
      g.output(y)
    })
    const session = await createSession(encodeForRuntime(modelOf(g.build())), 'read back', {
      device: { executionProviders, preferredOutputLocation: 'cpu' },
    })
    this.#readers.set(key, session)
    return session
  }

  async readState(): Promise<Tensors> {
    for (const { input } of this.#links) this.#stateOf(input)
    const read = await this.#read(this.#state)
    return Object.fromEntries(this.#links.map(({ input }) => [input, fromOrt(read[input] as ort.Tensor, true)]))
  }

  async writeState(state: Tensors): Promise<void> {
    release(this.#state)
    this.#state = {}
    for (const { input } of this.#links) {
      const tensor = state[input]
      if (!tensor) throw new AlambicError('executor.no-state', `no value is given for the state "${input}"`)
      this.#state[input] = toOrt({ ...tensor, bytes: tensor.bytes.slice() })
    }
  }

  async dispose(): Promise<void> {
    release(this.#state)
    this.#state = {}
    for (const reader of this.#readers.values()) await reader.release()
    await this.#session.release()
  }
}

/** Gives the device's memory back at once: the garbage collector sees only the small object in front of it. */
function release(tensors: OrtTensors): void {
  for (const tensor of Object.values(tensors)) if (tensor.location === 'gpu-buffer') tensor.dispose()
}

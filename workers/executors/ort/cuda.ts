import { modelOf, type Graph } from '../../graph/graph.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { verify } from '../../graph/verify.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import type { Executor, Program, StateLink, Tensors } from '../executor.ts'
import { plainProgram } from './executor.ts'
import { lowerFor } from './lower.ts'
import { deviceTarget } from './lower/webgpu.ts'
import { loopFeeds, loopOf, loopResults } from './loop.ts'
import { createSession, runtime, type OrtOptions } from './session.ts'

/**
 * A provider of onnxruntime whose memory Node cannot hold on to: a step runs several times within one call, so that
 * state crosses over once for all of them.
 */
const looped = (provider: string, id: string): Executor => ({
  id,
  runtime: `${runtime} ${provider}`,
  compile: (graph, options) => compileLooped(provider, graph, options),
})

/** onnxruntime on an NVIDIA card. */
export const ortCuda = looped('cuda', 'ort-cuda')

/** The same way through the same code on the processor: what tests can run everywhere. */
export const ortLooped = looped('cpu', 'ort-looped')

async function compileLooped(provider: string, graph: Graph, options: OrtOptions = {}): Promise<Program> {
  const links = options.state ?? []
  const lowered = lowerFor(deviceTarget, graph)
  const repeated = links.length > 0 ? loopOf(lowered, links) : lowered
  if (repeated !== graph) verify(repeated)
  // What a provider lacks the processor computes.
  const device = { executionProviders: provider === 'cpu' ? ['cpu'] : [provider, 'cpu'] }
  const session = await createSession(encodeForRuntime(modelOf(repeated)), graph.name, { ...options, device })
  const program = plainProgram(session, repeated, {})
  return links.length > 0 ? new LoopedProgram(program, links) : program
}

class LoopedProgram implements Program {
  readonly #program: Program
  readonly #links: readonly StateLink[]
  #state: Tensors | undefined

  constructor(program: Program, links: readonly StateLink[]) {
    this.#program = program
    this.#links = links
  }

  async run(feeds: Tensors): Promise<Tensors> {
    return (await this.runAll([feeds]))[0] as Tensors
  }

  async runAll(feeds: readonly Tensors[]): Promise<readonly Tensors[]> {
    const results = await this.#program.run(loopFeeds(feeds, this.#written()))
    const { state, runs } = loopResults(results, this.#links, feeds.length)
    this.#state = state
    return runs
  }

  #written(): Tensors {
    if (this.#state) return this.#state
    throw new AlambicError('executor.no-state', 'the state was not written before the first run')
  }

  readState(): Promise<Tensors> {
    const copies = Object.entries(this.#written()).map(([name, t]) => [name, { ...t, bytes: t.bytes.slice() }] as const)
    return Promise.resolve(Object.fromEntries(copies))
  }

  writeState(state: Tensors): Promise<void> {
    const missing = this.#links.find(({ input }) => !state[input])
    if (missing) {
      throw new AlambicError('executor.no-state', `no value is given for the state "${missing.input}"`)
    }
    this.#state = Object.fromEntries(this.#links.map(({ input }) => [input, state[input] as Tensor]))
    return Promise.resolve()
  }

  dispose(): Promise<void> {
    return this.#program.dispose()
  }
}

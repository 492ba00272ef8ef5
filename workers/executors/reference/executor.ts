import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, LocalFunction } from '../../graph/graph.ts'
import type { CompileOptions, Executor, Program, StateLink, Tensors } from '../executor.ts'
import { checkSupported, evaluate, type EvaluateOptions } from './evaluate.ts'
import { fromTensor, toTensor, type NdArray, type Value } from './value.ts'

/** Slow and obvious: plain TypeScript with float64 accumulation. It is the definition that the others are held to. */
export const referenceExecutor: Executor = {
  id: 'reference',
  runtime: `plain TypeScript, Node ${process.versions.node}`,
  compile: async (graph, options) => new ReferenceProgram(graph, options),
}

/** The reference executor for models that bring functions of their own. */
export const referenceExecutorFor = (functions: readonly LocalFunction[]): Executor => ({
  ...referenceExecutor,
  compile: async (graph, options) => new ReferenceProgram(graph, options, { functions }),
})

export class ReferenceProgram implements Program {
  readonly #graph: Graph
  readonly #links: readonly StateLink[]
  readonly #options: EvaluateOptions
  readonly #state = new Map<string, NdArray>()

  constructor(graph: Graph, options: CompileOptions = {}, definitions: EvaluateOptions = {}) {
    this.#graph = graph
    this.#links = options.state ?? []
    this.#options = definitions
    checkSupported(graph, definitions.functions)
  }

  async run(feeds: Tensors): Promise<Tensors> {
    const unwritten = this.#links.find(({ input }) => !this.#state.has(input))
    if (unwritten) {
      throw new AlambicError('reference.no-state', `the state "${unwritten.input}" was never written`, {
        subject: unwritten.input,
        fix: 'Write the state once before the first run.',
      })
    }
    const values = evaluate(this.#graph, { ...feeds, ...Object.fromEntries(this.#state) }, this.#options)
    for (const { input, output } of this.#links) this.#state.set(input, tensorOnly(output, values[output]))
    const kept = new Set(this.#links.map(({ output }) => output))
    const results = Object.entries(values).filter(([name]) => !kept.has(name))
    return Object.fromEntries(results.map(([name, value]) => [name, toTensor(tensorOnly(name, value))]))
  }

  async readState(): Promise<Tensors> {
    return Object.fromEntries([...this.#state].map(([name, value]) => [name, toTensor(value)]))
  }

  async writeState(state: Tensors): Promise<void> {
    for (const [name, tensor] of Object.entries(state)) {
      if (!this.#links.some(({ input }) => input === name)) {
        throw new AlambicError('reference.no-state', `"${name}" is not a state of this program`, { subject: name })
      }
      this.#state.set(name, fromTensor(tensor))
    }
  }

  async dispose(): Promise<void> {
    this.#state.clear()
  }
}

function tensorOnly(name: string, value: Value | undefined): NdArray {
  if (value?.kind === 'tensor') return value
  throw new AlambicError('reference.not-a-tensor', `the output "${name}" is a ${value?.kind ?? 'missing value'}`, {
    subject: name,
    expected: 'a tensor',
  })
}

import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import type { CompileOptions, Executor, Program, StateLink, Tensors } from '../executor.ts'
import { Call as ReferenceCall } from '../reference/call.ts'
import { kernelOf } from '../reference/kernels.ts'
import { stored, type NdArray } from '../reference/value.ts'
import { Call } from './call.ts'
import { asTfError } from './failures.ts'
import { functionOf } from './functions.ts'
import { prepareForTf } from './prepare.ts'
import type { Backend } from './tensorflow.ts'
import { FEW, Value } from './value.ts'

/**
 * TensorFlow, operator by operator: each node of the graph is one function of the tables, gradients are its own
 * gradient kernels. Tensors are freed after their last use; weights and what the optimizer keeps stay where TensorFlow
 * computes. Small whole numbers, as shapes and axes are, and scalars are computed in this process.
 */
export const tfExecutor = (tf: Backend, { few = FEW }: TfOptions = {}): Executor => ({
  id: tf.id,
  runtime: tf.runtime,
  // An error is the promise's, as for every executor.
  compile: async (graph, options) => new TfProgram(tf, prepareForTf(graph), { ...options, few }),
})

export interface TfOptions {
  /** How many numbers a value may have that is computed in this process; 0 gives all of them to TensorFlow. */
  readonly few?: number
}

/** A node with what is free to go after it. */
interface Step {
  readonly node: Node
  readonly last: readonly string[]
}

class TfProgram implements Program {
  readonly #tf: Backend
  readonly #graph: Graph
  readonly #links: readonly StateLink[]
  readonly #outputs: readonly string[]
  readonly #steps: readonly Step[]
  readonly #constants: ReadonlyMap<string, Value>
  readonly #few: number
  #state = new Map<string, Value>()

  constructor(tf: Backend, graph: Graph, options: CompileOptions & Required<TfOptions>) {
    this.#tf = tf
    this.#graph = graph
    this.#links = options.state ?? []
    this.#few = options.few
    const resident = new Set(this.#links.map((link) => link.output))
    this.#outputs = graph.outputs.flatMap(({ name }) => (resident.has(name) ? [] : [name]))
    this.#steps = stepsOf(graph)
    this.#constants = new Map([...graph.initializers].map(([name, t]) => [name, Value.of(tf, t, options).hold()]))
  }

  async run(feeds: Tensors): Promise<Tensors> {
    return (await this.runAll([feeds]))[0] as Tensors
  }

  /** On a graphics processor results are read once all runs are on their way. */
  async runAll(feeds: readonly Tensors[]): Promise<readonly Tensors[]> {
    const waiting: Map<string, Value>[] = []
    try {
      for (const each of feeds) waiting.push(this.#once(each))
      return waiting.map((results) => Object.fromEntries([...results].map(([name, value]) => [name, value.read()])))
    } finally {
      for (const results of waiting) for (const value of results.values()) value.release()
    }
  }

  /** One run: its results, which the caller releases; the state is the next one. */
  #once(feeds: Tensors): Map<string, Value> {
    const values = this.#begin(feeds)
    try {
      for (const step of this.#steps) this.#node(step, values)
      const results = new Map(this.#outputs.map((name) => [name, this.#get(values, name).hold()]))
      const next = new Map(this.#links.map(({ input, output }) => [input, this.#get(values, output).hold()]))
      for (const value of this.#state.values()) value.release()
      this.#state = next
      return results
    } finally {
      for (const value of values.values()) value.release()
    }
  }

  #begin(feeds: Tensors): Map<string, Value> {
    const unwritten = this.#links.find(({ input }) => !this.#state.has(input))
    if (unwritten) throw noState(`the state "${unwritten.input}" was not written before the first run`, unwritten.input)
    const values = new Map<string, Value>()
    for (const { name } of this.#graph.inputs) {
      const feed = feeds[name]
      const value =
        this.#state.get(name) ?? (feed && Value.of(this.#tf, feed, { few: this.#few })) ?? this.#constants.get(name)
      if (!value)
        throw new AlambicError('tf.missing-feed', `the graph's input "${name}" was not fed`, { subject: name })
      values.set(name, value.hold())
    }
    for (const [name, value] of this.#constants) if (!values.has(name)) values.set(name, value.hold())
    return values
  }

  #get(values: ReadonlyMap<string, Value>, name: string): Value {
    const value = values.get(name)
    if (value) return value
    throw new AlambicError('tf.dangling', `nothing computes "${name}"`, { subject: name })
  }

  #node({ node, last }: Step, values: Map<string, Value>): void {
    const inputs = node.inputs.map((name) => (name === '' ? undefined : this.#get(values, name)))
    try {
      const outputs = this.#here(node, inputs) ?? this.#there(node, inputs)
      node.outputs.forEach((name, i) => {
        const value = outputs[i]
        if (value && name !== '') values.set(name, value.hold())
        else if (value && !inputs.includes(value)) value.hold().release()
      })
    } catch (thrown) {
      throw asTfError(thrown, node, this.#tf.runtime)
    }
    for (const name of last) {
      values.get(name)?.release()
      values.delete(name)
    }
  }

  /** With the reference executor's kernel, where every input is a small value of this process. */
  #here(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] | undefined {
    if (!inputs.every((value) => value === undefined || value.host)) return undefined
    const kernel = kernelOf(node.op, node.domain)
    if (!kernel || (grows.has(node.op) && functionOf(node.op, node.domain))) return undefined
    const opset = this.#graph.opsets.get(node.domain) ?? this.#graph.opset
    const call = new ReferenceCall(
      node,
      opset,
      inputs.map((value) => value?.host),
      () => [],
      false,
    )
    const outputs = kernel(call)
    const list = 'kind' in outputs ? [outputs] : outputs
    return list.map((value) => Value.host(this.#tf, stored(value as NdArray, false)))
  }

  /** With TensorFlow; what is made on the way is freed. */
  #there(node: Node, inputs: readonly (Value | undefined)[]): readonly Value[] {
    const make = functionOf(node.op, node.domain)
    if (!make)
      throw new AlambicError('tf.unsupported', `TensorFlow.js has nothing for ${node.op}`, { subject: node.name })
    let made: readonly Value[] = []
    this.#tf.tidy(() => {
      const outputs = make(new Call(this.#tf, node, inputs))
      made = outputs instanceof Value ? [outputs] : outputs
      return made.flatMap((value) => value.tensors)
    })
    return made
  }

  async readState(): Promise<Tensors> {
    return Object.fromEntries(
      this.#links.map(({ input }) => {
        const value = this.#state.get(input)
        if (!value) throw noState(`the state "${input}" was not written before the first run`, input)
        return [input, value.read()]
      }),
    )
  }

  async writeState(state: Tensors): Promise<void> {
    const next = this.#links.map(({ input }): [string, Value] => {
      const tensor = state[input]
      if (!tensor) throw noState(`no value is given for the state "${input}"`, input)
      return [input, Value.of(this.#tf, tensor, { copy: true, few: this.#few }).hold()]
    })
    for (const value of this.#state.values()) value.release()
    this.#state = new Map(next)
  }

  async dispose(): Promise<void> {
    for (const value of this.#state.values()) value.release()
    for (const value of this.#constants.values()) value.release()
    this.#state.clear()
  }
}

const noState = (message: string, subject: string): AlambicError =>
  new AlambicError('executor.no-state', message, { subject })

/** Operators whose outputs may be much larger than their inputs: not in this process. */
const grows: ReadonlySet<string> = new Set(['ConstantOfShape', 'Expand', 'OneHot', 'Tile', 'Pad'])

/** The nodes in order, each with the names that nobody reads after it. */
function stepsOf(graph: Graph): Step[] {
  const kept = new Set([...graph.outputs.map((v) => v.name), ...graph.initializers.keys()])
  const seen = new Set<string>()
  const steps = graph.nodes.toReversed().map((node): Step => {
    const names = new Set([...node.inputs, ...node.outputs].filter((name) => name !== '' && !kept.has(name)))
    const last = [...names].filter((name) => !seen.has(name))
    for (const name of names) seen.add(name)
    return { node, last }
  })
  return steps.toReversed()
}

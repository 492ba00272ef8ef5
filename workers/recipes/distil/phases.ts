import type { Tensors } from '../../executors/executor.ts'
import type { Graph } from '../../graph/graph.ts'
import type { FitResult } from '../fit.ts'
import type { Journal, Snapshot, StepContext } from '../step.ts'

/** What is kept of a phase that is over. */
interface Finished {
  readonly name: string
  readonly steps: number
  readonly history: FitResult['history']
}

interface PhaseFacts {
  readonly phase: number
  readonly finished: readonly Finished[]
  /** The phase's own step and facts. */
  readonly step: number
  readonly facts: Snapshot['facts']
}

const INNER = 'phase/'
const resultPrefix = (phase: number): string => `result/${phase}/`

/**
 * A step of several trainings, one after the other: a chain of teachers, generations, stages. Each phase is a loop of
 * its own with its own streams of metrics; checkpoints hold the phase at hand and the weights of those before it, so
 * that a resumed run goes on where it was, bit for bit.
 */
export class Phases {
  readonly #context: StepContext
  readonly #snapshot: Snapshot | undefined
  readonly #finished: Finished[] = []
  readonly #results: Tensors[] = []

  private constructor(context: StepContext, snapshot: Snapshot | undefined) {
    this.#context = context
    this.#snapshot = snapshot
  }

  static async open(context: StepContext): Promise<Phases> {
    return new Phases(context, await context.journal.resume())
  }

  /** Trains `graph` in a phase, or takes what an earlier process made in it. Streams are called `train.<name>`. */
  async run(name: string, graph: Graph, train: (context: StepContext) => Promise<FitResult>): Promise<FitResult> {
    const phase = this.#finished.length
    const facts = this.#snapshot?.facts as unknown as PhaseFacts | undefined
    const known = facts && phase < facts.phase ? facts.finished[phase] : undefined
    const result = known ? this.#restored(graph, phase, known) : await train(this.#contextOf(name, phase))
    this.#finished.push({ name, steps: result.steps, history: result.history })
    this.#results.push(Object.fromEntries(result.graph.initializers))
    return result
  }

  #restored(graph: Graph, phase: number, { steps, history }: Finished): FitResult {
    const prefix = resultPrefix(phase)
    const weights = new Map(
      [...graph.initializers].map(([name, own]) => [name, this.#snapshot?.tensors[prefix + name] ?? own]),
    )
    return { graph: graph.with({ initializers: weights }), stopped: false, steps, history }
  }

  #contextOf(name: string, phase: number): StepContext {
    return { ...this.#context, journal: this.#journalOf(name, phase) }
  }

  #journalOf(name: string, phase: number): Journal {
    const { journal } = this.#context
    const before = this.#finished.reduce((steps, done) => steps + done.steps, 0)
    const facts = this.#snapshot?.facts as unknown as PhaseFacts | undefined
    return {
      resume: () => Promise.resolve(facts?.phase === phase ? inner(this.#snapshot as Snapshot, facts) : undefined),
      save: (own) => journal.save(this.#outer(own, phase, before)),
      due: () => journal.due(),
      metrics: (stream, columns, [step = 0, ...row]) =>
        journal.metrics(`${stream}.${name}`, columns, [before + step, ...row]),
      event: (kind, data) => journal.event(kind, { phase: name, ...data }),
      progress: (progress) => journal.progress({ ...progress, activity: `${progress.activity} ${name}` }),
    }
  }

  #outer(own: Snapshot, phase: number, before: number): Snapshot {
    const results = this.#results.map((tensors, i) => prefixed(resultPrefix(i), tensors))
    const facts: PhaseFacts = { phase, finished: [...this.#finished], step: own.step, facts: own.facts }
    return {
      step: before + own.step,
      tensors: Object.assign({}, ...results, prefixed(INNER, own.tensors)) as Tensors,
      facts: { ...facts },
    }
  }
}

const prefixed = (prefix: string, tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [prefix + name, tensor]))

function inner(snapshot: Snapshot, { step, facts }: PhaseFacts): Snapshot {
  const own = Object.entries(snapshot.tensors).filter(([name]) => name.startsWith(INNER))
  return { step, facts, tensors: Object.fromEntries(own.map(([name, tensor]) => [name.slice(INNER.length), tensor])) }
}

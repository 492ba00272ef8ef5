import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { preprocessingFor, subset, type Dataset, type Split } from '../../datasets/index.ts'
import type { Executor } from '../../executors/executor.ts'
import type { Model } from '../../graph/graph.ts'
import { evaluate } from '../../measure/accuracy.ts'
import { latenciesInTurn } from '../../measure/latency.ts'
import { int8Savings } from '../../measure/quantization/index.ts'
import { readModel, writeModel } from '../../onnx/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { replaceJson } from '../../protocol/files/durable.ts'
import type { SearchStart } from '../../protocol/files/search.ts'
import { SensitivityMap } from '../../protocol/files/sensitivity.ts'
import { candidatesFor, stepsOf, type Candidate } from './candidates.ts'
import { paretoFront, type Point } from './pareto.ts'
import { sensitivities, type Sensitivity } from './sensitivity.ts'
import { parseTarget, shareOf, type Costs, type Target } from './target.ts'

export interface SearchRequest {
  /** `macs=50%`, `latency=1.5`, …: see `parseTarget`. */
  readonly target: string
  readonly maxDrop: number
  /** How long it may take; a trial that runs is finished. */
  readonly seconds: number
  readonly epochs: number
  readonly rungs: number
  readonly samples: number
  /** Share or number of samples that `data` keeps out of training; trials keep out the same. */
  readonly validation?: number
}

/** What a search is made in: whoever starts it can run recipes and measure files. */
export interface SearchEnvironment {
  /** Everything is kept here; a search goes on with what is there. */
  readonly folder: string
  readonly model: Model
  readonly data: Dataset
  readonly seed: number
  readonly threads: number | undefined
  readonly executor: Executor
  /** Seconds that earlier processes spent. */
  readonly spent?: number
  readonly stopping: () => boolean
  /** Runs a recipe's steps in a folder, or goes on with it. True when the folder has a model of it. */
  readonly run: (steps: readonly object[], model: string, folder: string) => Promise<boolean>
  readonly costs: (path: string) => Promise<Costs>
  /** `what`: the activity, `sensitivity` or `trial`; `name`: of the candidate. */
  readonly progress: (what: 'sensitivity' | 'trial', done: number, total: number, name?: string) => void
  readonly event: (kind: string, data: Readonly<Record<string, unknown>>) => void
}

/** One recipe that was tried: how it was trained, and what came of it. */
export interface Trial extends Point, Pick<Candidate, 'kind' | 'share'> {
  readonly candidate: string
  readonly epochs: number
  readonly folder: string
  readonly costs: Costs
  /** Accuracy on the samples that were kept out of training; `cost` is that of the target's kind. */
  readonly accuracy: number
  readonly meetsTarget: boolean
  readonly steps: readonly object[]
}

export interface Found {
  readonly found: Trial
  readonly front: readonly (Point & { readonly candidate: string })[]
  readonly trials: readonly Trial[]
  readonly sensitivity: readonly Sensitivity[]
  readonly search: SearchStart
  readonly input: Point & { readonly costs: Costs }
  readonly seconds: number
}

/** Share of training samples that trials are compared by. */
export const VALIDATION = 0.1
/** Of the candidates of one rung this share goes on to the next, with three times the training. */
const KEPT = 1 / 3
const GROWTH = 3
/** Share of the time that the map of single layers may take. */
const MAP_TIME = 0.2
/** How a layer's saving of time is measured: two graphs in turn. */
const TIMING = { batch: 1, runs: 15, threads: 1 }

/**
 * Looks for the recipe that meets a target at the least loss: a map of what each technique costs on each layer, then
 * successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943) over recipes that should meet it, each measured.
 * Trials are runs in folders of their own: a search that was stopped takes up what is there.
 */
export class Search {
  readonly #request: SearchRequest
  readonly #at: SearchEnvironment
  readonly #target: Target
  readonly #input: Costs
  readonly #accuracy: number
  readonly #path: string
  readonly #began = performance.now()

  static async open(request: SearchRequest, at: SearchEnvironment): Promise<Search> {
    const target = parseTarget(request.target)
    const held = heldOut(at.data)
    await mkdir(join(at.folder, 'trials'), { recursive: true })
    const path = join(at.folder, 'input.onnx')
    await writeModel(at.model, path)
    const search = new Search(request, at, target, await at.costs(path), await scoreOf(at, at.model, held), path)
    at.event('search', { ...search.start })
    return search
  }

  private constructor(
    request: SearchRequest,
    at: SearchEnvironment,
    target: Target,
    input: Costs,
    accuracy: number,
    path: string,
  ) {
    this.#request = request
    this.#at = at
    this.#target = target
    this.#input = input
    this.#accuracy = accuracy
    this.#path = path
  }

  /** Seconds that were spent on it, over all processes. */
  get seconds(): number {
    return (this.#at.spent ?? 0) + (performance.now() - this.#began) / 1000
  }

  get start(): SearchStart {
    const { kind } = this.#target
    const { target, maxDrop, seconds } = this.#request
    const costs = { ...this.#input }
    const least = this.#accuracy - maxDrop
    return { target, kind, limit: this.#limit(), least, seconds, input: { accuracy: this.#accuracy, costs } }
  }

  #isOver(share = 1): boolean {
    return this.#at.stopping() || this.seconds > share * this.#request.seconds
  }

  async map(): Promise<readonly Sensitivity[]> {
    const file = join(this.#at.folder, 'sensitivity.json')
    if (existsSync(file)) return SensitivityMap.parse(JSON.parse(await readFile(file, 'utf8')))
    const { model, data, executor, progress, event } = this.#at
    const held = heldOut(data)
    const split = subset(held, Math.min(this.#request.samples, held.count), this.#at.seed)
    const found = await sensitivities(model.graph, {
      score: (graph) => scoreOf(this.#at, { ...model, graph }, split),
      time: async (...graphs) => {
        const [before, after] = await latenciesInTurn(executor, graphs, TIMING)
        return [before?.minMs ?? NaN, after?.minMs ?? NaN]
      },
      int8: (graph) => int8Savings(graph, { executor, threads: TIMING.threads }),
      isOver: () => this.#isOver(MAP_TIME),
      progress: (done, total) => progress('sensitivity', done, total),
      found: (line) => event('sensitivity', { ...line }),
    })
    // One that a person interrupted is made anew.
    if (!this.#at.stopping()) await replaceJson(file, found)
    return found
  }

  async halve(): Promise<readonly Trial[]> {
    let left = candidatesFor(this.#target, Math.min(1, shareOf(this.#target, this.#input)))
    const trials: Trial[] = []
    for (let rung = 0; left.length > 0; rung++) {
      const epochs = rung === 0 ? 0 : this.#request.epochs * GROWTH ** (rung - 1)
      const finished = await this.#rung(left, epochs)
      trials.push(...finished.map((f) => f.trial))
      await replaceJson(join(this.#at.folder, 'trials.json'), trials)
      if (rung === this.#request.rungs || this.#isOver()) break
      left = best(finished, rung === 0 ? 2 * KEPT : KEPT).map((f) => f.candidate)
    }
    return trials
  }

  async #rung(
    candidates: readonly Candidate[],
    epochs: number,
  ): Promise<readonly { candidate: Candidate; trial: Trial }[]> {
    const finished: { candidate: Candidate; trial: Trial }[] = []
    for (const [i, candidate] of candidates.entries()) {
      if (this.#isOver()) break
      this.#at.progress('trial', i, candidates.length, `${candidate.name}, ${epochs} epochs`)
      const trial = await this.#try(candidate, epochs)
      if (!trial) continue
      finished.push({ candidate, trial })
      const { folder: _local, ...shown } = trial
      this.#at.event('trial', shown)
    }
    return finished
  }

  /** Runs a candidate, or takes what an earlier search made of it; undefined for one that this model is not made for. */
  async #try(candidate: Candidate, epochs: number): Promise<Trial | undefined> {
    const { name, kind, share } = candidate
    const folder = join(this.#at.folder, 'trials', `${slug(name)}-${epochs}`)
    const steps = stepsOf(candidate, epochs, this.#request.validation)
    if (!(await this.#at.run(steps, this.#path, folder))) return undefined
    const path = join(folder, 'model.onnx')
    const costs = await this.#at.costs(path)
    const accuracy = await scoreOf(this.#at, (await readModel(path)).model, heldOut(this.#at.data))
    const cost = costs[this.#target.kind]
    const meetsTarget = cost <= this.#limit()
    const said = { candidate: name, kind, ...(share === undefined ? {} : { share }), epochs }
    return { ...said, folder, costs, accuracy, cost, meetsTarget, steps }
  }

  #limit(): number {
    const { kind, limit, isShare } = this.#target
    return isShare ? limit * this.#input[kind] : limit
  }

  /** @throws AlambicError `target.infeasible` with the closest point when no recipe meets target and accuracy */
  async conclude(map: readonly Sensitivity[], trials: readonly Trial[]): Promise<Found> {
    const { start, seconds } = this
    const meets = trials.filter((t) => t.meetsTarget).toSorted((a, b) => b.accuracy - a.accuracy)
    const found = meets.find((t) => t.accuracy >= start.least)
    const input = { cost: this.#input[this.#target.kind], accuracy: this.#accuracy, costs: this.#input }
    const front = paretoFront([{ candidate: 'input', epochs: 0, ...input }, ...trials])
    const sensitivity = cheapest(map, this.#target.kind)
    const common = { search: start, target: start.target, input, front, trials, sensitivity, seconds }
    await replaceJson(join(this.#at.folder, 'optimize.json'), common)
    if (!found) throw this.#infeasible(meets[0] ?? trials.toSorted((a, b) => a.cost - b.cost)[0])
    return { found, ...common }
  }

  #infeasible(closest: Trial | undefined): AlambicError {
    const { kind } = this.#target
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`
    return new AlambicError('target.infeasible', `no recipe that was tried meets ${this.#request.target}`, {
      subject: this.#request.target,
      expected: `${kind} of at most ${this.#limit().toPrecision(4)} with an accuracy of at least ${percent(this.start.least)}`,
      found: closest
        ? `closest: "${closest.candidate}" with ${kind} ${closest.cost.toPrecision(4)} and ${percent(closest.accuracy)}`
        : 'no finished trial',
      fix: `Allow a larger drop, a weaker target, or more time; all trials are in ${this.#at.folder}.`,
    })
  }
}

/** The most accurate of those that meet the target, then the cheapest of the others. */
const best = <F extends { readonly trial: Trial }>(finished: readonly F[], share: number): readonly F[] =>
  finished
    .toSorted(
      (a, b) =>
        Number(b.trial.meetsTarget) - Number(a.trial.meetsTarget) ||
        (a.trial.meetsTarget ? b.trial.accuracy - a.trial.accuracy : a.trial.cost - b.trial.cost),
    )
    .slice(0, Math.max(1, Math.round(share * finished.length)))

/** What the map's lines are in order of, by what the search is for. */
const prices: Readonly<Record<Target['kind'], 'dropPerMacs' | 'dropPerBytes' | 'dropPerMillisecond'>> = {
  macs: 'dropPerMacs',
  latency: 'dropPerMillisecond',
  bytes: 'dropPerBytes',
  packed: 'dropPerBytes',
  params: 'dropPerBytes',
}

/** The map's lines that save the most for what they lose first. */
const cheapest = (map: readonly Sensitivity[], kind: Target['kind']): readonly Sensitivity[] =>
  map.toSorted((a, b) => (a[prices[kind]] ?? Infinity) - (b[prices[kind]] ?? Infinity))

const slug = (name: string): string => name.toLowerCase().replaceAll(/[^\w.]+/g, '-')

/** A graph of no file of its own goes with the preprocessing of the search's input. */
export function scoreOf(
  { data, executor, threads }: Pick<SearchEnvironment, 'data' | 'executor' | 'threads'>,
  model: Model,
  split: Split,
): Promise<number> {
  return evaluate(model.graph, split, preprocessingFor(data, model), { executor, threads }).then((e) => e.accuracy)
}

function heldOut(data: Dataset): Split {
  const split = data.splits.validation
  if (split?.labels) return split
  throw new AlambicError('data.no-labels', `"${data.id}" has no labelled samples to compare recipes by`, {
    expected: 'a labelled training split',
    found: Object.keys(data.splits).join(', ') || 'nothing',
  })
}

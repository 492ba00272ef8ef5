import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { AlambicError, asAlambicError } from '../protocol/errors.ts'
import { replaceFile, replaceJson } from '../protocol/files/durable.ts'
import { RunRequest, type OptimizeRequest, type Report } from '../protocol/worker.ts'
import { openDataset, preprocessingFor, subset, type Dataset, type Split } from '../datasets/index.ts'

import type { Model } from '../graph/graph.ts'
import { evaluate } from '../measure/accuracy.ts'
import { latenciesInTurn } from '../measure/latency.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { openForRecipe } from '../recipes/open.ts'
import { candidatesFor, stepsOf, type Candidate } from '../recipes/optimize/candidates.ts'
import { paretoFront, type Point } from '../recipes/optimize/pareto.ts'
import { SensitivityMap } from '../protocol/files/sensitivity.ts'
import { sensitivities, type Sensitivity } from '../recipes/optimize/sensitivity.ts'
import { parseTarget, shareOf, type Costs, type Target } from '../recipes/optimize/target.ts'
import { measureStage } from './measure-stage.ts'
import { RunFolder } from './folder.ts'
import { runRecipe, type RunEnvironment } from './run.ts'

type Request = z.output<typeof OptimizeRequest>

/** One recipe that was tried: how it was trained, and what came of it. */
export interface Trial extends Point {
  readonly candidate: string
  readonly epochs: number
  readonly folder: string
  readonly costs: Costs
  /** Accuracy on the samples that were kept out of training; `cost` is that of the target's kind. */
  readonly accuracy: number
  readonly meetsTarget: boolean
}

/** Of the candidates of one rung this share goes on to the next, with three times the training. */
const KEPT = 1 / 3
const GROWTH = 3
/** Share of the time that the map of single layers may take. */
const MAP_TIME = 0.2
const VALIDATION = 0.1
/** How a layer's saving of time is measured: two graphs in turn. */
const TIMING = { batch: 1, runs: 15, threads: 1 }

/**
 * Looks for the recipe that meets a target at the least loss: a map of what each technique costs on each layer, then
 * successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943) over recipes that should meet it, each measured.
 * Trials are runs in folders of their own: a search that was stopped takes up what is there.
 *
 * @throws AlambicError `target.infeasible` with the closest point when no recipe meets target and accuracy
 */
export async function optimizeCall(request: Request, environment: RunEnvironment): Promise<Report> {
  const search = await Search.open(request, environment)
  const map = await search.map()
  const trials = await search.halve()
  return search.conclude(map, trials)
}

class Search {
  readonly #request: Request
  readonly #environment: RunEnvironment
  readonly #data: Dataset
  readonly #model: Model
  readonly #target: Target
  readonly #input: Costs
  readonly #accuracy: number
  readonly #began = performance.now()

  static async open(request: Request, environment: RunEnvironment): Promise<Search> {
    const target = parseTarget(request.target)
    const data = await openDataset(request.data, { validation: VALIDATION, seed: request.seed, limit: request.limit })
    await mkdir(join(request.folder, 'trials'), { recursive: true })
    const model = await openForRecipe(request.model, request.seed)
    const path = join(request.folder, 'input.onnx')
    await writeModel(model, path)
    const costs = await costsOf(path, environment, request.threads)
    const accuracy = await scoreOf(model, data, heldOut(data), environment, request.threads)
    return new Search(request, environment, data, model, target, costs, accuracy)
  }

  private constructor(
    request: Request,
    environment: RunEnvironment,
    data: Dataset,
    model: Model,
    target: Target,
    input: Costs,
    accuracy: number,
  ) {
    this.#request = request
    this.#environment = environment
    this.#data = data
    this.#model = model
    this.#target = target
    this.#input = input
    this.#accuracy = accuracy
  }

  /** Seconds since the search began. */
  get #seconds(): number {
    return (performance.now() - this.#began) / 1000
  }

  #isOver(share = 1): boolean {
    return this.#environment.stopping() || this.#seconds > share * this.#request.seconds
  }

  async map(): Promise<readonly Sensitivity[]> {
    const file = join(this.#request.folder, 'sensitivity.json')
    if (existsSync(file)) return SensitivityMap.parse(JSON.parse(await readFile(file, 'utf8')))
    const held = heldOut(this.#data)
    const split = subset(held, Math.min(this.#request.samples, held.count), this.#request.seed)
    const { threads } = this.#request
    const found = await sensitivities(this.#model.graph, {
      score: (graph) => scoreOf({ ...this.#model, graph }, this.#data, split, this.#environment, threads),
      time: async (...graphs) => {
        const [before, after] = await latenciesInTurn(this.#environment.executor, graphs, TIMING)
        return [before?.minMs ?? NaN, after?.minMs ?? NaN]
      },
      isOver: () => this.#isOver(MAP_TIME),
      progress: (done, total) => this.#progress('sensitivity', done, total),
    })
    await replaceJson(file, found)
    return found
  }

  async halve(): Promise<readonly Trial[]> {
    let left = candidatesFor(this.#target, Math.min(1, shareOf(this.#target, this.#input)))
    const trials: Trial[] = []
    for (let rung = 0; left.length > 0 && !this.#isOver(); rung++) {
      const epochs = rung === 0 ? 0 : this.#request.epochs * GROWTH ** (rung - 1)
      const finished: { candidate: Candidate; trial: Trial }[] = []
      for (const [i, candidate] of left.entries()) {
        if (this.#isOver()) break
        this.#progress(`${candidate.name}, ${epochs} epochs`, i, left.length)
        const trial = await this.#try(candidate, epochs)
        if (trial) finished.push({ candidate, trial })
      }
      trials.push(...finished.map((f) => f.trial))
      await replaceJson(join(this.#request.folder, 'trials.json'), trials)
      if (rung === this.#request.rungs) break
      left = best(finished, rung === 0 ? 2 * KEPT : KEPT).map((f) => f.candidate)
    }
    return trials
  }

  /** Runs a candidate, or takes what an earlier search made of it; undefined for one that this model is not made for. */
  async #try(candidate: Candidate, epochs: number): Promise<Trial | undefined> {
    const { folder: root, model, data, seed, limit, threads } = this.#request
    const folder = join(root, 'trials', `${slug(candidate.name)}-${epochs}`)
    if (existsSync(join(folder, 'refused.json'))) return undefined
    const resume = existsSync(join(folder, 'run.json'))
    const recipe = { alambic: 1, name: 'trial', steps: stepsOf(candidate, epochs) }
    try {
      await runRecipe(
        RunRequest.parse({ recipe, model, data, folder, resume, seed, limit, threads }),
        this.#environment,
      )
    } catch (thrown) {
      const error = asAlambicError(thrown)
      if (error.code.startsWith('internal.')) throw thrown
      await replaceJson(join(folder, 'refused.json'), error.toJSON())
      return undefined
    }
    const { record } = await RunFolder.open(folder)
    if (record.state !== 'succeeded') return undefined
    const path = join(folder, 'model.onnx')
    const costs = await costsOf(path, this.#environment, threads)
    const trained = (await readModel(path)).model
    const accuracy = await scoreOf(trained, this.#data, heldOut(this.#data), this.#environment, threads)
    const cost = costs[this.#target.kind]
    return { candidate: candidate.name, epochs, folder, costs, accuracy, cost, meetsTarget: cost <= this.#limit() }
  }

  #limit(): number {
    const { kind, limit, isShare } = this.#target
    return isShare ? limit * this.#input[kind] : limit
  }

  async conclude(map: readonly Sensitivity[], trials: readonly Trial[]): Promise<Report> {
    const least = this.#accuracy - this.#request.maxDrop
    const meets = trials.filter((t) => t.meetsTarget).toSorted((a, b) => b.accuracy - a.accuracy)
    const found = meets.find((t) => t.accuracy >= least)
    const input = { cost: this.#input[this.#target.kind], accuracy: this.#accuracy, costs: this.#input }
    const front = paretoFront([{ candidate: 'input', epochs: 0, ...input }, ...trials])
    const common = {
      target: this.#request.target,
      input,
      front,
      trials,
      sensitivity: cheapest(map, this.#target.kind),
      seconds: this.#seconds,
    }
    await replaceJson(join(this.#request.folder, 'optimize.json'), common)
    if (!found) throw this.#infeasible(meets[0] ?? trials.toSorted((a, b) => a.cost - b.cost)[0])
    const output = this.#request.output ?? join(this.#request.folder, 'model.onnx')
    await replaceFile(output, await readFile(join(found.folder, 'model.onnx')))
    const chosen = (await readModel(output)).model
    const { test } = this.#data.splits
    const { threads } = this.#request
    const tested = test?.labels ? { accuracy: await scoreOf(chosen, this.#data, test, this.#environment, threads) } : {}
    return { output, folder: this.#request.folder, found, ...tested, ...common }
  }

  #infeasible(closest: Trial | undefined): AlambicError {
    const { kind } = this.#target
    const percent = (share: number) => `${(100 * share).toFixed(2)} %`
    return new AlambicError('target.infeasible', `no recipe that was tried meets ${this.#request.target}`, {
      subject: this.#request.target,
      expected: `${kind} of at most ${this.#limit().toPrecision(4)} with an accuracy of at least ${percent(this.#accuracy - this.#request.maxDrop)}`,
      found: closest
        ? `closest: "${closest.candidate}" with ${kind} ${closest.cost.toPrecision(4)} and ${percent(closest.accuracy)}`
        : 'no finished trial',
      fix: `Allow a larger drop, a weaker target, or more time; all trials are in ${this.#request.folder}.`,
    })
  }

  #progress(activity: string, done: number, total: number): void {
    const elapsed = 1000 * this.#seconds
    this.#environment.listener.progress({ activity, done, total, elapsed, values: {} })
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

async function costsOf(path: string, { executor }: RunEnvironment, threads: number | undefined): Promise<Costs> {
  const stage = await measureStage('trial', path, undefined, { executor, threads })
  const { params, macs, bytes, packedBytes, medianMs } = stage
  return { params, macs: macs ?? Infinity, bytes, packed: packedBytes ?? bytes, latency: medianMs }
}

/** A graph of no file of its own goes with the preprocessing of the search's input. */
function scoreOf(
  model: Model,
  data: Dataset,
  split: Split,
  { executor }: RunEnvironment,
  threads: number | undefined,
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

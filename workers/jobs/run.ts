import { mkdir, readFile } from 'node:fs/promises'
import { basename, extname, join, resolve } from 'node:path'
import type { z } from 'zod'
import { asAlambicError } from '../protocol/errors.ts'
import { isFinished, type Choice, type RunRecord } from '../protocol/files/record.ts'
import type { RunRequest, Report, RunState } from '../protocol/worker.ts'
import type { Dataset } from '../datasets/index.ts'
import type { Executor } from '../executors/executor.ts'
import type { Model } from '../graph/graph.ts'
import { writeModel } from '../onnx/index.ts'
import { assess } from '../measure/assess.ts'
import { orderWarnings } from '../recipes/order.ts'
import { checkRecipe, openRecipe, type Recipe } from '../recipes/recipe.ts'
import { openForRecipe } from '../recipes/open.ts'
import type { StepContext, StepResult } from '../recipes/step.ts'
import { RunFolder } from './folder.ts'
import { measureStage } from './measure-stage.ts'
import { dataOf, modelBefore } from './stage.ts'
import { targetsMet } from './targets.ts'
import { trialsOf } from './trials.ts'
import { replaceFile } from '../protocol/files/durable.ts'
import { StepJournal, type Listener } from './journal.ts'

type Request = z.output<typeof RunRequest>

export interface RunEnvironment {
  readonly executor: Executor
  readonly listener: Listener
  /** True once the step at hand shall be the last one. */
  readonly stopping: () => boolean
  /** How the run shall stand when it is left unfinished; undefined when stopping means to keep the best. */
  readonly leaving: () => 'paused' | 'interrupted' | undefined
  /** How the device was chosen, where that was left open. */
  readonly choice?: Choice
}

/**
 * Runs a recipe in its folder, or goes on with it: finished steps are taken from their files, the step at hand from
 * its last checkpoint. Whatever happens, `run.json` says how it ended.
 */
export async function runRecipe(given: Request, environment: RunEnvironment): Promise<Report> {
  const { folder, record, recipe } = given.resume ? await reopen(given, environment) : await begin(given, environment)
  const run = new Run(folder, record, recipe, environment)
  try {
    return await run.go()
  } catch (thrown) {
    await run.fail(thrown)
    throw thrown
  } finally {
    folder.close()
  }
}

interface Begun {
  readonly folder: RunFolder
  readonly record: RunRecord
  readonly recipe: Recipe
}

async function begin(request: Request, { choice }: RunEnvironment): Promise<Begun> {
  const recipe = await openRecipe(request.recipe, request.set)
  const now = new Date().toISOString()
  const record: RunRecord = {
    format: 1,
    id: basename(resolve(request.folder)),
    state: 'preparing',
    created: now,
    updated: now,
    request: { ...request, recipe: recipe.name },
    ...(choice ? { choice } : {}),
    recipe: recipe.plain,
    steps: [],
  }
  return { folder: await RunFolder.create(request.folder, record), record, recipe }
}

async function reopen(request: Request, { choice }: RunEnvironment): Promise<Begun> {
  const { folder, record: found } = await RunFolder.open(request.folder)
  // `auto` becomes the device that was chosen, which is the run's from now on.
  const asked = { ...found.request, device: request.device }
  const record = { ...found, ...(choice ? { choice } : {}), request: asked }
  return { folder, record, recipe: checkRecipe(record.recipe) }
}

class Run {
  readonly #folder: RunFolder
  readonly #recipe: Recipe
  readonly #environment: RunEnvironment
  #record: RunRecord

  constructor(folder: RunFolder, record: RunRecord, recipe: Recipe, environment: RunEnvironment) {
    this.#folder = folder
    this.#record = record
    this.#recipe = recipe
    this.#environment = environment
  }

  async go(): Promise<Report> {
    // A finished run never changes: asked to go on, it answers what it found.
    if (this.#record.state === 'succeeded' && this.#record.result) return this.#record.result
    const request = this.#record.request as Request
    await this.#state('preparing', 'data')
    const data = await dataOf(request, this.#recipe)
    await this.#state('preparing', 'model')
    const source = await openForRecipe(request.model, request.seed)
    let model = await modelBefore(this.#folder.path, this.#record, this.#record.steps.length, source)
    this.#preflight(model)
    this.#warn()
    await this.#state('running')
    await this.#measureInput(source, data)
    let stopped = false
    for (let index = this.#record.steps.length; index < this.#recipe.steps.length && !stopped; index++) {
      if (this.#environment.leaving()) break
      const result = await this.#step(index, { model, source, data, request })
      stopped = result.stopped ?? false
      // A step that was stopped early gives its best model, but is not finished: a resumed run goes on with it.
      if (!stopped) await this.#finish(index, result, data)
      model = result.model
    }
    const left = this.#environment.leaving()
    if (left && this.#record.steps.length < this.#recipe.steps.length) return this.#leave(left)
    return this.#conclude({ model, data, request, stopped })
  }

  /** Ends the process' work on an unfinished run: everything to go on with is on disk. */
  async #leave(state: 'paused' | 'interrupted'): Promise<Report> {
    this.#folder.flush()
    await this.#state(state)
    return { run: this.#folder.path, state }
  }

  #preflight(model: Model): void {
    const done = this.#record.steps.length
    const next = this.#recipe.steps[done]
    const problems = next?.description.preflight?.(model, next.options) ?? []
    if (problems.length === 0) return
    throw asAlambicError(new Error(problems.join('\n')))
  }

  /** A recipe in an order that loses something runs all the same, but not unsaid. */
  #warn(): void {
    if (this.#record.steps.length > 0) return
    for (const text of orderWarnings(this.#recipe)) {
      this.#environment.listener.event(this.#folder.event('warning', { text }))
    }
  }

  /** Stages are worth measuring where there are several: the result of one step is measured anyway. */
  async #measure(step: string, path: string, data: Dataset): Promise<Record<string, unknown> | undefined> {
    if (this.#recipe.steps.length < 2 && step !== 'input') return undefined
    const { executor } = this.#environment
    const { threads } = this.#record.request as Request
    return { ...(await measureStage(step, path, data, { executor, threads })) }
  }

  /** What the result is held against: of no use for a net that is only trained. */
  get #hasBefore(): boolean {
    const { steps, targets } = this.#recipe
    const [only] = steps
    if (steps.length > 1 || targets.maxDrop !== undefined) return true
    return only !== undefined && !['training', 'distillation'].includes(only.description.family)
  }

  async #measureInput(source: Model, data: Dataset): Promise<void> {
    if (this.#record.input || !this.#hasBefore) return
    const path = join(this.#folder.path, 'input.onnx')
    await writeModel(source, path)
    const input = await this.#measure('input', path, data)
    if (!input) return
    this.#record = { ...this.#record, input }
    await this.#folder.write(this.#record)
  }

  /** The way from the input to the result, and what was odd about the recipe. */
  #stages(): Report {
    const made = this.#record.steps.flatMap((s) => s.stage ?? [])
    const warnings = orderWarnings(this.#recipe)
    return {
      ...(made.length > 0 ? { stages: [...(this.#record.input ? [this.#record.input] : []), ...made] } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    }
  }

  async #step(
    index: number,
    at: { model: Model; source: Model; data: Dataset; request: Request },
  ): Promise<StepResult> {
    const { description, options } = this.#recipe.steps[index] as Recipe['steps'][number]
    const { executor, listener, stopping } = this.#environment
    const { model, source, data, request } = at
    const journal = new StepJournal(this.#folder, index, listener, {
      checkpointEvery: request.checkpointEvery,
      keep: { newest: 2, every: request.keepEvery },
    })
    journal.event('step-started', { step: description.id, title: description.title })
    const context: StepContext = {
      model,
      source,
      data,
      seed: request.seed,
      threads: request.threads,
      executor,
      journal,
      open: (reference) => openForRecipe(reference, request.seed),
      stopping,
      trials: {
        folder: join(this.#folder.path, 'steps', String(index), 'search'),
        ...trialsOf(runRecipe, request, this.#environment),
      },
    }
    return description.run(context, options)
  }

  async #finish(index: number, result: StepResult, data: Dataset): Promise<void> {
    const file = join('steps', String(index), 'model.onnx')
    await mkdir(join(this.#folder.path, 'steps', String(index)), { recursive: true })
    await writeModel(result.model, join(this.#folder.path, file))
    const artifacts = Object.keys(result.artifacts ?? {}).map((name) => join('steps', String(index), name))
    for (const [i, pieces] of Object.values(result.artifacts ?? {}).entries()) {
      await replaceFile(join(this.#folder.path, artifacts[i] as string), Buffer.concat(pieces))
    }
    const id = this.#recipe.steps[index]?.description.id ?? ''
    const stage = await this.#measure(id, join(this.#folder.path, file), data)
    const done = {
      id,
      model: file,
      report: result.report,
      ...(artifacts.length > 0 ? { artifacts } : {}),
      ...(stage ? { stage } : {}),
    }
    this.#record = { ...this.#record, steps: [...this.#record.steps, done] }
    await this.#folder.write(this.#record)
    this.#environment.listener.event(this.#folder.event('step-finished', { stepIndex: index, step: id }))
  }

  /** Writes the model where the person wanted it, and measures what was written. */
  async #conclude(at: { model: Model; data: Dataset; request: Request; stopped: boolean }): Promise<Report> {
    const { model, data, request, stopped } = at
    const path = request.output ?? join(this.#folder.path, 'model.onnx')
    const written = await writeModel(model, path)
    const artifacts = stopped ? [] : await this.#copyArtifacts(path)
    const measured = await assess(path, data, { executor: this.#environment.executor, threads: request.threads })
    const result = {
      output: path,
      sha256: written.sha256,
      ...(artifacts.length > 0 ? { artifacts } : {}),
      run: this.#folder.path,
      stopped,
      steps: this.#record.steps.map((s) => s.report),
      ...this.#stages(),
      ...measured,
      ...this.#targets(measured),
    }
    this.#record = { ...this.#record, state: stopped ? 'stopped' : 'succeeded', result }
    await this.#folder.write(this.#record)
    this.#environment.listener.event(this.#folder.event('finished', { state: this.#record.state }))
    return result
  }

  #targets(measured: Parameters<typeof targetsMet>[2]): Report {
    const before = this.#record.input?.['accuracy']
    const targets = targetsMet(this.#recipe.targets, typeof before === 'number' ? before : undefined, measured)
    return targets.length > 0 ? { targets } : {}
  }

  /** What the last step made beside the model goes beside the output, under its name. */
  async #copyArtifacts(output: string): Promise<string[]> {
    const made = this.#record.steps.at(-1)?.artifacts ?? []
    return Promise.all(
      made.map(async (file) => {
        const path = output.replace(/(\.onnx)?$/, extname(file))
        await replaceFile(path, await readFile(join(this.#folder.path, file)))
        return path
      }),
    )
  }

  /**
   * Writes down why the run does not go on. Numbers that are not finite and a full disk pause it: its last checkpoint
   * is from before, and a person can change something and resume.
   */
  async fail(thrown: unknown): Promise<void> {
    if (isFinished(this.#record.state)) return
    const error = asAlambicError(thrown).toJSON()
    const state = pausing.has(error['code'] as string) ? 'paused' : 'failed'
    try {
      this.#folder.flush()
      this.#environment.listener.event(this.#folder.event(state, error))
      this.#record = { ...this.#record, state, error }
      await this.#folder.write(this.#record)
    } catch {
      // The disk may be full or gone: the error itself still reaches the host, and the record says the run went on
      // until here, which is how one that was interrupted looks.
    }
  }

  async #state(state: RunState, what?: string): Promise<void> {
    const { error: _settled, ...record } = this.#record
    this.#record = { ...record, state }
    await this.#folder.write(this.#record)
    this.#environment.listener.event(this.#folder.event('state', { state, ...(what === undefined ? {} : { what }) }))
  }
}

const pausing: ReadonlySet<string> = new Set(['train.diverged', 'disk.full', 'device.lost', 'device.out-of-memory'])

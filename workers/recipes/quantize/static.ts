import type { Graph } from '../../graph/graph.ts'
import { sizeOf } from '../../graph/tensor.ts'
import { preprocessingFor } from '../../datasets/index.ts'
import type { Calibrated } from '../../measure/calibrate/index.ts'
import type { Evaluation } from '../../measure/accuracy.ts'
import {
  correctBiases,
  dequantizedValue,
  layerSpeeds,
  outputSqnr,
  pairedComparison,
  pairedSqnr,
  samplesOf,
  portabilityOf,
  portabilityWarning,
  saturationOf,
  saturationWarning,
  searchFallback,
  timeInTurn,
  type Attempt,
  type LayerSpeed,
} from '../../measure/quantization/index.ts'
import type { CalibrationData } from '../../measure/calibrate/index.ts'
import {
  analyticShifts,
  normalizedMoments,
  planQuantization,
  quantizeStatic,
  rangesNeeded,
  withShiftedBias,
  type PlanOptions,
  type QuantizedWeight,
  type QuantPlan,
  type StaticReport,
} from '../../passes/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { FallbackAttempt } from '../../protocol/files/methods.ts'
import type { StepContext } from '../step.ts'
import { chanceWarning, checkOf, type Check } from './accuracy.ts'
import {
  budgetWarning,
  bytesOf,
  mixWithin,
  noiseOf,
  parseQuantizeBudget,
  type Mixed,
  type QuantizeBudget,
} from './mixed.ts'
import { schemeOf, type QuantizeOptions } from './options.ts'
import { calibrationSplit, rangesOf } from './ranges.ts'

export interface Quantized {
  readonly graph: Graph
  readonly report: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  /** The float graph that became codes, where that is not the one that the result is compared with. */
  readonly float?: Graph
}

/** What a layer of the report shows of itself. */
interface LayerRow {
  readonly layer: string
  readonly op: string
  readonly type: string
  /** Of a weight. */
  readonly bits: number
  readonly range?: readonly [number, number]
  readonly sqnr?: number
  readonly isolated?: number
  readonly floatMs?: number
  readonly int8Ms?: number
}

/** Weights that were quantized in another way than by rounding, and what they were made for. */
export interface Prepared {
  readonly weights?: ReadonlyMap<string, QuantizedWeight>
}

/** Samples and milliseconds that simulating another processor may take: it is some thousand times slower. */
const PORTABILITY_SAMPLES = 64
const PORTABILITY_MS = 8000

/** Calibrates and quantizes a prepared graph, and searches for layers that must stay in float. */
export async function quantizeStatically(
  context: StepContext,
  graph: Graph,
  options: QuantizeOptions,
  prepared: Prepared = {},
): Promise<Quantized> {
  const run = new StaticRun(context, graph, options, prepared)
  return run.go()
}

/** Layers of a model that are looked at one by one unless that is asked for, which takes a second for each or so. */
const MOST_ALONE = 24

class StaticRun {
  readonly #context: StepContext
  readonly #graph: Graph
  readonly #options: QuantizeOptions
  readonly #prepared: Prepared
  readonly #full: QuantPlan
  readonly #warnings: string[] = []
  #ranges: ReadonlyMap<string, Calibrated> = new Map()
  #ranking: readonly { layer: string; sqnr: number }[] | undefined

  constructor(context: StepContext, graph: Graph, options: QuantizeOptions, prepared: Prepared) {
    this.#context = context
    this.#graph = graph
    this.#options = options
    this.#prepared = prepared
    this.#full = this.#plan(new Set())
  }

  #plan(float: ReadonlySet<string>): QuantPlan {
    const { exclude, excludeOps, floatOutputs } = this.#options
    const options: PlanOptions = {
      symmetric: schemeOf(this.#options).symmetricActivations,
      exclude: new Set([...exclude, ...float]),
      excludeOps: new Set(excludeOps),
      floatOutputs,
    }
    return planQuantization(this.#graph, options)
  }

  /** Ranges are known by value, so a plan with fewer layers needs none anew, but for values that the clamp hid. */
  #write(float: ReadonlySet<string>): { graph: Graph; report: StaticReport; plan: QuantPlan } {
    const plan = float.size === 0 ? this.#full : this.#plan(float)
    const { weights } = this.#prepared
    const result = quantizeStatic(plan, {
      ranges: this.#ranges,
      scheme: schemeOf(this.#options),
      ...(weights ? { weights } : {}),
    })
    return { ...result, plan }
  }

  async go(): Promise<Quantized> {
    if (this.#full.layers.length === 0) throw nothing(this.#full)
    const check = checkOf(this.#context, this.#graph, this.#options)
    const baseline = await check?.evaluate(this.#graph)
    this.#sanity(check, baseline)
    const scheme = schemeOf(this.#options)
    const calibration = await rangesOf(this.#context, this.#graph, this.#valuesOfInterest(), this.#options, {
      type: scheme.activations,
      affine: { symmetric: scheme.symmetricActivations },
    })
    this.#ranges = calibration.ranges
    this.#warnings.push(...calibration.warnings)
    const { found, mixed, speeds } = await this.#float(check, baseline)
    const { graph: written, report, plan } = this.#write(found.float)
    const { graph, layers: corrected } = await this.#corrected(written, plan)
    const known = corrected ? undefined : found.accuracy
    const accuracy = baseline && check && (known ?? (await this.#compare(check, baseline, graph)))
    const saturation = await this.#portability(graph, plan)
    if (mixed) await this.#checkBudget(mixed, graph)
    const { sqnr, isolated } = await this.#noise(graph, report)
    return {
      graph,
      float: this.#graph,
      warnings: [...this.#warnings, ...report.warnings],
      report: {
        calibration: {
          method: this.#options.calibration,
          samples: calibration.samples,
          values: calibration.ranges.size,
        },
        ...(accuracy ? { accuracy } : {}),
        ...(sqnr ? { sqnr: sqnr.output } : {}),
        layers: rowsOf(report, { sqnr: sqnr?.layers, isolated, speeds, bits: scheme.weightBits }),
        float: [...found.float],
        absorbed: report.absorbed,
        left: report.left,
        ...(saturation ? { saturation: saturation.layers } : {}),
        ...(saturation?.model ? { portability: saturation.model } : {}),
        ...(corrected ? { biasCorrection: corrected } : {}),
        ...(found.search ? { search: found.search } : {}),
        ...(mixed ? { mixed } : {}),
        ...(this.#options.maxDrop === undefined ? {} : { maxDrop: this.#options.maxDrop }),
      },
    }
  }

  /** Which layers stay in float: slow ones, those that a budget spares, and those that the accuracy needs. */
  async #float(check: Check | undefined, baseline: Evaluation | undefined) {
    const budget = parseQuantizeBudget(this.#options.budget ?? '')
    const isTimed = this.#options.optimize === 'latency' || budget?.kind === 'latency'
    const speeds = isTimed || this.#isSmall ? await this.#speeds() : []
    const slow = new Set(speeds.filter((s) => s.int8Ms >= s.floatMs).map((s) => s.layer))
    const mixed = budget && (await this.#mix(budget, speeds))
    const inFloat = mixed ? mixed.layers.filter(({ bits }) => bits === 32).map(({ layer }) => layer) : []
    const found = await this.#meetDrop(check, baseline, new Set([...(isTimed ? slow : []), ...inFloat]))
    return { found, mixed, speeds }
  }

  #sanity(check: Check | undefined, baseline: Evaluation | undefined): void {
    const warning = check && baseline && chanceWarning(baseline, check.labels)
    if (warning) this.#warn(warning)
    if (this.#options.maxDrop === undefined || check) return
    throw new AlambicError('quantize.no-labels', 'a largest accuracy drop needs labelled samples to measure it with', {
      expected: 'a classifier, and labels in a validation or test split',
      found: `the data set "${this.#context.data.id}"`,
      fix: 'Give labelled data, or leave maxDrop out and read the signal-to-noise ratios.',
    })
  }

  #warn(text: string): void {
    this.#warnings.push(text)
  }

  /** Layers may return to float later, or be looked at alone: then a value that shared a scale may need a range of its own. */
  #valuesOfInterest(): readonly string[] {
    const { maxDrop, optimize, budget } = this.#options
    const isWhole = maxDrop === undefined && optimize === 'size' && budget === undefined
    if (isWhole && !this.#isSmall) return rangesNeeded(this.#full)
    return [...this.#full.activations.keys()]
  }

  /** Few enough layers to look at each of them alone without being asked. */
  get #isSmall(): boolean {
    return this.#options.diagnose && this.#full.weights.length <= MOST_ALONE
  }

  async #speeds(): Promise<readonly LayerSpeed[]> {
    const { graph, plan } = this.#write(new Set())
    const layers = plan.weights.map((site) => site.node)
    return layerSpeeds(this.#graph, graph, layers, this.#context, (done) =>
      this.#progress('time layers', done, layers.length),
    )
  }

  /** Float or int8 for each layer within the budget, by the noise that each alone brings to the outputs in int8. */
  async #mix(budget: QuantizeBudget, speeds: readonly LayerSpeed[]): Promise<Mixed> {
    const isTimed = budget.kind === 'latency'
    const noises = new Map((await this.#rank()).map(({ layer, sqnr }) => [layer, noiseOf(sqnr)]))
    const speedOf = new Map(speeds.map((speed) => [speed.layer, speed]))
    const layers = this.#full.weights.flatMap(({ name, node }) => {
      const elements = sizeOf(this.#full.graph.initializers.get(name)?.dims ?? [])
      const speed = speedOf.get(node.name)
      if (isTimed && !speed) return []
      const [float, int8] = isTimed ? [speed?.floatMs ?? 0, speed?.int8Ms ?? 0] : [4 * elements, elements]
      const precisions = [
        { bits: 32, cost: float, noise: 0 },
        { bits: 8, cost: int8, noise: noises.get(node.name) ?? 0 },
      ]
      return [{ layer: node.name, precisions }]
    })
    const float = isTimed ? await this.#latency(this.#graph) : bytesOf(this.#graph)
    return mixWithin({ budget: this.#options.budget ?? '', float, layers })
  }

  async #latency(graph: Graph): Promise<number> {
    const [timing] = await timeInTurn([graph], this.#context)
    return timing?.medianMs ?? NaN
  }

  async #checkBudget(mixed: Mixed, graph: Graph): Promise<void> {
    const isTimed = parseQuantizeBudget(mixed.budget)?.kind === 'latency'
    const warning = budgetWarning(mixed, isTimed ? await this.#latency(graph) : bytesOf(graph))
    if (warning !== undefined) this.#warn(warning)
  }

  #progress(activity: string, done: number, total: number): void {
    this.#context.journal.progress({ activity, done, total, elapsed: 0, values: {} })
  }

  /** Returns layers to float until the accuracy is kept; those that are slower here are in float from the start. */
  async #meetDrop(check: Check | undefined, baseline: Evaluation | undefined, slow: ReadonlySet<string>) {
    const { maxDrop } = this.#options
    if (maxDrop === undefined || !check || !baseline) return { float: slow }
    const first = await this.#compare(check, baseline, this.#write(slow).graph)
    const { quantized: reached, drop, interval } = first
    this.#attempt({ float: [...slow], accuracy: reached, drop, interval, met: drop <= maxDrop })
    if (first.drop <= maxDrop) return { float: slow, accuracy: first }
    const ranking = (await this.#rank()).filter(({ layer }) => !slow.has(layer))
    const result = await searchFallback({
      ranking: ranking.map(({ layer }) => layer),
      maxDrop,
      baseline,
      labels: check.labels,
      evaluate: (float) => check.evaluate(this.#write(new Set([...slow, ...float])).graph),
      onAttempt: (attempt) => this.#attempt({ ...attempt, float: [...slow, ...attempt.float] }),
      stopping: this.#context.stopping,
    })
    if (!result.met) this.#warn(`no set of float layers keeps the drop within ${100 * maxDrop} %`)
    const float = new Set([...slow, ...result.float])
    const accuracy = await this.#compare(check, baseline, this.#write(float).graph)
    return { float, accuracy, search: { ranking, attempts: result.attempts, met: result.met } }
  }

  /** A point of the search, for those who watch it. */
  #attempt({ float, accuracy, drop, interval, met }: Tried): void {
    const { maxDrop } = this.#options
    const point: FallbackAttempt = { float: [...float], accuracy, drop, interval: [...interval], met }
    this.#context.journal.event('fallback', { ...point, maxDrop, layers: this.#full.weights.length })
  }

  async #compare(check: Check, baseline: Evaluation, graph: Graph) {
    const quantized = await check.evaluate(graph)
    return {
      float: baseline.accuracy,
      quantized: quantized.accuracy,
      ...pairedComparison(baseline, quantized, check.labels),
    }
  }

  /** Every layer alone in integers: how much noise it brings to the outputs, the noisiest first. */
  async #rank(): Promise<readonly { layer: string; sqnr: number }[]> {
    if (this.#ranking) return this.#ranking
    const layers = this.#full.weights.map((site) => site.node.name)
    const rows: { layer: string; sqnr: number }[] = []
    for (const [i, layer] of layers.entries()) {
      const { graph } = this.#write(new Set(layers.filter((other) => other !== layer)))
      rows.push({ layer, sqnr: await outputSqnr(this.#context, this.#graph, graph, this.#samples()) })
      this.#progress('rank layers', i + 1, layers.length)
    }
    this.#ranking = rows.toSorted((a, b) => a.sqnr - b.sqnr)
    return this.#ranking
  }

  #samples(samples = this.#options.diagnoseSamples, batch = this.#options.calibrationBatch): CalibrationData {
    const { preprocessing } = this.#options
    const { data, seed } = this.#context
    return samplesOf(this.#graph, calibrationSplit(data), {
      samples,
      batch: Math.min(batch, samples),
      seed: seed + 1,
      preprocessing: preprocessingFor(data, this.#context.model, preprocessing),
    })
  }

  /** Corrects without data: only rounded weights count, and only where a batch normalization tells the inputs' means. */
  #shifted(graph: Graph, plan: QuantPlan) {
    const shifts = analyticShifts(plan, schemeOf(this.#options), normalizedMoments(this.#context.model.graph))
    const layers: { layer: string; error: number }[] = []
    let shifted = graph
    for (const { node } of plan.weights) {
      const shift = shifts.get(node.name)
      const next = shift && withShiftedBias(shifted, node, shift)
      if (!next) continue
      shifted = next
      layers.push({ layer: node.name, error: shift.reduce((most, s) => Math.max(most, Math.abs(s)), 0) })
    }
    return { graph: shifted, layers }
  }

  /** The same model on processors whose sums of pairs saturate; this one may not be where it will run. */
  async #portability(graph: Graph, plan: QuantPlan) {
    const { activations, weights, reduceRange, portability } = this.#options
    if (!portability || activations !== 'u8' || weights !== 'i8' || reduceRange) return undefined
    const layers = plan.weights.map((site) => site.node)
    const found = await saturationOf(this.#context, graph, layers, this.#samples(4))
    const saturating = found.filter(({ share }) => share > 0)
    if (saturating.length === 0) return { layers: [] }
    // The whole model, because what one layer gets wrong may be nothing to the next, or more than it can bear.
    const model = await portabilityOf(graph, layers, this.#samples(PORTABILITY_SAMPLES, 1), PORTABILITY_MS)
    const warning = model ? portabilityWarning(model) : saturationWarning(found)
    if (warning !== undefined) this.#warn(warning)
    return { layers: saturating, model }
  }

  async #corrected(graph: Graph, plan: QuantPlan) {
    if (this.#options.biasCorrection === 'none') return { graph, layers: undefined }
    const layers = plan.weights.map((site) => site.node)
    if (this.#options.biasCorrection === 'analytic') return this.#shifted(graph, plan)
    return correctBiases(this.#context, this.#graph, graph, layers, this.#samples(this.#options.samples), (done) =>
      this.#progress('correct biases', done, layers.length),
    )
  }

  /** Of every layer: with all before it in integers, and alone where there was a reason to look at each. */
  async #noise(graph: Graph, report: StaticReport) {
    return {
      sqnr: this.#options.diagnose ? await this.#diagnose(graph, report) : undefined,
      isolated: this.#isSmall ? await this.#rank() : (this.#ranking ?? []),
    }
  }

  /** Noise at the output of every layer with all layers before it in integers too. */
  async #diagnose(graph: Graph, report: StaticReport) {
    const pairs = report.layers.flatMap(({ layer, output }) => {
      const quantized = output && dequantizedValue(graph, output.value)
      return quantized === undefined ? [] : [{ layer, real: output?.value ?? '', quantized }]
    })
    const found = await pairedSqnr(this.#context, this.#graph, graph, pairs, this.#samples())
    const output = await outputSqnr(this.#context, this.#graph, graph, this.#samples())
    return { output, layers: new Map(pairs.map(({ layer }, i) => [layer, found[i] ?? NaN])) }
  }
}

/** What is told of one set of float layers. */
type Tried = Pick<Attempt, 'float' | 'accuracy' | 'drop' | 'interval' | 'met'>

/** What was measured of layers. */
interface Measured {
  readonly sqnr: ReadonlyMap<string, number> | undefined
  readonly isolated: readonly { readonly layer: string; readonly sqnr: number }[]
  readonly speeds: readonly LayerSpeed[]
  /** Of weights, where they have fewer than their type. */
  readonly bits: number | undefined
}

function rowsOf(report: StaticReport, { sqnr, isolated, speeds, bits: fewer }: Measured): readonly LayerRow[] {
  const speedOf = new Map(speeds.map((s) => [s.layer, s]))
  const aloneOf = new Map(isolated.map((row) => [row.layer, row.sqnr]))
  return report.layers.map(({ layer, op, weightType, scales, output }) => {
    const [ratio, alone, speed] = [sqnr?.get(layer), aloneOf.get(layer), speedOf.get(layer)]
    return {
      layer,
      op,
      bits: fewer ?? Number(/\d+/.exec(weightType ?? 'int8')?.[0]),
      type: weightType === undefined ? 'int8' : `${weightType}${(scales ?? 1) > 1 ? ' per channel' : ''}`,
      ...(output ? { range: [output.min, output.max] as const } : {}),
      ...(ratio === undefined ? {} : { sqnr: ratio }),
      ...(alone === undefined ? {} : { isolated: alone }),
      ...(speed ? { floatMs: speed.floatMs, int8Ms: speed.int8Ms } : {}),
    }
  })
}

function nothing(plan: QuantPlan): AlambicError {
  const [first] = plan.left
  return new AlambicError('quantize.nothing', 'this model has no layer that can be quantized statically', {
    expected: 'a Conv, Gemm or MatMul with a constant float32 weight',
    found: first ? `${first.node}: ${first.reason}` : 'none',
    fix: 'Look at what it is made of with `alambic inspect`; LSTM and embeddings take --mode dynamic.',
  })
}

import { AlambicError } from '../../protocol/errors.ts'
import { merge } from '../../graph/merge.ts'
import { extract } from '../../graph/extract.ts'
import type { Graph } from '../../graph/graph.ts'
import { Emitter } from '../../ops/emit.ts'
import { upgrade } from '../../passes/index.ts'
import { crossEntropy, klDivergence, type LossContext, type LossTerm } from '../losses.ts'
import { prepare } from '../prepare.ts'
import { convolution, freshBias, freshWeight } from './adapters.ts'
import { withFreshWeights } from '../../passes/student/fresh.ts'
import { featurePoints, stagesOf, type FeaturePoint } from './points.ts'
import { stopped } from './relation.ts'
import { softenedKL } from './response.ts'
import { inferTypes } from '../../ops/infer.ts'

/** What is trained in a model's place, and by which losses. The model is the part that bears its own names. */
export interface OnlinePlan {
  readonly training: Graph
  readonly losses: readonly LossTerm[]
  /** What was put beside the model, for people. */
  readonly beside: readonly string[]
}

interface Common {
  readonly batch: number
  readonly seed: number
  readonly labelSmoothing?: number
}

/** A loss on one of several outputs of the training graph. */
const on = (output: string, term: LossTerm, name: string, weight: number): LossTerm => ({
  name,
  weight,
  build: (c: LossContext) => term.build({ ...c, outputs: [output] }),
})

/**
 * Deep mutual learning: every net learns from the labels and from the others, L_i = CE_i + mean_j KL(p_j ‖ p_i), with
 * j ≠ i (Zhang et al. 2018, arXiv:1706.00384, eq. 4–7, 10). All nets take the same step at once, each towards what
 * the others said before it. `peers` are in their own names and get prefixes; all have one input of one shape.
 */
export function planMutual(model: Graph, peers: readonly Graph[], { batch, labelSmoothing = 0 }: Common): OnlinePlan {
  const opset = Math.max(18, model.opset, ...peers.map((peer) => peer.opset))
  const ready = (graph: Graph) => prepare(upgrade(graph, opset), { batch })
  const own = ready(model)
  const input = own.requiredInputs[0]?.name ?? ''
  const training = peers.reduce((joined, peer, i) => {
    const other = ready(peer)
    return merge(joined, other, { prefix: `peer${i + 1}.`, bind: { [other.requiredInputs[0]?.name ?? '']: input } })
  }, own)
  const firsts = [0, ...peers.map((_, i) => outputsBefore(own, peers, i))]
  const logits = firsts.map((at) => training.outputs[at]?.name ?? '')
  const names = logits.map((_, i) => (i === 0 ? '' : `.peer${i}`))
  const losses = logits.flatMap((z, i) => [
    on(z, crossEntropy({ labelSmoothing }), `ce${names[i]}`, 1),
    {
      name: `dml${names[i]}`,
      weight: 1,
      build: ({ g }: LossContext) => {
        const others = logits.filter((_, j) => j !== i).map((p) => klDivergence(g, stopped(g, p), z))
        return g.div(
          others.reduce((sum, value) => g.add(sum, value)),
          others.length,
        )
      },
    },
  ])
  return { training, losses, beside: peers.map((peer, i) => `peer ${i + 1}: ${peer.name}`) }
}

const outputsBefore = (own: Graph, peers: readonly Graph[], index: number): number =>
  peers.slice(0, index).reduce((n, peer) => n + peer.outputs.length, own.outputs.length)

export interface SelfOptions extends Common {
  readonly temperature: number
  /** Weight of the divergence; the labels get the rest. */
  readonly alpha: number
  /** Weight of the squared distance of features, summed over a batch. */
  readonly beta: number
}

/**
 * Self-distillation, "be your own teacher": a classifier behind every stage learns from the labels and from the
 * deepest one, and its features from the deepest features (Zhang et al. 2019, arXiv:1905.08094, eq. 2–5, weights of
 * the authors' code). The classifiers exist only in the training graph.
 */
export function planSelf(model: Graph, options: SelfOptions): OnlinePlan {
  const typed = inferTypes(model)
  const maps = stagesOf(featurePoints(typed)).flatMap(({ point }) =>
    point.dims.length === 3 && !isPoint(point) ? [point] : [],
  )
  const deepest = maps.at(-1)
  if (!deepest || maps.length < 2) throw tooFewStages(maps)
  const stages = maps.slice(0, -1)
  const taps = maps.map(({ value }) => ({ name: value, type: typed.type(value) ?? { kind: 'unknown' as const } }))
  const known = new Set(typed.outputs.map((v) => v.name))
  const g = new Emitter(
    prepare(typed.with({ outputs: [...typed.outputs, ...taps.filter((v) => !known.has(v.name))] }), options),
  )
  const logits = typed.outputs[0]?.name ?? ''
  const classes = g.dims(logits).at(-1) as number
  const heads = stages.map((stage, i) => head(g, stage, deepest, classes, { name: `byot.${i}`, seed: options.seed }))
  for (const { features, logits: own } of heads) for (const value of [features, own]) g.output(value)
  const { alpha, beta, temperature, labelSmoothing = 0 } = options
  const losses = heads.flatMap((own, i): LossTerm[] => [
    on(own.logits, crossEntropy({ labelSmoothing }), `ce.head${i + 1}`, 1 - alpha),
    {
      name: `kd.head${i + 1}`,
      weight: alpha,
      build: ({ g }) => softenedKL(g, own.logits, stopped(g, logits), temperature),
    },
    {
      name: `feature.head${i + 1}`,
      weight: beta,
      build: ({ g }) => g.total(g.square(g.sub(own.features, stopped(g, deepest.value)))),
    },
  ])
  return {
    training: g.build(),
    losses: [crossEntropy({ labelSmoothing }), ...losses],
    beside: stages.map(({ value }) => `a classifier behind "${value}"`),
  }
}

const isPoint = ({ dims }: FeaturePoint): boolean => dims.slice(1).every((d) => d === 1)

const tooFewStages = (maps: readonly FeaturePoint[]): AlambicError =>
  new AlambicError('distil.stages', 'this model has too few stages to teach itself', {
    expected: 'at least two sizes of feature maps that everything passes through',
    found: maps.map(({ value, dims }) => `${value} [${dims.join(', ')}]`).join(', ') || 'none',
    fix: 'Distil it from another net instead.',
  })

interface Head {
  /** In the shape of the deepest features. */
  readonly features: string
  readonly logits: string
}

/** Depthwise-separable convolutions down to the deepest size, then pooling and a classifier. */
function head(
  g: Emitter,
  stage: FeaturePoint,
  deepest: FeaturePoint,
  classes: number,
  at: { name: string; seed: number },
): Head {
  const [channels = 1, ...size] = deepest.dims
  let x = stage.value
  for (
    let i = 0;
    g
      .dims(x)
      .slice(2)
      .some((d, axis) => d >= 2 * (size[axis] as number));
    i++
  ) {
    x = separable(g, x, channels, { name: `${at.name}.${i}`, seed: at.seed })
  }
  if (g.dims(x)[1] !== channels)
    x = g.op('Relu', [convolution(g, x, channels, 1, { ...at, name: `${at.name}.channels` })])
  x = croppedTo(g, x, size)
  const pooled = g.reshape(g.op('GlobalAveragePool', [x]), [g.dims(x)[0] as number, channels])
  const weight = freshWeight(g, `${at.name}.classifier.weight`, [channels, classes], channels, at.seed)
  return { features: x, logits: g.add(g.matmul(pooled, weight), freshBias(g, `${at.name}.classifier.bias`, classes)) }
}

function separable(g: Emitter, x: string, channels: number, { name, seed }: { name: string; seed: number }): string {
  const from = g.dims(x)[1] as number
  const filter = freshWeight(g, `${name}.depthwise`, [from, 1, 3, 3], 9, seed)
  const y = g.op('Conv', [x, filter], { group: from, kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })
  return g.op('Relu', [convolution(g, y, channels, 1, { name: `${name}.pointwise`, seed })])
}

/** Odd sizes leave a row too many. */
function croppedTo(g: Emitter, x: string, size: readonly number[]): string {
  const own = g.dims(x).slice(2)
  if (own.every((d, i) => d === size[i])) return x
  return g.slice(x, [2, 3], [0, 0], size)
}

export interface BranchOptions extends Common {
  readonly temperature: number
  /** Branches beside the model's own. */
  readonly branches: number
}

/**
 * One net with small branches: the later layers are repeated with fresh weights behind a shared beginning, a gate
 * weighs what all branches say, and every branch learns from the labels and from that ensemble (Lan et al. 2018,
 * arXiv:1806.04606, eq. 3–7). Only the model's own branch is exported.
 */
export function planBranches(model: Graph, options: BranchOptions): OnlinePlan {
  const { batch, seed, branches, temperature, labelSmoothing = 0 } = options
  const typed = inferTypes(model)
  const cut = branchPoint(typed)
  const tap = { name: cut.value, type: typed.type(cut.value) ?? { kind: 'unknown' as const } }
  const own = prepare(typed.with({ outputs: [...typed.outputs, tap] }), { batch })
  const tail = extract(own, [cut.value], [own.outputs[0]?.name ?? ''])
  const joined = Array.from({ length: branches }, (_, i) => i + 1).reduce(
    (graph, i) =>
      merge(graph, withFreshWeights(tail, seed + i), { prefix: `branch${i}.`, bind: { [cut.value]: cut.value } }),
    own,
  )
  const g = new Emitter(joined)
  const logits = [own.outputs[0]?.name ?? '', ...joined.outputs.slice(own.outputs.length).map((v) => v.name)]
  const ensemble = gated(g, cut, logits, seed)
  g.output(ensemble)
  const losses = logits.flatMap((z, i): LossTerm[] => {
    const name = i === 0 ? '' : `.branch${i}`
    return [
      on(z, crossEntropy({ labelSmoothing }), `ce${name}`, 1),
      { name: `kd${name}`, weight: 1, build: ({ g }) => softenedKL(g, z, stopped(g, ensemble), temperature) },
    ]
  })
  return {
    training: g.build(),
    losses: [...losses, on(ensemble, crossEntropy({ labelSmoothing }), 'ce.ensemble', 1)],
    beside: logits.slice(1).map((_, i) => `branch ${i + 1} behind "${cut.value}"`),
  }
}

/** The last stage but one: what comes after it is repeated. */
function branchPoint(graph: Graph): FeaturePoint {
  const stages = stagesOf(featurePoints(graph)).map(({ point }) => point)
  const maps = stages.filter((point) => point.dims.length === 3 && !isPoint(point))
  const cut = maps.at(-2) ?? stages.at(-2)
  if (cut) return cut
  throw tooFewStages(maps)
}

/** Σ_i softmax(gate)_i·z_i, the gate a matrix on the pooled features where the branches begin. */
function gated(g: Emitter, cut: FeaturePoint, logits: readonly string[], seed: number): string {
  const [n = 1, channels = 1] = g.dims(cut.value)
  const pooled = g.rank(cut.value) === 4 ? g.reshape(g.op('GlobalAveragePool', [cut.value]), [n, channels]) : cut.value
  const width = g.dims(pooled).at(-1) as number
  const weight = freshWeight(g, 'gate.weight', [width, logits.length], width, seed)
  const shares = g.split(
    g.softmax(g.matmul(pooled, weight), -1),
    -1,
    logits.map(() => 1),
  )
  return logits.map((z, i) => g.mul(z, shares[i] as string)).reduce((sum, value) => g.add(sum, value))
}

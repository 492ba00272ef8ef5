import { z } from 'zod'

/*
 * What methods measure on the way, as the reports of steps in `run.json` (`steps[i].report`) hold it: everything that a
 * chart of a run is drawn from.
 */

/** How much of a layer is lost at each rank: one curve for each rank that its method has. */
export const RankCurve = z.object({
  /** Ranks that were looked at, rising; the last loses nothing. */
  ranks: z.array(z.number().int()),
  /** √(Σ_{i>r} σ_i² / Σ σ_i²) at each, 0 to 1. */
  errors: z.array(z.number()),
})
export type RankCurve = z.infer<typeof RankCurve>

const Change = z.object({ before: z.number(), after: z.number() })

/** A count before and after; null where it cannot be counted. */
const Pair = z.tuple([z.number().nullable(), z.number().nullable()])

/** A group of channels that are cut together, as a round of pruning left it. */
export const PrunedGroup = z.object({
  group: z.number().int(),
  name: z.string(),
  before: z.number().int(),
  after: z.number().int(),
})

/** What one group alone, cut to a ratio, does to the accuracy: batch-norm taken anew, nothing trained. */
export const SensitivityRow = z.object({
  group: z.number().int(),
  name: z.string(),
  ratio: z.number(),
  accuracy: z.number(),
})

/** A round of the steps `prune` and `slim`. */
export const PruneRound = z.object({
  ratio: z.number(),
  groups: z.array(PrunedGroup),
  /** Channels that stay whole, and why. */
  whole: z.array(z.object({ node: z.string(), channels: z.number().int(), reason: z.string() })),
  /** Groups that the method has no score for. */
  unscored: z.array(z.string()),
  params: Pair,
  macs: Pair,
  /** Of the scope `sensitivity`. */
  sensitivity: z.object({ baseline: z.number(), rows: z.array(SensitivityRow) }).optional(),
  /** Of a budget of latency: how many shapes of layers were measured for the prediction. */
  predicted: z.object({ layers: z.number().int() }).optional(),
})

/** A group of a model before it was cut: the slices that go with each unit, and what joins them. */
export const ExplainedGroup = z.object({
  name: z.string(),
  units: z.number().int(),
  members: z.array(
    z.object({
      tensor: z.string(),
      axis: z.number().int(),
      /** Indices of the axis that belong to the group. */
      indices: z.number().int(),
      /** What the axis is to the nodes that read it: `out`, `in`, `bias`, … */
      uses: z.array(z.object({ role: z.string(), node: z.string() })),
    }),
  ),
  /** One sentence for each join: `node "add1" (Add): Add combines them element by element`. */
  because: z.array(z.string()),
  /** How many are not listed. */
  more: z.object({ members: z.number().int(), because: z.number().int() }),
})
export type ExplainedGroup = z.infer<typeof ExplainedGroup>

/** Output channels of a layer. */
export const LayerChannels = z.object({ layer: z.string(), before: z.number().int(), after: z.number().int() })
export type LayerChannels = z.infer<typeof LayerChannels>

const Times = z.object({
  medianMs: z.number(),
  /** 95 %. */
  medianInterval: z.tuple([z.number(), z.number()]),
  n: z.number().int(),
  threads: z.number().int(),
})

export const PruneReport = z.object({
  rounds: z.array(PruneRound).default([]),
  explanation: z.array(ExplainedGroup).optional(),
  channels: z.array(LayerChannels).optional(),
  /** One sample, on the machine of the run. */
  latency: z.object({ before: Times, after: Times }).optional(),
  /** Smaller, but not faster. */
  warning: z.string().optional(),
  /** What a budget of latency predicted from measured layers beside what the whole model takes. */
  prediction: z
    .object({
      predictedMs: z.number(),
      measuredMs: z.number(),
      limitMs: z.number(),
      /** measured / predicted − 1. */
      error: z.number(),
    })
    .optional(),
  /** Of the recovery `lsq`: mean squared error over the outputs' own mean square. */
  layers: z.array(z.object({ layer: z.string(), before: z.number(), after: z.number() })).optional(),
})
export type PruneReport = z.infer<typeof PruneReport>

/** The steps `sparsify` and `prune-retrain`: single weights that are zero. */
export const SparsifyReport = z.object({
  rounds: z
    .array(
      z.object({
        /** Share of the weights that was asked for. */
        sparsity: z.number(),
        layers: z.array(z.object({ name: z.string(), elements: z.number().int(), kept: z.number().int() })),
      }),
    )
    .default([]),
  /** Of `prune-retrain`, which has one round. */
  layers: z.array(z.object({ name: z.string(), elements: z.number().int(), kept: z.number().int() })).optional(),
  /** Where zeros lie: `unstructured`, `filters`, or `2:4`. */
  pattern: z.string().optional(),
})
export type SparsifyReport = z.infer<typeof SparsifyReport>

/** A layer of the step `factorize`: what became of it, or why it stayed. */
export const FactorizedLayer = z.object({
  name: z.string(),
  node: z.string(),
  method: z.string().optional(),
  ranks: z.array(z.number().int()).optional(),
  params: Change.optional(),
  macs: Change.optional(),
  /** ‖W − Ŵ‖ / ‖W‖, or of the outputs on data. */
  error: z.number().optional(),
  note: z.string().optional(),
  skipped: z.string().optional(),
  /** Absent for methods without singular values and for layers too large to look at every rank. */
  curves: z.array(RankCurve).optional(),
})

export const FactorizeReport = z.object({ layers: z.array(FactorizedLayer) })
export type FactorizeReport = z.infer<typeof FactorizeReport>

/** A layer of the step `cluster`. */
export const SharedLayer = z.object({
  name: z.string(),
  elements: z.number().int(),
  nonZeros: z.number().int(),
  clusters: z.number().int(),
  /** Root of the mean squared change of the weights that are not zero, before training. */
  rmse: z.number(),
  /** The shared values after training, rising, and how many weights have each; zeros are not among them. */
  codebook: z.object({ values: z.array(z.number()), counts: z.array(z.number().int()) }),
})

export const ClusterReport = z.object({ layers: z.array(SharedLayer) })
export type ClusterReport = z.infer<typeof ClusterReport>

/** The step `pack`: the container and its tensors; bytes. */
export const PackReport = z.object({
  packed: z.object({
    bytes: z.number(),
    /** Of the ONNX file that it gives back. */
    rawBytes: z.number(),
    ratio: z.number(),
    /** Everything that is no packed tensor. */
    skeletonBytes: z.number(),
    tensors: z.array(
      z.object({
        name: z.string(),
        elements: z.number().int(),
        nonZeros: z.number().int(),
        rawBytes: z.number(),
        packedBytes: z.number(),
        /** Bits of a gap between weights that are written; `dense` where all are. */
        positions: z.union([z.literal('dense'), z.number().int()]),
        fillers: z.number().int(),
        /** Values that are shared; 0 where none are. */
        codebook: z.number().int(),
      }),
    ),
  }),
})

const Span = z.tuple([z.number(), z.number()])

/** Elements of a weight or an activation that became codes, counted in bins of one width from `low` to `high`. */
export const Distribution = z.object({
  /** Of the tensor or value. */
  name: z.string(),
  /** The node that reads the weight, or puts the activation out. */
  layer: z.string(),
  kind: z.enum(['weight', 'activation']),
  low: z.number(),
  high: z.number(),
  counts: z.array(z.number()),
  /** The values that codes can stand for: of the channel that reaches furthest, and of the one that reaches least. */
  clip: Span,
  narrowest: Span.optional(),
  channels: z.number().int().optional(),
})
export type Distribution = z.infer<typeof Distribution>

/** A layer of the steps that quantize. */
export const QuantizedLayer = z.object({
  layer: z.string(),
  op: z.string(),
  /** How its weights are stored, in words: `int8 per channel`. */
  type: z.string().optional(),
  /** Of a weight. */
  bits: z.number().int().optional(),
  /** Of what it puts out, as calibration clipped it. */
  range: Span.optional(),
  /** At its output, with all layers before it quantized too, in decibels. */
  sqnr: z.number().nullable().optional(),
  /** At the model's outputs, with this layer alone quantized, in decibels. */
  isolated: z.number().nullable().optional(),
  floatMs: z.number().optional(),
  int8Ms: z.number().optional(),
  /** Σ(ŵ − w)²/Σw² of a weight in blocks. */
  error: z.number().optional(),
})

/** One set of layers that was tried in float: a point of the fallback search, in the journal as `fallback`. */
export const FallbackAttempt = z.object({
  float: z.array(z.string()),
  accuracy: z.number(),
  drop: z.number(),
  /** 95 %, of the drop; paired. */
  interval: Span,
  met: z.boolean(),
})
export type FallbackAttempt = z.infer<typeof FallbackAttempt>

const Timed = z.object({ medianMs: z.number(), minMs: z.number(), n: z.number().int() })

/** The steps `quantize`, `adaround` and `qat`. */
export const QuantizeReport = z.object({
  mode: z.string().optional(),
  layers: z.array(QuantizedLayer).optional(),
  calibration: z.object({ method: z.string(), samples: z.number().int(), values: z.number().int() }).optional(),
  accuracy: z
    .object({
      float: z.number(),
      quantized: z.number(),
      n: z.number().int(),
      drop: z.number(),
      interval: Span,
      /** McNemar. */
      p: z.number(),
    })
    .optional(),
  /** At the model's outputs, in decibels. */
  sqnr: z.number().nullable().optional(),
  /** Layers that the search or their speed put back to float. */
  float: z.array(z.string()).optional(),
  /** Nodes that multiply by weights and stayed in float, with the reason. */
  left: z.array(z.object({ node: z.string(), reason: z.string() })).optional(),
  /** The fallback search: `maxDrop` is what was to be kept. */
  search: z
    .object({
      ranking: z.array(z.object({ layer: z.string(), sqnr: z.number().nullable() })),
      attempts: z.array(FallbackAttempt),
      met: z.boolean(),
    })
    .optional(),
  maxDrop: z.number().optional(),
  distributions: z.array(Distribution).optional(),
  /** AdaRound: mean squared errors of a layer's output, rounded to nearest and as learned. */
  rounding: z
    .array(
      z.object({
        layer: z.string(),
        nearest: z.number(),
        learned: z.number(),
        flipped: z.number().int(),
        weights: z.number().int(),
      }),
    )
    .optional(),
  bytes: z.object({ float: z.number(), quantized: z.number() }).optional(),
  /** Both models in turn, one sample. */
  latency: z.object({ float: Timed, quantized: Timed, speedup: z.number() }).optional(),
  processor: z.object({ flags: z.array(z.string()), verdict: z.string(), reason: z.string() }).optional(),
  /** It was to be faster, is not, and stayed in float. */
  kept: z.boolean().optional(),
  warnings: z.array(z.string()).optional(),
})
export type QuantizeReport = z.infer<typeof QuantizeReport>

/** The step `equalize`: pairs of layers whose channels were balanced. */
export const EqualizeReport = z.object({
  pairs: z.array(z.tuple([z.string(), z.string()])),
  rounds: z.number().int(),
  /** Of each pair: the least and the greatest factor that a channel of the first was divided by. */
  factors: z.array(Span).optional(),
  /** Activations that became others: Relu6 as Relu. */
  replaced: z.array(z.string()).optional(),
})
export type EqualizeReport = z.infer<typeof EqualizeReport>

/** What stands between two features that a loss compares, in training only. */
export const Bridge = z.object({
  /** `averaged`: the teacher's values, over neighbours. `embedded`: both, in `to` numbers. */
  kind: z.enum(['same', 'attention', 'convolution', 'matrix', 'embedded', 'averaged']),
  /** The student's maps are averaged to this size first. */
  pooled: z.array(z.number().int()).optional(),
  kernel: z.number().int().optional(),
  /** Channels, or numbers, before and behind. */
  from: z.number().int().optional(),
  to: z.number().int().optional(),
  /** Each channel has a variance that is trained. */
  variance: z.boolean().optional(),
})
export type Bridge = z.infer<typeof Bridge>

/** A pair of features as it is trained. Sizes are those of one sample. */
export const PairReport = z.object({
  term: z.string(),
  student: z.string(),
  studentDims: z.array(z.number().int()).readonly(),
  teacher: z.string(),
  teacherDims: z.array(z.number().int()).readonly(),
  /** `bridge` in English. */
  between: z.string(),
  bridge: Bridge,
})
export type PairReport = Readonly<z.infer<typeof PairReport>>

/** A value that everything in a net passes through, and that can be compared with another net's. */
export const PairPoint = z.object({
  value: z.string(),
  node: z.string(),
  op: z.string(),
  dims: z.array(z.number().int()).readonly(),
  /** `16×16`, `tokens` or `vector`. */
  size: z.string(),
  /** The last of its size in a row: pairs are looked for among these. */
  endsStage: z.boolean(),
})
export type PairPoint = Readonly<z.infer<typeof PairPoint>>

/** Teacher and student beside each other, and what of them is compared: the event `pairing` of a run. */
export const Pairing = z.object({
  pairs: z.array(PairReport),
  /** Terms that compare what the nets put out. */
  outputs: z.array(z.string()).default([]),
  teacher: z.array(PairPoint).default([]),
  student: z.array(PairPoint).default([]),
})
export type Pairing = z.infer<typeof Pairing>

/** Where what the teacher says came from, and how fast it was. */
export const TeacherUse = z.object({
  cached: z.boolean(),
  because: z.string().optional(),
  samples: z.number().int(),
  milliseconds: z.number(),
  /** Samples a second. */
  throughput: z.number(),
  bytes: z.number().optional(),
  reused: z.boolean().optional(),
})
export type TeacherUse = z.infer<typeof TeacherUse>

/** How teacher and student of the step `distil` agree; every prediction of a sequence counts. */
export const Agreement = z.object({
  before: z.number(),
  after: z.number(),
  /** Binomial standard error of `after`. */
  error: z.number(),
  n: z.number().int(),
  /** Where the samples are from. */
  split: z.enum(['test', 'train', 'validation']).optional(),
  /** The first samples of the split on which they differ after training, with both classes. */
  disagreements: z.array(z.object({ sample: z.number().int(), teacher: z.number().int(), student: z.number().int() })),
  /** Row: the teacher's class; column: the student's; of the student before and after training. */
  confusion: z.array(z.array(z.number().int())).optional(),
  confusionBefore: z.array(z.array(z.number().int())).optional(),
})
export type Agreement = z.infer<typeof Agreement>

/** The step `distil`. What it pairs and its teacher's cost are of its last phase. */
export const DistilReport = z.object({
  strategy: z.string(),
  pairing: z.array(PairReport).optional(),
  teacher: TeacherUse.optional(),
  /** Samples a second that the student was trained on. */
  throughput: z.number().optional(),
  agreement: Agreement.optional(),
})
export type DistilReport = z.infer<typeof DistilReport>

/** A model on its way through a recipe (`stages` of the result): the size waterfall, and costs against accuracy. */
export const Stage = z.object({
  step: z.string(),
  sha256: z.string(),
  params: z.number(),
  macs: z.number().optional(),
  bytes: z.number(),
  packedBytes: z.number().optional(),
  medianMs: z.number(),
  minMs: z.number(),
  accuracy: z.number().optional(),
  accuracyError: z.number().optional(),
})

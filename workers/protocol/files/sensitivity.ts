import { z } from 'zod'

/** What one technique on one layer does, without any training: a line of a search's `sensitivity.json`. */
export const Sensitivity = z.object({
  layer: z.string(),
  /** In English. */
  technique: z.string(),
  /** The same for shells: `lowRank` by a factor, the share that `sparse` keeps, that `channels` cuts, `bits` of a weight. */
  code: z.enum(['lowRank', 'sparse', 'channels', 'bits']).optional(),
  amount: z.number().optional(),
  family: z.enum(['factorization', 'pruning', 'quantization']),
  /** Accuracy that is lost on the samples, 0 to 1; negative when it grew. */
  drop: z.number(),
  /** Shares of the whole model's multiply-accumulates and parameters that go. Zeros stay in place and save none. */
  macs: z.number().optional(),
  params: z.number(),
  /** Share of the whole model's bytes that goes where the layer is stored in its best form. */
  bytes: z.number(),
  /** Milliseconds of one inference that it saves, measured; of 8 bits, what int8 kernels do; absent where nothing changes. */
  milliseconds: z.number().optional(),
  /** Drop per share of the multiply-accumulates or bytes saved, and per millisecond: the smaller, the better a place. */
  dropPerMacs: z.number().optional(),
  dropPerBytes: z.number().optional(),
  dropPerMillisecond: z.number().optional(),
})
export type Sensitivity = z.infer<typeof Sensitivity>

/** A search's `sensitivity.json`: the map of all techniques over all layers. */
export const SensitivityMap = z.array(Sensitivity)

/** The map of a model, scanned by itself: kept beside the model, `sensitivity.json`. */
export const SensitivityScan = z.object({
  format: z.literal(1),
  /** Of the unmodified model on the same samples. */
  accuracy: z.number(),
  n: z.number(),
  data: z.string(),
  dataHash: z.string(),
  /** False where time ran out: the last layers are missing. */
  complete: z.boolean(),
  lines: SensitivityMap,
})
export type SensitivityScan = z.infer<typeof SensitivityScan>

import { z } from 'zod'
import { Sensitivity } from './sensitivity.ts'

/*
 * What a search for a recipe writes while it goes: events of the run (`search`, `sensitivity`, `trial`,
 * `trial-refused`) and the report of the step `optimize`.
 */

/** What a model costs. Latency in milliseconds; multiply-accumulates where they can be counted. */
export const Costs = z.object({
  latency: z.number(),
  bytes: z.number(),
  /** As a .cmpz container. */
  packed: z.number(),
  macs: z
    .unknown()
    .transform((count) => (typeof count === 'number' && Number.isFinite(count) ? count : undefined))
    .optional(),
  params: z.number(),
})

/** Kinds of candidate recipes; shells have words for each. */
export const candidateKinds = [
  'int8',
  'channels-l1',
  'channels-lamp',
  'tucker-svd',
  'spatial',
  'channels-tucker',
  'channels-int8',
  'shared-lamp',
  'shared-layer',
  'shared-global',
] as const
export type CandidateKind = (typeof candidateKinds)[number]

/** A recipe that was tried. */
export const SearchTrial = z.object({
  /** In English. */
  candidate: z.string(),
  kind: z.enum(candidateKinds).optional(),
  /** Share of the cost that it aims at. */
  share: z.number().optional(),
  epochs: z.number().int(),
  costs: Costs,
  /** On samples that were kept out of training. */
  accuracy: z.number(),
  /** Of the target's kind. */
  cost: z.number(),
  meetsTarget: z.boolean(),
  /** Its steps, for a recipe of one's own. */
  steps: z.array(z.record(z.string(), z.unknown())).optional(),
})
export type SearchTrial = z.output<typeof SearchTrial>

/** What the search began with. */
export const SearchStart = z.object({
  target: z.string(),
  kind: z.enum(['latency', 'bytes', 'packed', 'macs', 'params']),
  /** Most that the target allows, in its own unit. */
  limit: z.number(),
  /** Least accuracy that a result may have. */
  least: z.number(),
  seconds: z.number(),
  input: z.object({ accuracy: z.number(), costs: Costs }),
})
export type SearchStart = z.output<typeof SearchStart>

export const SearchReport = z.object({
  search: SearchStart,
  found: SearchTrial,
  trials: z.array(SearchTrial),
  sensitivity: z.array(Sensitivity),
  /** Spent, over all processes of the run. */
  seconds: z.number(),
})
export type SearchReport = z.output<typeof SearchReport>

import type { Component } from 'vue'
import type { z } from 'zod'
import {
  ClusterReport,
  DistilReport,
  EqualizeReport,
  FactorizeReport,
  PackReport,
  PruneReport,
  QuantizeReport,
  SparsifyReport,
} from '../../../../workers/protocol/files/methods.ts'
import { SearchReport } from '../../../../workers/protocol/files/search.ts'
import ClusterResult from './ClusterResult.vue'
import DistilResult from './DistilResult.vue'
import FactorizeResult from './FactorizeResult.vue'
import PackResult from './PackResult.vue'
import type { Place } from './place.ts'
import PruneResult from './prune/PruneResult.vue'
import SparsityResult from './prune/SparsityResult.vue'
import EqualizeResult from './quantize/EqualizeResult.vue'
import QuantizeResult from './quantize/QuantizeResult.vue'
import SearchResult from './SearchResult.vue'

/**
 * How the report of a step is shown: `component` gets `report`, parsed by `schema`, and `at`, the place it is of. With
 * `live` it is shown from the step's start, without a report, and draws what the journal says (`at.events`).
 */
export interface ResultView {
  readonly schema: z.ZodType
  readonly component: Component
  readonly live: boolean
}

/** A component that takes what a schema gives. */
type Shows<T, Props> = T extends abstract new (...args: never) => { $props: infer Own }
  ? Props extends Pick<Own, keyof Own & ('report' | 'at')>
    ? T
    : never
  : never

/** Shown when the step has reported. */
export const shown = <Schema extends z.ZodType, T extends Component>(
  schema: Schema,
  component: T & Shows<T, { report: z.output<Schema>; at: Place }>,
): ResultView => ({ schema, component, live: false })

/** Shown while the step goes, too. */
export const shownLive = <Schema extends z.ZodType, T extends Component>(
  schema: Schema,
  component: T & Shows<T, { report: z.output<Schema> | undefined; at: Place }>,
): ResultView => ({ schema, component, live: true })

/** Results by the name of their step. A new one is a schema in `protocol/files/methods.ts`, a component, and a line here. */
export const results: Readonly<Record<string, ResultView>> = {
  prune: shownLive(PruneReport, PruneResult),
  slim: shownLive(PruneReport, PruneResult),
  sparsify: shownLive(SparsifyReport, SparsityResult),
  'prune-retrain': shownLive(SparsifyReport, SparsityResult),
  distil: shownLive(DistilReport, DistilResult),
  factorize: shown(FactorizeReport, FactorizeResult),
  cluster: shown(ClusterReport, ClusterResult),
  pack: shown(PackReport, PackResult),
  optimize: shownLive(SearchReport, SearchResult),
  quantize: shownLive(QuantizeReport, QuantizeResult),
  adaround: shownLive(QuantizeReport, QuantizeResult),
  qat: shownLive(QuantizeReport, QuantizeResult),
  equalize: shown(EqualizeReport, EqualizeResult),
}

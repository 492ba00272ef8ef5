import type { Component } from 'vue'
import type { z } from 'zod'
import { PruneReport } from '../../../../workers/protocol/files/methods.ts'
import type { Place } from './place.ts'
import PruneResult from './PruneResult.vue'

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
type Shows<T, Report> = T extends abstract new (...args: never) => { $props: infer Props }
  ? { report: Report; at: Place } extends Pick<Props, keyof Props & ('report' | 'at')>
    ? T
    : never
  : never

const shown = <Schema extends z.ZodType, T extends Component>(
  schema: Schema,
  component: T & Shows<T, z.output<Schema>>,
): ResultView => ({ schema, component, live: false })

/** Results by the name of their step. A new one is a schema in `protocol/files/methods.ts`, a component, and a line here. */
export const results: Readonly<Record<string, ResultView>> = {
  prune: shown(PruneReport, PruneResult),
}

import { inject, provide, ref, type InjectionKey, type Ref } from 'vue'
import type { RunDetail, RunSummary } from '../../../../workers/protocol/studio.ts'
import type { RunEvent } from '../../../../workers/protocol/worker.ts'

/** A step of a run, as the component that shows its result sees it. */
export interface Place {
  readonly run: RunSummary
  readonly detail: RunDetail
  /** Its number, from 0. */
  readonly step: number
  /** Of the journal, since the step began. */
  readonly events: readonly RunEvent[]
  /** It is at hand now. */
  readonly going: boolean
}

/** More bars than this in one chart are not read any more; tables have all. */
export const MOST_BARS = 60

const key: InjectionKey<Ref<string | undefined>> = Symbol('layer')

/** The layer that is looked at: one of the whole page, by the name of its node. */
export function provideLayer(): Ref<string | undefined> {
  const layer = ref<string>()
  provide(key, layer)
  return layer
}

export const useLayer = (): Ref<string | undefined> => inject(key, () => ref<string>(), true)

/** What a run's journal says of each step: events from its start, the newest start when it was resumed. */
export function eventsOf(events: readonly RunEvent[], step: number): readonly RunEvent[] {
  let at = -1
  let finished = 0
  const own: RunEvent[] = []
  for (const event of events) {
    if (event.kind === 'step-started') at = finished
    if (at === step) own.push(event)
    if (event.kind === 'step-finished') {
      finished++
      at = -1
    }
  }
  return own
}

import { computed, ref, shallowRef, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import type { RunSummary } from '../../workers/protocol/studio.ts'
import { useFormat } from '../format/useFormat.ts'
import type { useMonitor } from '../stores/monitor.ts'
import type { Stream } from '../stores/rows.ts'
import { Derived, timeOf, type XKind } from './abscissa.ts'
import type { Column } from './column.ts'
import type { View } from './decimate.ts'
import { chartGroups, type ChartGroup } from './groups.ts'
import { referencesFor } from './references.ts'
import { stageMarkers } from './markers.ts'
import type { ChartLine, Marker, Reference } from './model.ts'
import { Smoother } from './smooth.ts'

export type { XKind } from './abscissa.ts'

interface Input {
  readonly run: RunSummary
  readonly monitor: ReturnType<typeof useMonitor>
  readonly x: XKind
  readonly smoothing: number
  readonly logX: boolean
}

export interface CurveChart extends Omit<ChartGroup, 'lines'> {
  readonly lines: readonly ChartLine[]
  readonly references: readonly Reference[]
}

/** The charts of a run's stages: which lines they have, on which x axis, and the part of it that is seen. */
export function useCurves(input: () => Input) {
  const { t } = useI18n()
  const format = useFormat()
  const view = shallowRef<View>()
  const follow = ref(true)

  const derived = new Map<string, Derived>()
  const smoothers = new Map<string, Smoother>()
  watch(
    () => input().smoothing,
    () => smoothers.clear(),
  )

  const streamsOf = (stage: number): readonly Stream[] =>
    [...input().monitor.streams.value.values()].filter((stream) => stream.stage === stage)

  const stages = computed(() =>
    [
      ...new Set(
        [...input().monitor.streams.value.values()]
          .filter(({ name }) => !name.endsWith('-clock'))
          .map(({ stage }) => stage),
      ),
    ].sort((a, b) => a - b),
  )

  const stepsPerEpoch = (stage: number): number | undefined => {
    const evaluation = streamsOf(stage).find(({ columns }) => columns.has('epoch'))
    const [epoch, step] = [evaluation?.columns.get('epoch'), evaluation?.columns.get('step')]
    if (epoch && step && epoch.length > 0 && epoch.at(0) > 0) return step.at(0) / epoch.at(0)
    const { progress, done } = input().run
    return stage === done && progress?.epochs ? progress.total / progress.epochs : undefined
  }

  const clockOf = (stage: number): Stream | undefined =>
    streamsOf(stage).find(({ name, rows }) => name.endsWith('-clock') && rows > 0)

  const has = (kind: XKind, stage: number): boolean =>
    kind === 'step' || (kind === 'epoch' ? stepsPerEpoch(stage) !== undefined : clockOf(stage) !== undefined)

  /** The x axis that can be had: the one that was chosen, else steps. */
  const kind = (stage: number): XKind => (has(input().x, stage) ? input().x : 'step')

  function xOf({ name, stage, columns }: Stream): Column | undefined {
    const steps = columns.get('step')
    const chosen = kind(stage)
    if (!steps || chosen === 'step') return steps
    const key = `${chosen} ${name}`
    const made = derived.get(key) ?? new Derived()
    derived.set(key, made)
    if (chosen === 'epoch') {
      const per = stepsPerEpoch(stage) ?? 1
      return made.follow(steps, (step) => step / per)
    }
    const clock = clockOf(stage)
    const [known, times] = [clock?.columns.get('step'), clock?.columns.get('elapsed')]
    if (!known || !times) return steps
    const last = known.at(known.length - 1)
    const sure = steps.values.findLastIndex((step) => step <= last) + 1
    return made.follow(steps, (step) => timeOf(step, known, times), sure)
  }

  function smoothOf(key: string, raw: Column): Column | undefined {
    const { smoothing } = input()
    if (smoothing === 0) return undefined
    const made = smoothers.get(key) ?? new Smoother(smoothing)
    smoothers.set(key, made)
    return made.follow(raw)
  }

  function linesOf(group: ChartGroup): readonly ChartLine[] {
    return group.lines.flatMap(({ stream, column, held }, i): ChartLine[] => {
      const source = input().monitor.streams.value.get(stream)
      const raw = source?.columns.get(column)
      const x = source && xOf(source)
      if (!raw || !x) return []
      const id = `${stream} ${column}`
      // What is measured once an epoch is no noise, and neither is a schedule.
      const smooth = held || group.kind === 'learningRate' ? undefined : smoothOf(id, raw)
      const name = held ? t('chart.held', { name: column }) : column
      return [{ id, name, colour: group.kind === 'learningRate' ? 4 : i, x, raw, ...(smooth ? { smooth } : {}) }]
    })
  }

  function referencesOf(group: ChartGroup, stage: number): readonly Reference[] {
    if (group.kind !== 'accuracy') return []
    const found = referencesFor(input().monitor.detail.value, stage)
    return found.map(({ name, accuracy }, i) => ({ name: t(`chart.${name}`), value: accuracy, colour: 1 + i }))
  }

  const chartsOf = (stage: number): readonly CurveChart[] => {
    // Lines grow in place: the version says when to look again.
    if (input().monitor.version.value < 0) return []
    return chartGroups(streamsOf(stage)).map((group) => ({
      ...group,
      lines: linesOf(group),
      references: referencesOf(group, stage),
    }))
  }

  /** The last x of a stage, and the last that it will have while it goes. */
  function ends(stage: number): { readonly last: number; readonly total: number } {
    const lasts = streamsOf(stage)
      .filter(({ name }) => !name.endsWith('-clock'))
      .map((stream) => xOf(stream))
      .map((x) => (x && x.length > 0 ? x.at(x.length - 1) : 0))
    const last = Math.max(0, ...lasts)
    const { progress, done, state } = input().run
    const goes = stage === done && progress && !['succeeded', 'stopped', 'failed'].includes(state)
    if (!goes || progress.activity !== 'train') return { last, total: last }
    if (kind(stage) === 'step') return { last, total: Math.max(last, progress.total) }
    return { last, total: kind(stage) === 'epoch' ? Math.max(last, progress.epochs ?? 0) : last }
  }

  /** The part of the x axis that is seen: what was chosen, moved along with the newest value while it is followed. */
  function viewOf(stage: number): View {
    const { last, total } = ends(stage)
    const { logX } = input()
    const least = logX ? Math.max(1e-3, kind(stage) === 'step' ? 1 : total / 1e4) : 0
    const whole = { min: least, max: Math.max(total, least * 10, 1e-9) }
    const chosen = view.value
    if (!chosen) return whole
    const width = chosen.max - chosen.min
    const max = follow.value && chosen.max < last && chosen.max >= followed ? last : chosen.max
    followed = Math.max(followed, max)
    return { min: Math.max(least, max - width), max: Math.max(max, least * 1.0001) }
  }
  /** How far a followed view has come. */
  let followed = 0

  function setView(chosen: View | undefined): void {
    view.value = chosen
    followed = chosen ? chosen.max : 0
  }

  function markersOf(stage: number): readonly Marker[] {
    const { monitor } = input()
    const { events } = monitor
    const place = (step: number): number | undefined => {
      if (kind(stage) === 'step') return step
      const per = stepsPerEpoch(stage)
      if (kind(stage) === 'epoch') return per === undefined ? undefined : step / per
      const clock = clockOf(stage)
      const [known, times] = [clock?.columns.get('step'), clock?.columns.get('elapsed')]
      return known && times ? timeOf(step, known, times) : undefined
    }
    const rates = streamsOf(stage).find(({ columns }) => columns.has('lr'))
    return stageMarkers({
      events: events.value,
      stage,
      lr: rates?.columns.get('lr'),
      steps: rates?.columns.get('step'),
    }).flatMap(({ step, mark, factor }) => {
      const x = place(step)
      const label = t(`chart.marker.${mark}`, { factor: factor === undefined ? '' : format.value.number(factor, 2) })
      return x === undefined ? [] : [{ x, label }]
    })
  }

  return {
    stages,
    chartsOf,
    markersOf,
    viewOf,
    setView,
    kind,
    has,
    follow,
    zoomed: computed(() => view.value !== undefined),
  }
}

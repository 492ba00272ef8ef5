import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { useFormat } from '../../format/useFormat.ts'
import type { Item } from './items.ts'
import { deltaOf, errorOf, type Delta, type Measure } from './measures.ts'

export interface DeltaWords {
  readonly text: string
  /** For those who cannot see signs and colours. */
  readonly said: string
  readonly verdict: Delta['verdict']
}

/** Measures and differences in words. */
export function useShow() {
  const { t } = useI18n()
  const format = useFormat()

  const value = computed(() => (measure: Measure, number: number): string => {
    const f = format.value
    return { share: f.percent, time: f.duration, bytes: f.bytes, count: f.count }[measure.kind](number)
  })

  /** With its error where one was measured; a dash where nothing was. */
  const of = computed(() => (measure: Measure, item: Item): string => {
    const number = measure.of(item)
    if (number === undefined) return '–'
    const error = measure.id === 'accuracy' ? errorOf(item) : undefined
    return error === undefined ? value.value(measure, number) : format.value.percentWithError(number, error)
  })

  const amount = computed(() => ({ kind, value: size }: Delta): string => {
    const f = format.value
    if (kind === 'points') return f.points(Math.abs(size)).replace(/^[+＋]/, '')
    const times = Math.max(size, 1 / size)
    return `${f.number(times, times < 1.1 || times >= 10 ? 3 : 2)}×`
  })

  const sign = { better: '▲', worse: '▼', unclear: '≈', same: '=' } as const

  /** `▲ 3.0×`, `▼ 0.7 pp`. */
  const delta = computed(() => (measure: Measure, item: Item, baseline: Item | undefined): DeltaWords | undefined => {
    if (!baseline || item.id === baseline.id) return undefined
    const found = deltaOf(measure, item, baseline)
    if (!found) return undefined
    const text = found.verdict === 'same' ? '=' : `${sign[found.verdict]} ${amount.value(found)}`
    return {
      text,
      said: t(`compare.verdict.${found.verdict}`, { amount: amount.value(found) }),
      verdict: found.verdict,
    }
  })

  const name = computed(
    () =>
      (measure: Measure): string =>
        t(`compare.measureName.${measure.id}`),
  )

  return { value, of, delta, name }
}

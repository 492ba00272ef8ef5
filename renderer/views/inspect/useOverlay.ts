import { computed, watch, type ComputedRef, type Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useFormat } from '../../format/useFormat.ts'
import type { Overlay } from '../../graph/model.ts'
import { useInspector } from '../../stores/inspector.ts'
import type { Drawn } from './drawn.ts'
import { sensitivityColumn } from './sensitivity.ts'
import {
  bitsOverlay,
  groupsOverlay,
  sensitivityOverlay,
  shareOverlay,
  sparsityOverlay,
  type OverlayId,
  type Words,
} from './overlays.ts'

/** The colours that a person chose over the graph; asks for what they need. */
export function useOverlay(
  chosen: Ref<OverlayId | 'plain'>,
  drawn: ComputedRef<Drawn | undefined>,
): ComputedRef<Overlay | undefined> {
  const { t } = useI18n()
  const format = useFormat()
  const inspector = useInspector()

  watch(
    [chosen, () => inspector.sheet],
    () => {
      if (!inspector.sheet) return
      if (chosen.value === 'sensitivity') void Promise.all([inspector.loadNoise(), inspector.loadScan()])
      if (chosen.value === 'groups') void inspector.loadReach()
    },
    { immediate: true },
  )

  return computed(() => {
    const { sheet, times, noise, reach } = inspector
    const { rowOf } = drawn.value ?? { rowOf: new Int32Array() }
    if (!sheet || chosen.value === 'plain') return undefined
    const rowsOf = (nodes: readonly number[]) => nodes.map((node) => rowOf[node] ?? -1).filter((row) => row >= 0)
    const words: Words = {
      title: t(`inspect.overlay.${chosen.value}`),
      percent: (share) => format.value.percent(share),
      number: (value) => format.value.number(value, 3),
      phrase: (key, values) => t(`inspect.legend.${key}`, values),
    }
    const make: Readonly<Record<OverlayId, () => Overlay | undefined>> = {
      size: () => shareOverlay(sheet.bytes, rowsOf, words),
      macs: () => shareOverlay(sheet.macs, rowsOf, words),
      latency: () => times && shareOverlay(times.ms, rowsOf, words),
      sensitivity: () => {
        const column = sensitivityColumn(sheet, inspector.basis, inspector.scan, noise)
        return column && sensitivityOverlay(column, rowsOf, words)
      },
      bits: () => bitsOverlay(sheet, rowsOf, words),
      sparsity: () => sparsityOverlay(sheet, rowsOf, words),
      groups: () => reach && groupsOverlay(reach, inspector.group, rowsOf, words),
    }
    return make[chosen.value]()
  })
}

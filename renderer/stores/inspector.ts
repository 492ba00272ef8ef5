import { defineStore } from 'pinia'
import { computed, ref, shallowRef, watch } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type {
  LayerTimes,
  ModelReach,
  ModelSheet,
  NodeFacts,
  WeightHistogram,
  WeightNoise,
} from '../../workers/protocol/studio.ts'
import type { SensitivityScan } from '../../workers/protocol/files/sensitivity.ts'
import { useHost } from './host.ts'

/** What is asked for once and kept while the model is looked at. */
function useAsked<T>(ask: () => Promise<T>) {
  const data = shallowRef<T>()
  const error = shallowRef<AlambicError>()
  const busy = ref(false)
  let ticket = 0

  async function load(): Promise<void> {
    if (data.value !== undefined || busy.value) return
    const own = ++ticket
    busy.value = true
    error.value = undefined
    try {
      const found = await ask()
      if (own === ticket) data.value = found
    } catch (thrown) {
      if (own === ticket) error.value = asAlambicError(thrown)
    } finally {
      if (own === ticket) busy.value = false
    }
  }

  function forget(): void {
    ticket++
    data.value = undefined
    error.value = undefined
    busy.value = false
  }

  return { data, error, busy, load, forget }
}

/** Of a scan, what is shown first: few bits tell layers apart the best. */
const preferred = ({ lines }: SensitivityScan): string =>
  lines.find(({ technique }) => technique === '4-bit weights')?.technique ?? lines[0]?.technique ?? 'noise'

/** The model that is looked at: what is known of it, and what of it is selected, which is one thing on the whole screen. */
export const useInspector = defineStore('inspector', () => {
  const host = useHost()
  const place = shallowRef<{ readonly project: string; readonly model: string }>()
  /** The id of a node (`n12`), or a group of the drawing. */
  const selected = ref<string>()
  /** A coupling group, shown alone. */
  const group = ref<number>()
  const times = shallowRef<LayerTimes>()

  const of = () => place.value ?? { project: '', model: '' }
  const sheet = useAsked<ModelSheet>(() => host.call('modelSheet', of()))
  const reach = useAsked<ModelReach>(() => host.call('modelReach', of()))
  const noise = useAsked<WeightNoise>(() => host.call('modelNoise', of()))
  const kept = useAsked(() => host.call('modelSensitivity', of()))
  /** What sensitivity is told by: a technique of the scan, or `noise`. */
  const basis = ref('noise')
  const nodes = new Map<number, Promise<NodeFacts>>()
  const histograms = new Map<string, Promise<WeightHistogram>>()

  function open(project: string, model: string): void {
    if (place.value?.project === project && place.value.model === model) return
    place.value = { project, model }
    selected.value = undefined
    group.value = undefined
    basis.value = 'noise'
    times.value = undefined
    nodes.clear()
    histograms.clear()
    for (const asked of [sheet, reach, noise, kept]) asked.forget()
  }

  /** Asks once for each key; what failed is asked again. */
  function once<K, T>(known: Map<K, Promise<T>>, key: K, ask: () => Promise<T>): Promise<T> {
    const found = known.get(key) ?? ask()
    known.set(key, found)
    found.catch(() => known.delete(key))
    return found
  }

  const node = (row: number): Promise<NodeFacts> =>
    once(nodes, row, () => host.call('modelNode', { ...of(), node: row }))
  const histogram = (tensor: string, axis: number): Promise<WeightHistogram> =>
    once(histograms, `${axis} ${tensor}`, () => host.call('modelWeights', { ...of(), tensor, axis }))

  /** What a scan found just now: shown at once, when its model is still the one that is looked at. */
  function putScan(project: string, model: string, scan: SensitivityScan): void {
    if (place.value?.project !== project || place.value.model !== model) return
    kept.data.value = { scan }
    basis.value = preferred(scan)
  }
  // A scan that is there says more than the proxy.
  watch(kept.data, (found) => {
    if (found?.scan && basis.value === 'noise') basis.value = preferred(found.scan)
  })

  // The first question may come before the connection is there.
  watch([place, () => host.connection], () => {
    if (place.value && host.connection === 'online') void sheet.load()
  })

  return {
    place,
    selected,
    group,
    times,
    sheet: sheet.data,
    sheetError: sheet.error,
    reach: reach.data,
    reachError: reach.error,
    noise: noise.data,
    noiseError: noise.error,
    basis,
    scan: computed(() => kept.data.value?.scan),
    putScan,
    loadScan: kept.load,
    busy: computed(() => reach.busy.value || noise.busy.value),
    open,
    node,
    histogram,
    loadSheet: sheet.load,
    loadReach: reach.load,
    loadNoise: noise.load,
  }
})

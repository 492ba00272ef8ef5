import { computed, ref, watch } from 'vue'
import type { DeviceChoice } from '../../../workers/protocol/devices.ts'
import { firstMaterial, materialOf } from '../../components/material.ts'
import { useHost } from '../../stores/host.ts'
import { useRemote } from '../../stores/remote.ts'
import { useStudio } from '../../stores/studio.ts'

/** What a recipe is made for and tried on: a model, data, how much of it, a seed, a device. */
export function useMaterial(project: () => string) {
  const host = useHost()
  const studio = useStudio()
  const key = () => [project(), studio.contents[project()]]
  const catalog = useRemote(key, () => host.call('catalog', { project: project() }))
  const models = useRemote(key, () => host.call('models', { project: project() }))
  const datasets = useRemote(key, () => host.call('datasets', { project: project() }))
  const model = ref('')
  const data = ref('')
  const limit = ref<number>()
  const seed = ref(42)
  const device = ref<DeviceChoice>('cpu')
  watch([catalog.data, models.data, datasets.data], ([found, own, sets]) => {
    if (!found || !own || !sets) return
    const first = firstMaterial(found, own, sets)
    model.value ||= first.model
    data.value ||= first.data
  })
  const material = computed(() => materialOf(model.value, data.value))
  return { catalog, models, datasets, model, data, limit, seed, device, material }
}

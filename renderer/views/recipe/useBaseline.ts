import { computed, ref, shallowRef, watch } from 'vue'
import type { BaselineReport, RunPlan } from '../../../workers/protocol/studio.ts'
import { useHost } from '../../stores/host.ts'
import { useJob } from '../../stores/jobs.ts'

type Material = Pick<RunPlan, 'model' | 'data'>

/** How good the model is before anything runs; held for as long as model, data and preprocessing are the same. */
export function useBaseline(project: () => string, material: () => Material | undefined, preprocessing: () => unknown) {
  const host = useHost()
  const { result, error, busy, start, cancel } = useJob<BaselineReport>()
  const key = computed(() => JSON.stringify([material(), preprocessing()]))
  const checkedFor = ref('')
  const known = shallowRef<BaselineReport>()

  watch(key, () => {
    known.value = undefined
    cancel()
  })

  async function check(): Promise<BaselineReport | undefined> {
    const chosen = material()
    if (!chosen) return undefined
    if (known.value && checkedFor.value === key.value) return known.value
    const mine = key.value
    const own = preprocessing() as Record<string, never> | undefined
    const found = await start((job) =>
      host.call('checkBaseline', {
        project: project(),
        job,
        ...chosen,
        ...(own === undefined ? {} : { preprocessing: own }),
      }),
    )
    if (key.value !== mine) return undefined
    known.value = found
    checkedFor.value = mine
    return found
  }

  return { known, error, busy, check, cancel, result }
}

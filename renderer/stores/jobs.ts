import { onScopeDispose, ref, shallowRef } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type { JobProgress } from '../../workers/protocol/studio.ts'
import { useHost } from './host.ts'

/** A piece of work that the host does for this screen: its progress, its result or its error, and its cancel. */
export function useJob<T>() {
  const host = useHost()
  const progress = shallowRef<JobProgress>()
  const result = shallowRef<T>()
  const error = shallowRef<AlambicError>()
  const busy = ref(false)
  let job: string | undefined

  const off = host.onChange((change) => {
    if (change.kind === 'job' && change.progress.job === job) progress.value = change.progress
  })
  onScopeDispose(off)

  async function start(work: (job: string) => Promise<T>): Promise<T | undefined> {
    const id = newJob()
    job = id
    busy.value = true
    progress.value = undefined
    error.value = undefined
    try {
      const found = await work(id)
      if (job === id) result.value = found
      return found
    } catch (thrown) {
      if (job === id) error.value = asAlambicError(thrown)
      return undefined
    } finally {
      if (job === id) busy.value = false
    }
  }

  function cancel(): void {
    if (job !== undefined && busy.value) void host.call('cancelJob', { job }).catch(() => undefined)
  }

  return { progress, result, error, busy, start, cancel }
}

export const newJob = (): string => crypto.randomUUID()

import { computed, shallowRef, watch, type ComputedRef, type ShallowRef } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import { useHost } from './host.ts'

export interface Remote<T> {
  readonly data: ShallowRef<T | undefined>
  readonly error: ShallowRef<AlambicError | undefined>
  /** Nothing is shown yet and something is on its way. */
  readonly waiting: ComputedRef<boolean>
  reload(): Promise<void>
}

/**
 * Something that is read from the host: again whenever `key` changes and whenever the host says that all must be read
 * anew. What was read stays in view while it is read again, and while there is no connection.
 */
export function useRemote<T>(key: () => unknown, read: () => Promise<T>): Remote<T> {
  const host = useHost()
  const data = shallowRef<T>()
  const error = shallowRef<AlambicError>()
  let latest = 0

  async function reload(): Promise<void> {
    const ticket = ++latest
    try {
      const found = await read()
      if (ticket !== latest) return
      data.value = found
      error.value = undefined
    } catch (thrown) {
      const problem = asAlambicError(thrown)
      // Without a connection there is nothing wrong with this screen: the banner tells, and it is read again after.
      if (ticket === latest && problem.code !== 'host.offline') error.value = problem
    }
  }

  watch([key, () => host.generation], () => void reload(), { immediate: true })
  return { data, error, waiting: computed(() => data.value === undefined && error.value === undefined), reload }
}

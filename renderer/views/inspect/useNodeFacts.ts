import { shallowRef, watch, type ComputedRef } from 'vue'
import { asAlambicError, type AlambicError } from '../../../workers/protocol/errors.ts'
import type { NodeFacts } from '../../../workers/protocol/studio.ts'
import { useInspector } from '../../stores/inspector.ts'

/** All about the node that is selected; what was shown stays until there is something new. */
export function useNodeFacts(row: ComputedRef<number | undefined>) {
  const inspector = useInspector()
  const facts = shallowRef<NodeFacts>()
  const error = shallowRef<AlambicError>()

  async function load(): Promise<void> {
    const wanted = row.value
    error.value = undefined
    if (wanted === undefined) {
      facts.value = undefined
      return
    }
    try {
      const found = await inspector.node(wanted)
      if (wanted === row.value) facts.value = found
    } catch (thrown) {
      if (wanted === row.value) error.value = asAlambicError(thrown)
    }
  }

  watch(row, () => void load(), { immediate: true })
  return { facts, error, load }
}

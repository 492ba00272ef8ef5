import { onScopeDispose, ref, type Ref } from 'vue'

/** The time, every so many milliseconds: for what is shown as "so long ago". */
export function useNow(every = 5000): Ref<number> {
  const now = ref(Date.now())
  const timer = setInterval(() => (now.value = Date.now()), every)
  onScopeDispose(() => clearInterval(timer))
  return now
}

import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'

export interface Toast {
  readonly id: number
  readonly level: 'info' | 'warning' | 'error'
  readonly text: string
  readonly error?: AlambicError
  /** A run to show, or an edit to take back. */
  readonly action?: { readonly label: string; run(): void }
}

/** How long a message without bad news stays, in milliseconds. */
const STAY = 6000

/** Short messages at the edge of the window. Bad news stays until it is dismissed. */
export const useNotices = defineStore('notices', () => {
  const toasts = shallowRef<readonly Toast[]>([])
  const next = ref(1)

  function say(text: string, more: Partial<Omit<Toast, 'id' | 'text'>> = {}): void {
    const id = next.value++
    const toast: Toast = { level: 'info', ...more, id, text }
    // The same sentence twice is once enough.
    toasts.value = [...toasts.value.filter((other) => other.text !== text), toast].slice(-4)
    if (toast.level === 'info') setTimeout(() => dismiss(id), STAY)
  }

  function fail(thrown: unknown): void {
    const error = asAlambicError(thrown)
    say(error.message, { level: 'error', error })
  }

  function dismiss(id: number): void {
    toasts.value = toasts.value.filter((toast) => toast.id !== id)
  }

  return { toasts, say, fail, dismiss }
})

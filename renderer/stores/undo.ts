import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'

/** An edit that was made: what it is called, and how to take it back and make it again. */
export interface Edit {
  readonly what: string
  undo(): unknown
  redo(): unknown
}

/** More edits than anybody takes back. */
const LIMIT = 200

/** Edits that can be undone: renames, moves to the bin, layout, chart settings. Starting or stopping a run is none. */
export const useUndo = defineStore('undo', () => {
  const done = shallowRef<readonly Edit[]>([])
  const undone = shallowRef<readonly Edit[]>([])
  const busy = ref(false)

  /** Remembers an edit that has been made. */
  function push(edit: Edit): void {
    done.value = [...done.value, edit].slice(-LIMIT)
    undone.value = []
  }

  /** Takes the last edit back; answers it, or undefined when there is none. An edit that fails stays where it was. */
  async function undo(): Promise<Edit | undefined> {
    const edit = done.value.at(-1)
    if (!edit || busy.value) return undefined
    busy.value = true
    try {
      await edit.undo()
      done.value = done.value.slice(0, -1)
      undone.value = [...undone.value, edit]
      return edit
    } finally {
      busy.value = false
    }
  }

  async function redo(): Promise<Edit | undefined> {
    const edit = undone.value.at(-1)
    if (!edit || busy.value) return undefined
    busy.value = true
    try {
      await edit.redo()
      undone.value = undone.value.slice(0, -1)
      done.value = [...done.value, edit]
      return edit
    } finally {
      busy.value = false
    }
  }

  return {
    push,
    undo,
    redo,
    canUndo: computed(() => done.value.length > 0),
    canRedo: computed(() => undone.value.length > 0),
  }
})

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { i18n } from '../locales/index.ts'
import { AlambicError, asAlambicError } from '../../workers/protocol/errors.ts'
import { read } from '../views/recipe/text.ts'
import { keepDraft, takeDraft } from './draft.ts'
import { useHost } from './host.ts'
import { useUndo } from './undo.ts'

/** Milliseconds of quiet after which an edit is written to the file. */
const QUIET = 400

/**
 * The recipe that is open: its text is the state, forms and the YAML view are two ways to see it. Each change is written
 * to its file, and can be undone also after the screen was left.
 */
export const useRecipe = defineStore('recipe', () => {
  const host = useHost()
  const undo = useUndo()
  const project = ref('')
  const file = ref('')
  const text = ref('')
  const hash = ref('')
  const state = ref<'loading' | 'saved' | 'changed' | 'saving'>('loading')
  const error = shallowRef<AlambicError>()
  /** What is on its way to the file. */
  let sending: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const content = computed(() => read(text.value))

  async function open(ofProject: string, name: string): Promise<void> {
    await flush()
    project.value = ofProject
    file.value = name
    state.value = 'loading'
    error.value = undefined
    try {
      const found = (await host.call('recipes', { project: ofProject })).find((one) => one.file === name)
      if (!found) throw new AlambicError('recipe.missing', 'there is no such recipe in this project', { subject: name })
      text.value = found.yaml
      hash.value = found.hash
      state.value = 'saved'
      const draft = takeDraft(ofProject, name)
      if (!draft || draft.text === found.yaml) return
      // Made from what the file was: where that has changed since, writing it is refused, in words.
      if (draft.sent !== found.yaml) hash.value = draft.hash
      edit(draft.text, i18n.global.t('recipe.draft'))
    } catch (thrown) {
      error.value = asAlambicError(thrown)
    }
  }

  /** Makes another text of it; `what` is what undoing calls it. */
  function edit(next: string, what: string): void {
    const before = text.value
    if (next === before) return
    const [ofProject, name] = [project.value, file.value]
    const to = async (wanted: string) => {
      if (project.value !== ofProject || file.value !== name) await open(ofProject, name)
      put(wanted)
    }
    put(next)
    undo.push({ what: i18n.global.t('recipe.edited', { what }), undo: () => to(before), redo: () => to(next) })
  }

  function put(next: string): void {
    text.value = next
    state.value = 'changed'
    clearTimeout(timer)
    timer = setTimeout(() => void save(), QUIET)
  }

  async function save(): Promise<void> {
    if (state.value !== 'changed') return
    clearTimeout(timer)
    const [yaml, ofProject, name] = [text.value, project.value, file.value]
    state.value = 'saving'
    sending = yaml
    try {
      const saved = await host.call('saveRecipe', { project: ofProject, name, file: name, yaml, hash: hash.value })
      if (project.value !== ofProject || file.value !== name) return
      hash.value = saved.hash
      takeDraft(ofProject, name)
      error.value = undefined
      state.value = text.value === yaml ? 'saved' : 'changed'
      if (text.value !== yaml) await save()
    } catch (thrown) {
      error.value = asAlambicError(thrown)
      state.value = 'changed'
    } finally {
      if (sending === yaml) sending = undefined
    }
  }

  /** Writes what is not written yet. */
  async function flush(): Promise<void> {
    clearTimeout(timer)
    await save()
  }

  /** A window that goes or is put aside leaves nothing unwritten: there may be no quiet any more, nor time to write. */
  function leave(): void {
    if (state.value === 'changed' || state.value === 'saving')
      keepDraft(project.value, file.value, {
        text: text.value,
        hash: hash.value,
        ...(sending === undefined ? {} : { sent: sending }),
      })
    void flush()
  }
  window.addEventListener('pagehide', leave)
  document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && leave())

  return { project, file, text, state, error, content, open, edit, flush }
})

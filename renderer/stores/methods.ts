import { defineStore } from 'pinia'
import { computed, shallowRef, watch } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type { MethodInfo, Methods, Words } from '../../workers/protocol/studio.ts'
import { useHost } from './host.ts'
import { useSettings } from './settings.ts'

/** Every method and every built-in recipe, in the language of the screen. Asked for once a connection. */
export const useMethods = defineStore('methods', () => {
  const host = useHost()
  const settings = useSettings()
  const all = shallowRef<Methods>()
  const error = shallowRef<AlambicError>()

  async function load(): Promise<void> {
    try {
      all.value = await host.call('methods', {})
      error.value = undefined
    } catch (thrown) {
      const problem = asAlambicError(thrown)
      if (problem.code !== 'host.offline') error.value = problem
    }
  }
  watch(
    () => host.generation,
    (generation) => {
      if (generation > 0) void load()
    },
    { immediate: true },
  )

  const byId = computed(() => new Map(all.value?.steps.map((method) => [method.id, method])))
  const text = (words: Words): string => words[settings.language]
  const method = (id: string): MethodInfo | undefined => byId.value.get(id)

  /** What a step is called; as it was written down where it is not known any more. */
  function stepTitle(id: string, otherwise: string = id): string {
    const known = method(id)
    return known ? text(known.title) : otherwise
  }

  /** The title of a run's stage, which knows its own in English. */
  const stageTitle = (stage: { readonly id: string; readonly title: string } | undefined): string | undefined =>
    stage && stepTitle(stage.id, stage.title)

  /** Titles of recipes that come with Alambic are in both languages; a person's own are as they were typed. */
  function recipeTitle(title: string): string {
    const known = all.value?.recipes.find((recipe) => recipe.title.en === title)
    return known ? text(known.title) : title
  }

  return { all, error, load, text, method, stepTitle, stageTitle, recipeTitle }
})

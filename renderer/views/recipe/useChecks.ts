import { ref, shallowRef, watch, type Ref } from 'vue'
import { asAlambicError, type AlambicError } from '../../../workers/protocol/errors.ts'
import type { RecipeEstimate, RecipeIssue, RunPlan, StudioApi } from '../../../workers/protocol/studio.ts'
import { useHost } from '../../stores/host.ts'

type Json = Extract<RunPlan['recipe'], object>

type Question = Parameters<StudioApi['estimateRecipe']>[0]

/** Milliseconds of quiet before a changed recipe is looked at. */
const QUIET = 250

/** What is asked about: a recipe that can be read, and what it is for. */
export interface Subject {
  readonly project: string
  readonly plain: Readonly<Record<string, unknown>> | undefined
  readonly material: Pick<RunPlan, 'model' | 'data'> | undefined
  readonly limit: number | undefined
}

/** Issues and estimates of a recipe, asked for anew whenever it changes; a late answer to an old question is dropped. */
export function useChecks(subject: Ref<Subject>) {
  const host = useHost()
  const issues = shallowRef<readonly RecipeIssue[]>()
  const layers = shallowRef<readonly string[]>([])
  const estimate = shallowRef<RecipeEstimate>()
  const error = shallowRef<AlambicError>()
  const busy = ref(false)
  let ticket = 0
  let guessing = false
  let wanted: [number, Question] | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  async function check(): Promise<readonly RecipeIssue[]> {
    clearTimeout(timer)
    const mine = ++ticket
    const { project, plain, material, limit } = subject.value
    if (!plain) return []
    const recipe = plain as Json
    busy.value = true
    try {
      const found = await host.call('checkRecipe', { project, recipe, ...material })
      if (mine !== ticket) return found.issues
      issues.value = found.issues
      layers.value = found.layers
      error.value = undefined
      const good = found.issues.every(({ severity }) => severity !== 'error')
      if (good && material) void guess(mine, { project, recipe, ...material, ...(limit ? { limit } : {}) })
      else estimate.value = undefined
      return found.issues
    } catch (thrown) {
      if (mine === ticket) error.value = asAlambicError(thrown)
      return []
    } finally {
      if (mine === ticket) busy.value = false
    }
  }

  /** One estimate at a time: it may take seconds, and of those that were wanted meanwhile only the last one counts. */
  async function guess(mine: number, question: Question): Promise<void> {
    if (guessing) {
      wanted = [mine, question]
      return
    }
    guessing = true
    try {
      const found = await host.call('estimateRecipe', question)
      if (mine === ticket) estimate.value = found
    } catch (thrown) {
      if (mine === ticket) {
        estimate.value = undefined
        error.value = asAlambicError(thrown)
      }
    } finally {
      guessing = false
      const next = wanted
      wanted = undefined
      if (next) void guess(...next)
    }
  }

  watch(
    [() => JSON.stringify(subject.value), () => host.generation],
    () => {
      clearTimeout(timer)
      timer = setTimeout(() => void check(), QUIET)
    },
    { immediate: true },
  )

  return { issues, layers, estimate, error, busy, check }
}

import { ref } from 'vue'
import { useRouter } from 'vue-router'
import type { BaselineReport, RecipeIssue, RunPlan } from '../../../workers/protocol/studio.ts'
import { useHost } from '../../stores/host.ts'
import { useNotices } from '../../stores/notices.ts'
import { useStudio } from '../../stores/studio.ts'
import type { Point } from './sweep.ts'

interface Before {
  /** The run of a point of a sweep; undefined while it is not known what would run. */
  readonly planOf: (point?: Point) => RunPlan | undefined
  /** Writes what is not written yet, and answers the first thing that speaks against a run. */
  readonly problem: () => Promise<RecipeIssue | undefined>
  readonly jump: (issue: RecipeIssue) => Promise<void>
  readonly isFixed: () => boolean
  readonly checkBaseline: () => Promise<BaselineReport | undefined>
}

/** Starts runs of a recipe. Nothing runs on a model that is fed in a wrong way unawares: it is looked at first. */
export function useStart({ planOf, problem, jump, isFixed, checkBaseline }: Before) {
  const host = useHost()
  const notices = useNotices()
  const router = useRouter()
  const studio = useStudio()
  const starting = ref(false)
  const dialog = ref<'sweep' | 'chance'>()
  let waiting: (() => Promise<void>) | undefined

  async function afterBaseline(then: () => Promise<void>): Promise<void> {
    if (isFixed() || starting.value) return
    starting.value = true
    try {
      const found = await problem()
      if (found) return await jump(found)
      const isTrained = planOf()?.model.kind === 'model'
      const baseline = isTrained ? await checkBaseline() : undefined
      if (!baseline?.nearChance) return await then()
      waiting = then
      dialog.value = 'chance'
    } catch (thrown) {
      notices.fail(thrown)
    } finally {
      starting.value = false
    }
  }

  async function run(): Promise<void> {
    await afterBaseline(async () => {
      const plan = planOf()
      if (!plan) return
      const made = await host.call('createRun', plan)
      studio.putRun(made)
      await router.push({ name: 'run', params: { run: made.run } })
    })
  }

  async function sweep(points: readonly Point[]): Promise<void> {
    await afterBaseline(async () => {
      for (const point of points) {
        const plan = planOf(point)
        if (plan) studio.putRun(await host.call('createRun', plan))
      }
      await router.push({ name: 'runs' })
    })
  }

  async function anyway(): Promise<void> {
    try {
      await waiting?.()
    } catch (thrown) {
      notices.fail(thrown)
    }
  }

  return { starting, dialog, run, sweep, anyway }
}

import { computed, ref } from 'vue'
import type { RunFields } from '../../../workers/protocol/studio.ts'
import { useChoice } from '../../stores/compare.ts'
import { useHost } from '../../stores/host.ts'
import { useRemote } from '../../stores/remote.ts'
import { useStudio } from '../../stores/studio.ts'
import { fairnessOf } from './fairness.ts'
import { itemsOf, type Item } from './items.ts'

/** Everything that can be compared, of all projects. */
function useItems() {
  const host = useHost()
  const studio = useStudio()

  const fields = useRemote(
    () => studio.runs.map(({ run, state }) => `${run} ${state}`).join(),
    async () => new Map((await host.call('runFields', {})).map((one): [string, RunFields] => [one.run, one])),
  )
  const models = useRemote(
    () => [studio.projects.map(({ project }) => project).join(), JSON.stringify(studio.contents)],
    async () => {
      const lists = studio.projects.map(
        async ({ project }) => [project, await host.call('models', { project })] as const,
      )
      return new Map(await Promise.all(lists))
    },
  )

  const items = computed(() =>
    itemsOf({
      runs: studio.runs,
      fields: fields.data.value ?? new Map<string, RunFields>(),
      models: models.data.value ?? new Map<string, never[]>(),
      projectName: (project) => studio.projectMap.get(project)?.name ?? project,
    }),
  )

  return { fields, models, items }
}

/** What is compared: one baseline and what is pinned beside it. Kept with the layout; every change can be undone. */
export function useCompare() {
  const { now, set } = useChoice()
  const { fields, models, items } = useItems()
  const byId = computed(() => new Map(items.value.map((item) => [item.id, item])))

  const choice = computed(now)
  const baseline = computed(() => byId.value.get(choice.value.baseline ?? ''))
  /** The baseline first. */
  const pinned = computed((): readonly Item[] => {
    const others = choice.value.pins.flatMap((id) => (id === choice.value.baseline ? [] : (byId.value.get(id) ?? [])))
    return baseline.value ? [baseline.value, ...others] : others
  })
  const isPinned = computed(() => new Set(pinned.value.map(({ id }) => id)))

  function toggle(id: string): void {
    const { baseline: base, pins } = choice.value
    if (isPinned.value.has(id)) {
      const rest = pins.filter((other) => other !== id)
      set(base === id ? { pins: rest, baseline: rest[0] } : { pins: rest, baseline: base })
    } else
      set({
        baseline: base !== undefined && byId.value.has(base) ? base : id,
        pins: [...pins.filter((pin) => byId.value.has(pin)), id],
      })
  }

  const setBaseline = (id: string): void => set({ baseline: id, pins: [...new Set([...choice.value.pins, id])] })

  /** The one that is looked at beside the baseline: what the person chose, else the last one pinned. */
  const picked = ref<string>()
  const pick = (id: string): void => void (picked.value = id)
  const chosen = computed(() => {
    const others = pinned.value.filter(({ id }) => id !== baseline.value?.id)
    return others.find(({ id }) => id === picked.value) ?? others.find(({ place }) => place) ?? others[0]
  })

  const measuredItems = computed(() => pinned.value.filter(({ measured }) => measured?.['latency'] !== undefined))
  const fairness = computed(() => fairnessOf(measuredItems.value))
  /** Colour of an item: the baseline's is grey-blue, the others' in their order. */
  const colourOf = (item: Item): number => {
    const at = pinned.value.findIndex(({ id }) => id === item.id)
    return at <= 0 ? 5 : (at - 1) % 5
  }

  return {
    items,
    baseline,
    pinned,
    isPinned,
    toggle,
    setBaseline,
    pick,
    chosen,
    fairness,
    measuredItems,
    colourOf,
    fields,
    models,
  }
}

export type Compare = ReturnType<typeof useCompare>

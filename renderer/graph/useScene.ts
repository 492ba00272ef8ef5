import { computed, onScopeDispose, ref, shallowRef, watch, type Ref } from 'vue'
import { browserEngine } from './elk-worker.ts'
import { groupSize, groupTitle, nodeSize, type Shown } from './labels.ts'
import { layoutTree, type LayoutCache } from './layout.ts'
import { Levels } from './levels.ts'
import type { GraphData } from './model.ts'
import { emptyScene, sceneOf } from './scene.ts'
import { foldGraph, groupsAround, openAtFirst, type GroupTree } from './tree.ts'

export interface SceneInput {
  readonly graph: () => GraphData
  /** The graph folded, when the caller has done that already. */
  readonly folded: () => GroupTree | undefined
  readonly shown: () => Shown
  /** `240 nodes`, in the language of the screen. */
  readonly nodes: (count: number) => string
}

/** A graph folded, opened where the person wants, and laid out: again whenever one of these changes. */
export function useScene({ graph, folded, shown, nodes }: SceneInput, open: Ref<ReadonlySet<string> | undefined>) {
  const engine = browserEngine()
  const scene = shallowRef(emptyScene)
  const busy = ref(false)
  const error = shallowRef<Error>()
  /** Grows when a layout is shown. */
  const version = ref(0)
  let cache: LayoutCache = new Map()
  let going = new AbortController()

  const tree = computed(() => folded() ?? foldGraph(graph()))
  const levels = computed(() => new Levels(graph(), tree.value))
  const opened = computed(() => open.value ?? openAtFirst(tree.value, graph().nodes.length))
  const openIds = computed(
    () => new Set([...opened.value].flatMap((key) => tree.value.byKey.get(key) ?? []).filter((id) => id > 0)),
  )
  const titleOf = (group: number): string => {
    const found = tree.value.groups[group]
    return found ? groupTitle(found, { nodes }) : ''
  }

  function size(child: number) {
    if (child < 0) return groupSize(titleOf(~child), nodes(tree.value.groups[~child]?.nodes.length ?? 0))
    const node = graph().nodes[child]
    return node ? nodeSize(node, shown()) : { width: 0, height: 0 }
  }

  async function layout(): Promise<void> {
    going.abort(new Error('another layout was asked for'))
    const controller = new AbortController()
    going = controller
    busy.value = true
    error.value = undefined
    try {
      const input = { tree: tree.value, levels: levels.value, size, open: openIds.value }
      const made = await layoutTree(input, engine.layout, cache, controller.signal)
      if (going !== controller) return
      scene.value = sceneOf(made)
      version.value++
    } catch (thrown) {
      if (going === controller && !controller.signal.aborted) error.value = asError(thrown)
    } finally {
      if (going === controller) busy.value = false
    }
  }

  /** Keeps what was laid out last. */
  function cancel(): void {
    going.abort(new Error('the layout was stopped'))
    busy.value = false
  }

  /** What decides how large boxes are. */
  const sizes = () => [tree.value, shown().names, shown().attributes, shown().weights]
  watch(sizes, () => (cache = new Map()), { flush: 'sync' })
  watch([sizes, openIds], () => void layout(), { immediate: true })
  onScopeDispose(() => {
    cancel()
    engine.dispose()
  })

  function toggle(group: number, to?: boolean): void {
    const key = tree.value.groups[group]?.key
    if (key === undefined) return
    const next = new Set(opened.value)
    if (to ?? !next.has(key)) next.add(key)
    else next.delete(key)
    open.value = next
  }

  const openAll = (): void => void (open.value = new Set(tree.value.groups.slice(1).map(({ key }) => key)))
  const closeAll = (): void => void (open.value = new Set())

  /** Opens all that a thing is in. True when something was closed. */
  function reveal(child: number): boolean {
    const closed = groupsAround(tree.value, child).filter((id) => !openIds.value.has(id))
    if (closed.length === 0) return false
    open.value = new Set([...opened.value, ...closed.map((id) => tree.value.groups[id]?.key ?? '')])
    return true
  }

  return { scene, tree, busy, error, version, titleOf, cancel, toggle, openAll, closeAll, reveal, layout }
}

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))

import { nextTick, onBeforeUnmount, watch, type ComputedRef, type Ref } from 'vue'
import type { GraphData, Viewport } from './model.ts'
import type { Size } from './layout.ts'
import type { Box, Scene } from './scene.ts'
import { childOf, idOf } from './selection.ts'
import { groupsAround, type GroupTree } from './tree.ts'
import { centred, seen } from './viewport.ts'

interface Input {
  readonly graph: () => GraphData
  readonly tree: Ref<GroupTree>
  readonly scene: Ref<Scene>
  /** Grows when a layout is shown. */
  readonly version: Ref<number>
  readonly busy: Ref<boolean>
  readonly size: Ref<Size>
  readonly view: Ref<Viewport>
  readonly selected: Ref<string | undefined>
  readonly selectedChild: ComputedRef<number | undefined>
  readonly selectedBox: ComputedRef<Box | undefined>
  readonly indices: ComputedRef<ReadonlyMap<string, number>>
  readonly toggle: (group: number) => void
  /** Opens all that a thing is in; true when something was closed. */
  readonly reveal: (child: number) => boolean
}

/** Milliseconds after which something selected elsewhere is gone to: a person may be passing over it. */
const PASSING = 80

/** Selects things, opens and closes groups, and brings what is meant into view. */
export function useJump(input: Input) {
  const { tree, scene, view, size, selected, selectedBox } = input
  /** A group that opens or closes keeps its head where it is in the window. */
  let anchor: { readonly child: number; readonly x: number; readonly y: number } | undefined
  let going: number | undefined
  /** What was selected here needs no search for it. */
  let own: string | undefined
  let waiting: ReturnType<typeof setTimeout> | undefined

  function turn(at: Box): void {
    if (at.child >= 0) return
    anchor = { child: at.child, x: at.x, y: at.y }
    input.toggle(~at.child)
  }

  watch(input.version, () => {
    const kept = anchor && scene.value.boxOf.get(anchor.child)
    if (anchor && kept)
      view.value = { ...view.value, x: view.value.x + kept.x - anchor.x, y: view.value.y + kept.y - anchor.y }
    anchor = undefined
    if (going !== undefined) goTo(going)
  })

  /** Brings a node or group into view, opening what it is in. */
  function goTo(child: number): void {
    going = child
    if (input.reveal(child)) return
    const at = scene.value.boxOf.get(child)
    if (!at || input.busy.value) return
    going = undefined
    const place = { left: at.x, top: at.y, right: at.x + at.width, bottom: at.y + Math.min(at.height, 200) }
    const part = seen(view.value, size.value)
    const isInView =
      place.left >= part.left && place.right <= part.right && place.top >= part.top && place.bottom <= part.bottom
    if (!isInView || view.value.zoom < 0.25) view.value = centred(view.value, place, size.value)
  }

  function select(child: number | undefined): void {
    own = child === undefined ? undefined : idOf(child, input.graph(), tree.value)
    selected.value = own
  }

  watch(selected, (id) => {
    if (id === undefined || id === own) return
    clearTimeout(waiting)
    waiting = setTimeout(() => input.selectedChild.value !== undefined && goTo(input.selectedChild.value), PASSING)
  })
  onBeforeUnmount(() => clearTimeout(waiting))

  /** Selects a node or group and brings it into view. */
  function step(child: number | undefined): void {
    if (child === undefined) return
    select(child)
    goTo(child)
  }

  /** Closes the group that the selected thing is in. */
  function closeAround(): void {
    const [around] = selectedBox.value ? groupsAround(tree.value, selectedBox.value.child) : []
    const at = around === undefined ? undefined : scene.value.boxOf.get(~around)
    if (!at) return
    select(at.child)
    turn(at)
  }

  /** Brings a node into view by its id. */
  async function revealNode(id: string): Promise<void> {
    await nextTick()
    const child = childOf(id, input.indices.value, tree.value)
    if (child !== undefined) goTo(child)
  }

  return { turn, select, step, closeAround, revealNode }
}

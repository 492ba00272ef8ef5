import type { ComputedRef, Ref } from 'vue'
import type { Size } from './layout.ts'
import type { Viewport } from './model.ts'
import { boxTowards, isDirection, type Box, type Scene } from './scene.ts'
import { panBy } from './viewport.ts'

interface Input {
  readonly scene: Ref<Scene>
  readonly size: Ref<Size>
  readonly view: Ref<Viewport>
  readonly selectedBox: ComputedRef<Box | undefined>
  readonly zoom: (factor: number) => void
  readonly fit: () => void
  readonly step: (child: number | undefined) => void
  readonly turn: (at: Box) => void
  readonly closeAround: () => void
}

const PAN = { ArrowDown: [0, 60], ArrowUp: [0, -60], ArrowRight: [60, 0], ArrowLeft: [-60, 0] } as const

/** A drawn graph by keys: from box to box by arrows, into groups and out of them, zoomed and moved. */
export function useGraphKeys({ scene, size, view, selectedBox, zoom, fit, step, turn, closeAround }: Input) {
  const pan = (share: number) => (view.value = panBy(view.value, 0, share * size.value.height))
  const turnSelected = () => selectedBox.value && turn(selectedBox.value)
  const keys: Readonly<Record<string, () => void>> = {
    '+': () => zoom(1.25),
    '=': () => zoom(1.25),
    '-': () => zoom(0.8),
    '0': fit,
    PageDown: () => pan(0.8),
    PageUp: () => pan(-0.8),
    Home: () => step(scene.value.boxes.find((b) => !b.open)?.child),
    End: () => step(scene.value.boxes.findLast((b) => !b.open)?.child),
    Enter: turnSelected,
    ' ': turnSelected,
    Backspace: closeAround,
  }

  return (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { key } = event
    if (isDirection(key)) {
      const from = selectedBox.value
      const [dx, dy] = PAN[key]
      if (event.shiftKey && dx === 0) zoom(dy < 0 ? 1.25 : 0.8)
      else if (event.shiftKey) view.value = panBy(view.value, dx, 0)
      else step((from ? boxTowards(scene.value, from, key) : scene.value.boxes.find((b) => !b.open))?.child)
    } else if (keys[key]) keys[key]()
    else return
    event.preventDefault()
  }
}

import { ref, type Ref } from 'vue'
import { HEADER } from './layout.ts'
import type { Viewport } from './model.ts'
import type { Box } from './scene.ts'
import { panBy, zoomAt } from './viewport.ts'

interface Place {
  readonly x: number
  readonly y: number
}

interface Actions {
  /** `head` tells whether the sign that opens a box was hit. */
  readonly click: (at: Place, head: (box: Box) => boolean) => void
  readonly double: (at: Place) => void
}

/** Farther than this in pixels a press is a drag. */
const SLACK = 4
const DOUBLE = 350
/** Width of the sign before a group's name. */
const SIGN = 26

/** Mouse, pen and touch on a drawing: drag and wheel move it, with Ctrl (or a pinch) the wheel zooms. */
export function usePointer(canvas: Readonly<Ref<HTMLElement | null>>, view: Ref<Viewport>, actions: Actions) {
  const dragging = ref(false)
  let pressed: { readonly from: Place; readonly view: Viewport } | undefined
  let last = { time: 0, x: 0, y: 0 }

  const placeOf = (event: MouseEvent): Place => {
    const { left = 0, top = 0 } = canvas.value?.getBoundingClientRect() ?? {}
    return { x: event.clientX - left, y: event.clientY - top }
  }
  const inGraph = ({ x, y }: Place): Place => ({
    x: view.value.x + x / view.value.zoom,
    y: view.value.y + y / view.value.zoom,
  })

  function start(event: PointerEvent): void {
    if (event.button !== 0) return
    canvas.value?.setPointerCapture(event.pointerId)
    pressed = { from: placeOf(event), view: view.value }
  }

  function move(event: PointerEvent): void {
    if (!pressed) return
    const at = placeOf(event)
    const [dx, dy] = [at.x - pressed.from.x, at.y - pressed.from.y]
    if (!dragging.value && Math.hypot(dx, dy) < SLACK) return
    dragging.value = true
    view.value = panBy(pressed.view, -dx, -dy)
  }

  function end(event: PointerEvent): void {
    if (!pressed) return
    pressed = undefined
    if (dragging.value) {
      dragging.value = false
      return
    }
    const at = placeOf(event)
    const isDouble = event.timeStamp - last.time < DOUBLE && Math.hypot(at.x - last.x, at.y - last.y) < 2 * SLACK
    last = { time: isDouble ? 0 : event.timeStamp, ...at }
    const place = inGraph(at)
    if (isDouble) actions.double(place)
    else actions.click(place, (box) => box.child < 0 && place.x < box.x + SIGN && place.y < box.y + HEADER)
  }

  function wheel(event: WheelEvent): void {
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1
    if (event.ctrlKey || event.metaKey) {
      view.value = zoomAt(view.value, Math.exp(-event.deltaY * lines * 0.004), placeOf(event))
      return
    }
    const [dx, dy] = event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY]
    view.value = panBy(view.value, dx * lines, dy * lines)
  }

  return { start, move, end, wheel, dragging }
}

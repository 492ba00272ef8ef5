import { onBeforeUnmount, onMounted, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { canvasPen } from './canvas-pen.ts'
import type { Size } from './layout.ts'
import type { Viewport } from './model.ts'
import { paint, type Picture } from './paint.ts'
import { seen } from './viewport.ts'

type Element<T> = Readonly<Ref<T | null>>

/** The size of the element that a drawing fills. */
export function useSize(box: Element<HTMLElement>): ShallowRef<Size> {
  const size = shallowRef({ width: 0, height: 0 })
  const resized = new ResizeObserver(() => {
    const { clientWidth: width, clientHeight: height } = box.value ?? { clientWidth: 0, clientHeight: 0 }
    size.value = { width, height }
  })
  onMounted(() => box.value && resized.observe(box.value))
  onBeforeUnmount(() => resized.disconnect())
  return size
}

/** Draws the part of a picture that is in view, once a frame and only when something has changed. */
export function useCanvas(
  canvas: Element<HTMLCanvasElement>,
  { picture, view, size }: { readonly picture: Ref<Picture>; readonly view: Ref<Viewport>; readonly size: Ref<Size> },
): void {
  let frame = 0

  function draw(): void {
    frame = 0
    const element = canvas.value
    const context = element?.getContext('2d')
    if (!element || !context) return
    const ratio = window.devicePixelRatio
    const [width, height] = [Math.round(size.value.width * ratio), Math.round(size.value.height * ratio)]
    if (element.width !== width || element.height !== height) [element.width, element.height] = [width, height]
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, width, height)
    const { x, y, zoom } = view.value
    context.setTransform(zoom * ratio, 0, 0, zoom * ratio, -x * zoom * ratio, -y * zoom * ratio)
    paint(canvasPen(context, picture.value.theme.font), picture.value, seen(view.value, size.value), zoom)
  }

  watch([picture, view, size], () => (frame ||= requestAnimationFrame(draw)), { flush: 'post' })
  onBeforeUnmount(() => cancelAnimationFrame(frame))
}

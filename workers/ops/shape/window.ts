import type { Dim, Shape } from '../../graph/types.ts'
import { add, ceilDivide, floorDivide, isNumber, multiply, subtract } from '../dims.ts'
import type { Call } from './call.ts'

/** The attributes of everything that slides a window over spatial axes. */
export interface WindowAttributes {
  readonly auto_pad?: string | undefined
  readonly ceil_mode?: number | undefined
  readonly dilations?: readonly number[] | undefined
  readonly kernel_shape?: readonly number[] | undefined
  readonly pads?: readonly number[] | undefined
  readonly strides?: readonly number[] | undefined
}

/** A window along one spatial axis. */
export interface Window {
  readonly kernel: Dim
  readonly stride: number
  readonly dilation: number
  readonly begin: number
  readonly end: number
}

export const isSame = (autoPad: string | undefined): boolean => autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER'

/** The windows along all spatial axes. Without explicit padding there is none. */
export function windowsOf<A extends WindowAttributes>(c: Call<A>, kernel: Shape): Window[] {
  const { strides, dilations, pads, auto_pad } = c.attr
  const explicit = auto_pad === undefined || auto_pad === '' || auto_pad === 'NOTSET'
  checkLengths(c, kernel.length)
  return kernel.map((size, i) => ({
    kernel: size,
    stride: strides?.[i] ?? 1,
    dilation: dilations?.[i] ?? 1,
    begin: explicit ? (pads?.[i] ?? 0) : 0,
    end: explicit ? (pads?.[i + kernel.length] ?? 0) : 0,
  }))
}

function checkLengths<A extends WindowAttributes>(c: Call<A>, rank: number): void {
  const wanted = { strides: rank, dilations: rank, pads: 2 * rank }
  for (const [name, length] of Object.entries(wanted)) {
    const values = c.attr[name as keyof typeof wanted]
    if (values && values.length !== length && !(name === 'pads' && c.attr.auto_pad)) {
      throw c.contradiction(
        `attribute "${name}" has ${values.length} numbers for ${rank} spatial axes`,
        `${length} numbers`,
        `[${values.join(', ')}]`,
      )
    }
  }
  if (c.attr.strides?.some((s) => s < 1))
    throw c.contradiction('a stride is less than 1', 'positive', `[${c.attr.strides.join(', ')}]`)
}

/** What a dilated window covers: dilation·(kernel − 1) + 1. */
export const extent = ({ kernel, dilation }: Window): Dim => add(multiply(subtract(kernel, 1), dilation), 1)

/** Output size along one axis: ⌊(in + pads − extent)/stride⌋ + 1, or ⌈in/stride⌉ under SAME padding. */
export function slidSize(size: Dim, window: Window, same: boolean, ceil: boolean): Dim {
  if (same) return ceilDivide(size, window.stride)
  const room = subtract(add(size, window.begin + window.end), extent(window))
  if (!ceil) return add(floorDivide(room, window.stride), 1)
  const steps = ceilDivide(room, window.stride)
  if (!isNumber(steps) || !isNumber(size)) return mayStartInPadding(window) ? '?' : add(steps, 1)
  // A window that would start in the right padding is left out (ONNX 1.16; onnxruntime and PyTorch do the same).
  return steps * window.stride >= size + window.begin ? steps : steps + 1
}

/** With ceil_mode the last start is at most room + stride − 1, which lies in the padding only if this holds. */
const mayStartInPadding = (window: Window): boolean => {
  const covered = extent(window)
  return !isNumber(covered) || window.end + window.stride > covered
}

/** The spatial sizes of a sliding operator's output. */
export function slidShape<A extends WindowAttributes>(c: Call<A>, spatial: Shape, windows: readonly Window[]): Shape {
  const same = isSame(c.attr.auto_pad)
  return spatial.map((size, i) => {
    const window = windows[i]
    const out = window ? slidSize(size, window, same, (c.attr.ceil_mode ?? 0) !== 0) : '?'
    if (isNumber(out) && out < 0) {
      throw c.contradiction(
        `its window is larger than the padded input along spatial axis ${i}`,
        `at least ${window ? extent(window) : 1} elements`,
        `${size} elements and ${(window?.begin ?? 0) + (window?.end ?? 0)} of padding`,
      )
    }
    return out
  })
}

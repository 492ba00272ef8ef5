/** What a caller may choose of a zoo net; which of them a net takes, `ZooEntry.options` says. */
export interface ZooOptions {
  /** Seed of the initial weights; 42 unless told. */
  readonly seed?: number | undefined
  readonly classes?: number | undefined
  /** `[C, H, W]` of one image. */
  readonly inputDims?: readonly number[] | undefined
  /** Multiplies the channels of every hidden layer. */
  readonly width?: number | undefined
  /** The channels of each prunable layer, in order; the entry's `widths` are the default. */
  readonly widths?: readonly number[] | undefined
  /** How a CIFAR ResNet's skip connection grows channels: zeros (A) or a 1×1 convolution (B). */
  readonly shortcut?: 'A' | 'B' | undefined
}

/** The options with every default filled in; what an architecture's builder works from. */
export interface Plan {
  readonly name: string
  readonly seed: number
  readonly classes: number
  readonly input: readonly number[]
  readonly width: number
  readonly widths: readonly number[]
  readonly shortcut: 'A' | 'B'
}

/** `channels` times the multiplier, at least one. */
export const scaled = (channels: number, width: number): number => Math.max(1, Math.round(channels * width))

/** MobileNet's rounding: the nearest multiple of 8, never below nine tenths of the value. */
export function makeDivisible(value: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor)
  return rounded < 0.9 * value ? rounded + divisor : rounded
}

/** Width number `i` of a plan. The table checks a plan's length before it is used. */
export const widthAt = (plan: Plan, i: number): number => plan.widths[i] ?? 1

/**
 * Strides of a net made for large images, when it gets small ones: the first `skipped` that halve the maps keep their
 * size instead, as in the usual CIFAR versions. Ask in the order of the layers.
 */
export function strides(skipped: number): (stride: number) => number {
  let left = skipped
  return (stride) => (stride > 1 && left-- > 0 ? 1 : stride)
}

/** Room of a chart's least and greatest value, so that lines do not touch the frame. */
const ROOM = 0.06

/** The range of a y axis for values between `low` and `high`; on a logarithmic axis both are positive. */
export function paddedRange(low: number, high: number, logarithmic: boolean): [number, number] {
  if (logarithmic) {
    const room = Math.max((high / low) ** ROOM, 1.1)
    return [low / room, high * room]
  }
  const room = high === low ? Math.abs(high) * ROOM || 1 : (high - low) * ROOM
  // A measure that is never negative does not get a negative axis.
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room]
}

/** Zooms a view around a place in it; on a logarithmic axis in the logarithm. */
export function zoomed(
  { min, max }: { min: number; max: number },
  { at, factor, logarithmic }: { at: number; factor: number; logarithmic: boolean },
): { min: number; max: number } {
  if (!logarithmic) return { min: at - (at - min) * factor, max: at + (max - at) * factor }
  return { min: at * (min / at) ** factor, max: at * (max / at) ** factor }
}

/** Moves a view by a share of its width. */
export function moved(
  { min, max }: { min: number; max: number },
  { by, logarithmic }: { by: number; logarithmic: boolean },
): { min: number; max: number } {
  if (!logarithmic) return { min: min + (max - min) * by, max: max + (max - min) * by }
  const ratio = (max / min) ** by
  return { min: min * ratio, max: max * ratio }
}

import type { ShallowRef } from 'vue'
import { fontFamily, useThemed } from '../styles/useThemed.ts'

/** Colours as a canvas needs them: `light-dark()` and variables resolved. */
export interface Colours {
  readonly series: readonly string[]
  readonly line: string
  readonly strong: string
  readonly text: string
  readonly surface: string
  readonly font: string
}

export const SERIES = 6

/** The colours of the theme at hand; follows the system and the person's choice. */
export const useColours = (): ShallowRef<Colours> =>
  useThemed((colour) => ({
    series: Array.from({ length: SERIES }, (_, i) => colour(`s${i + 1}`)),
    line: colour('line'),
    strong: colour('line-strong'),
    text: colour('faint'),
    surface: colour('surface'),
    font: `11px ${fontFamily()}`,
  }))

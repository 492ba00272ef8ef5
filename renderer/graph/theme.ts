import type { ShallowRef } from 'vue'
import { fontFamily, useThemed } from '../styles/useThemed.ts'
import { tones, type Tone } from './model.ts'
import type { Theme } from './paint.ts'

/** The token that each tone is filled with. */
const tokens: Readonly<Record<Tone, string>> = {
  heat1: 'heat1',
  heat2: 'heat2',
  heat3: 'heat3',
  heat4: 'heat4',
  heat5: 'heat5',
  s1: 's1-fill',
  s2: 's2-fill',
  s3: 's3-fill',
  s4: 's4-fill',
  s5: 's5-fill',
  s6: 's6-fill',
  good: 'good-soft',
  bad: 'bad-soft',
  warn: 'warn-soft',
  info: 'info-soft',
  none: 'surface',
}

export const tokenOf = (tone: Tone): string => `var(--${tokens[tone]})`

/** The colours of the theme at hand; follows the system and the person's choice. */
export const useTheme = (): ShallowRef<Theme> =>
  useThemed((colour) => ({
    surface: colour('surface'),
    sunken: colour('sunken'),
    line: colour('line-strong'),
    strong: colour('field-line'),
    edge: colour('field-line'),
    text: colour('text'),
    muted: colour('muted'),
    accent: colour('accent'),
    tones: Object.fromEntries(tones.map((tone) => [tone, colour(tokens[tone])])) as Record<Tone, string>,
    font: fontFamily(),
  }))

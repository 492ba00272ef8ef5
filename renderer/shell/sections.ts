import type { IconName } from '../components/icons.ts'

/** The sections of the navigation, each a screen that is there; Ctrl 1, 2, … go to them in this order. */
export const sections = [
  'projects',
  'recipes',
  'runs',
  'compare',
  'models',
  'devices',
  'settings',
] as const satisfies readonly IconName[]

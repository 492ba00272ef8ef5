import type { Settings } from './machine.ts'

/** What holds until a person sets something. Apart from the schemas, so that a window's first bundle stays small. */
export const defaultSettings: Settings = {
  language: 'system',
  theme: 'system',
  mode: 'simple',
  concurrency: 1,
  diskFloor: 1e9,
  autoResume: true,
  notifications: true,
  shortcuts: {},
  layout: {},
}

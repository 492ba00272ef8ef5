/** In the order in which the sheet shows them. */
export const scopes = ['everywhere', 'run', 'model', 'recipe'] as const

export interface CommandEntry {
  /** Keys by default; the first ones are shown, and are what a person may change. */
  readonly keys: readonly string[]
  /** Where it can be done. */
  readonly scope: (typeof scopes)[number]
}

/** Everything that a key, the palette or a menu can do, in the order in which the sheet shows it. */
export const commandTable = {
  palette: { keys: ['Mod+K'], scope: 'everywhere' },
  shortcuts: { keys: ['?'], scope: 'everywhere' },
  projects: { keys: ['Mod+1', 'Alt+1'], scope: 'everywhere' },
  recipes: { keys: ['Mod+2', 'Alt+2'], scope: 'everywhere' },
  runs: { keys: ['Mod+3', 'Alt+3'], scope: 'everywhere' },
  compare: { keys: ['Mod+4', 'Alt+4'], scope: 'everywhere' },
  models: { keys: ['Mod+5', 'Alt+5'], scope: 'everywhere' },
  devices: { keys: ['Mod+6', 'Alt+6'], scope: 'everywhere' },
  settings: { keys: ['Mod+7', 'Alt+7'], scope: 'everywhere' },
  open: { keys: ['Mod+O'], scope: 'everywhere' },
  newProject: { keys: [], scope: 'everywhere' },
  sample: { keys: [], scope: 'everywhere' },
  help: { keys: ['F1'], scope: 'everywhere' },
  find: { keys: ['Mod+F'], scope: 'everywhere' },
  undo: { keys: ['Mod+Z'], scope: 'everywhere' },
  redo: { keys: ['Mod+Shift+Z'], scope: 'everywhere' },
  nextPane: { keys: ['F6'], scope: 'everywhere' },
  light: { keys: [], scope: 'everywhere' },
  dark: { keys: [], scope: 'everywhere' },
  systemTheme: { keys: [], scope: 'everywhere' },
  english: { keys: [], scope: 'everywhere' },
  chinese: { keys: [], scope: 'everywhere' },
  pauseRun: { keys: ['P'], scope: 'run' },
  stopRun: { keys: ['S'], scope: 'run' },
  // What people know from Netron.
  toggleAttributes: { keys: ['Mod+D'], scope: 'model' },
  toggleWeights: { keys: ['Mod+I'], scope: 'model' },
  toggleNames: { keys: ['Mod+U'], scope: 'model' },
  properties: { keys: ['Mod+Enter'], scope: 'model' },
  zoomIn: { keys: ['Shift+ArrowUp'], scope: 'model' },
  zoomOut: { keys: ['Shift+ArrowDown'], scope: 'model' },
  zoomFit: { keys: ['Shift+Backspace'], scope: 'model' },
  exportPng: { keys: ['Mod+Shift+E'], scope: 'model' },
  exportSvg: { keys: ['Mod+Alt+E'], scope: 'model' },
  checkRecipe: { keys: ['F8'], scope: 'recipe' },
  startRecipe: { keys: ['Mod+Enter'], scope: 'recipe' },
} as const satisfies Record<string, CommandEntry>

export type CommandId = keyof typeof commandTable

export const commandIds = Object.keys(commandTable) as CommandId[]

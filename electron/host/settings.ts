import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import { defined } from './defined.ts'
import { readSettings, type Settings, type SettingsChange } from '../../workers/protocol/studio.ts'

/** What a person has set, in `settings.json` of the data folder. A damaged file means the defaults, never a failed start. */
export class SettingsStore {
  readonly #path: string
  #settings: Settings
  /** True when there was no file: nobody has started Alambic here before. */
  readonly isNew: boolean

  constructor(home: string) {
    this.#path = join(home, 'settings.json')
    const { value, found } = read(this.#path)
    this.#settings = readSettings(value).settings
    this.isNew = !found
  }

  get(): Settings {
    return this.#settings
  }

  /** Changes some; they hold at once, and an error says that they could not be kept. */
  async change(change: SettingsChange): Promise<Settings> {
    this.#settings = { ...this.#settings, ...defined(change) }
    mkdirSync(join(this.#path, '..'), { recursive: true })
    await replaceJson(this.#path, this.#settings)
    return this.#settings
  }
}

function read(path: string): { value: unknown; found: boolean } {
  try {
    return { value: JSON.parse(readFileSync(path, 'utf8')) as unknown, found: true }
  } catch (error) {
    return { value: {}, found: (error as NodeJS.ErrnoException).code !== 'ENOENT' }
  }
}

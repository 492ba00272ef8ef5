import { defineStore } from 'pinia'
import { computed, ref, watch } from 'vue'
import type { Settings as HostSettings } from '../../workers/protocol/studio.ts'
import { defaultSettings } from '../../workers/protocol/studio/default-settings.ts'
import { i18n, languageFor, type Language } from '../locales/index.ts'
import { useHost } from './host.ts'

/** Settings with every field there, as the host answers them. */
export type Settings = { [Key in Exclude<keyof HostSettings, 'projectsFolder'>]: NonNullable<HostSettings[Key]> } & {
  projectsFolder?: string | undefined
}

/** Kept in the browser too, so that the first picture has the right language and theme before the host has answered. */
const CACHE = 'alambic.settings'

function cached(): Settings {
  try {
    const text = localStorage.getItem(CACHE)
    return text ? { ...defaultSettings, ...(JSON.parse(text) as Settings) } : defaultSettings
  } catch {
    return defaultSettings
  }
}

/** What the person has set: applied at once, then kept by the host. */
export const useSettings = defineStore('settings', () => {
  const host = useHost()
  const settings = ref<Settings>(cached())
  const loaded = ref(false)

  const language = computed<Language>(() => {
    const { language: chosen } = settings.value
    return chosen === 'system' ? languageFor(host.hello?.systemLanguage ?? navigator.language) : chosen
  })

  watch(
    [settings, language],
    () => {
      const { theme } = settings.value
      if (theme === 'system') delete document.documentElement.dataset['theme']
      else document.documentElement.dataset['theme'] = theme
      document.documentElement.lang = language.value
      i18n.global.locale.value = language.value
      localStorage.setItem(CACHE, JSON.stringify(settings.value))
    },
    { immediate: true, deep: true },
  )

  async function load(): Promise<void> {
    settings.value = await host.call('settings', {})
    loaded.value = true
  }

  /** Changes settings here at once and on the host; goes back when the host refuses. */
  async function change(part: Partial<Settings>): Promise<void> {
    const before = settings.value
    settings.value = { ...before, ...part }
    try {
      await host.call('setSettings', { change: part })
    } catch (thrown) {
      // Without a host the change holds for this window; a host that refuses has the last word.
      if (host.connection === 'online') settings.value = before
      throw thrown
    }
  }

  function layout<T>(key: string, otherwise: T): T {
    return (settings.value.layout[key] as T | undefined) ?? otherwise
  }

  /** Keeps how something is laid out; a lost connection does not matter for that. */
  function setLayout(key: string, value: unknown): void {
    const layoutNow = { ...settings.value.layout, [key]: value } as Settings['layout']
    void change({ layout: layoutNow }).catch(() => undefined)
  }

  host.onChange((event) => {
    if (event.kind === 'settings') settings.value = event.settings
  })

  return { settings, language, loaded, load, change, layout, setLayout }
})

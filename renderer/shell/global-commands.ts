import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useHost } from '../stores/host.ts'
import { useImporter } from '../stores/importer.ts'
import { useNotices } from '../stores/notices.ts'
import { useSettings } from '../stores/settings.ts'
import { useStudio } from '../stores/studio.ts'
import { useUndo } from '../stores/undo.ts'
import { useCommands } from './commands.ts'

/** Opens the sample project on its run. */
export function useSample(): () => Promise<void> {
  const host = useHost()
  const studio = useStudio()
  const notices = useNotices()
  const router = useRouter()
  return async () => {
    try {
      const { project, run } = await host.call('openSample', {})
      studio.putProject(project)
      if (run) studio.putRun(run)
      await router.push(
        run ? { name: 'run', params: { run: run.run } } : { name: 'project', params: { project: project.project } },
      )
    } catch (thrown) {
      notices.fail(thrown)
    }
  }
}

/** The next pane of the window, or the one before it. */
function nextPane(): void {
  const panes = [...document.querySelectorAll<HTMLElement>('[data-pane]')]
  const at = panes.findIndex((pane) => pane.contains(document.activeElement))
  panes[(at + 1) % panes.length]?.focus()
}

function find(): void {
  document.querySelector<HTMLInputElement>('[data-find]')?.focus()
}

/** What can be done on every screen. */
export function useGlobalCommands({ open }: { open: (sheet: 'palette' | 'shortcuts') => void }): void {
  const { t } = useI18n()
  const router = useRouter()
  const settings = useSettings()
  const undo = useUndo()
  const notices = useNotices()
  const importer = useImporter()
  const sample = useSample()

  const go = (name: string) => () => void router.push({ name })
  const set = (change: Parameters<typeof settings.change>[0]) => () => void settings.change(change).catch(notices.fail)

  async function back(): Promise<void> {
    try {
      const edit = await undo.undo()
      notices.say(edit ? t('undo.done', { what: edit.what }) : t('undo.nothing'))
    } catch (thrown) {
      notices.fail(thrown)
    }
  }

  async function again(): Promise<void> {
    try {
      const edit = await undo.redo()
      notices.say(edit ? t('undo.redone', { what: edit.what }) : t('undo.nothingToRedo'))
    } catch (thrown) {
      notices.fail(thrown)
    }
  }

  useCommands({
    palette: () => open('palette'),
    shortcuts: () => open('shortcuts'),
    projects: go('projects'),
    recipes: go('recipes'),
    runs: go('runs'),
    compare: go('compare'),
    models: go('models'),
    devices: go('devices'),
    settings: go('settings'),
    open: () => importer.choose('files'),
    newProject: () => void router.push({ name: 'projects', query: { new: '1' } }),
    help: go('help'),
    sample: () => void sample(),
    find,
    undo: () => void back(),
    redo: () => void again(),
    nextPane,
    light: set({ theme: 'light' }),
    dark: set({ theme: 'dark' }),
    systemTheme: set({ theme: 'system' }),
    english: set({ language: 'en' }),
    chinese: set({ language: 'zh-CN' }),
  })
}

import { onScopeDispose } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { shell } from '../locales/en/shell.ts'
import { useHost } from '../stores/host.ts'
import { useNotices } from '../stores/notices.ts'

/** Shows what the host wants a person to hear, in the language of the screen. */
export function useHostNotices(): void {
  const { t } = useI18n()
  const host = useHost()
  const notices = useNotices()
  const router = useRouter()
  const off = host.onChange((change) => {
    if (change.kind !== 'notice') return
    const { code, level, run, title = '', path = '', message } = change.notice
    const key = `notice.${code}`
    const known = code in shell.notice
    const text = known ? t(key, { title, path }) : message
    const show = () => void router.push({ name: 'run', params: { run } })
    // Whoever looks at the run sees it there.
    if (run !== undefined && router.currentRoute.value.params['run'] === run) return
    notices.say(text, { level, ...(run === undefined ? {} : { action: { label: t('notice.show'), run: show } }) })
  })
  onScopeDispose(off)
}

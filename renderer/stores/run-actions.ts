import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import type { RunSummary } from '../../workers/protocol/studio.ts'
import { useHost } from './host.ts'
import { useNotices } from './notices.ts'
import { useStudio } from './studio.ts'
import { useUndo } from './undo.ts'

type State = RunSummary['state']

/** What a person can do with a run in each of its states. */
const offers: Readonly<Record<State, readonly RunAction[]>> = {
  queued: ['discard'],
  preparing: ['discard'],
  running: ['pause', 'stop', 'discard'],
  pausing: ['discard'],
  paused: ['resume', 'stop', 'discard'],
  interrupted: ['resume', 'stop', 'discard'],
  succeeded: ['clone', 'discard'],
  stopped: ['resume', 'clone', 'discard'],
  failed: ['resume', 'clone', 'discard'],
}

export type RunAction = 'pause' | 'resume' | 'stop' | 'discard' | 'clone'

export const isFinished = (state: State): boolean => state === 'succeeded' || state === 'stopped' || state === 'failed'

/** The actions on a run, each with its message when it cannot be done. */
export function useRunActions(run: () => RunSummary | undefined) {
  const { t } = useI18n()
  const host = useHost()
  const studio = useStudio()
  const notices = useNotices()
  const undo = useUndo()
  const router = useRouter()

  const possible = computed(() => {
    const now = run()
    if (!now) return []
    // What is over goes on only from something that was saved.
    const resumable = !isFinished(now.state) || now.lastCheckpoint !== undefined
    return offers[now.state].filter((action) => action !== 'resume' || resumable)
  })

  async function attempt(work: (key: string) => Promise<RunSummary | undefined>): Promise<void> {
    const now = run()
    if (!now) return
    try {
      const changed = await work(now.run)
      if (changed) studio.putRun(changed)
    } catch (thrown) {
      notices.fail(thrown)
    }
  }

  const pause = () => attempt((key) => host.call('pauseRun', { run: key }))
  const resume = () => attempt((key) => host.call('resumeRun', { run: key }))
  const stop = () => attempt((key) => host.call('stopRun', { run: key }))

  const discard = () =>
    attempt(async (key) => {
      const project = run()?.project
      const { id, name } = await host.call('discardRun', { run: key })
      undo.push({
        what: t('undo.delete', { name }),
        undo: () => host.call('restore', { id }),
        redo: () => host.call('discardRun', { run: key }),
      })
      notices.say(t('undo.delete', { name }))
      await router.push(project === undefined ? { name: 'runs' } : { name: 'project', params: { project } })
      return undefined
    })

  const clone = () =>
    attempt(async (key) => {
      const made = await host.call('cloneRun', { run: key })
      studio.putRun(made)
      await router.push({ name: 'run', params: { run: made.run } })
      return made
    })

  const rename = (title: string) =>
    attempt(async (key) => {
      const before = run()?.title ?? title
      const to = async (name: string) => studio.putRun(await host.call('renameRun', { run: key, title: name }))
      await to(title)
      undo.push({ what: t('undo.rename', { name: title }), undo: () => to(before), redo: () => to(title) })
      return undefined
    })

  return { possible, pause, resume, stop, discard, clone, rename }
}

import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type { Found, ImportReport, JobProgress, ScanReport } from '../../workers/protocol/studio.ts'
import { desktop } from '../rpc/channel.ts'
import { readChosen, type Dropped } from '../rpc/dropped.ts'
import { uploadFiles } from '../rpc/upload.ts'
import { useHost } from './host.ts'
import { newJob } from './jobs.ts'

/** Where an import stands. */
export type ImportStage = 'uploading' | 'scanning' | 'choosing' | 'importing' | 'done' | 'failed'

/** Whether a found thing can be taken at all. */
export const canImport = (found: Found): boolean =>
  found.kind !== 'unknown' && found.problem === undefined && found.missing.length === 0 && found.already === undefined

/** From dropped files to a project: copying them to the host where it cannot see them, looking at them, taking them in. */
export const useImporter = defineStore('importer', () => {
  const host = useHost()
  const open = ref(false)
  const stage = ref<ImportStage>('scanning')
  const progress = shallowRef<JobProgress>()
  const report = shallowRef<ScanReport>()
  const result = shallowRef<ImportReport>()
  const error = shallowRef<AlambicError>()
  const selected = ref<Record<string, boolean>>({})
  /** The project that the things go to; empty for a new one. */
  const project = ref('')
  /** Files that were copied here have no place of their own to stay at. */
  const canLink = ref(false)
  let job: string | undefined
  let abort: AbortController | undefined

  const chosen = computed(() =>
    (report.value?.found ?? []).filter((found) => canImport(found) && selected.value[found.id]),
  )

  host.onChange((change) => {
    if (change.kind === 'job' && change.progress.job === job) progress.value = change.progress
  })

  function begin(next: ImportStage): string {
    stage.value = next
    progress.value = undefined
    error.value = undefined
    job = newJob()
    return job
  }

  async function take(dropped: Dropped, into?: string): Promise<void> {
    if (dropped.kind === 'files' && dropped.files.length === 0) return
    open.value = true
    report.value = undefined
    result.value = undefined
    project.value = into ?? ''
    canLink.value = dropped.kind === 'paths'
    try {
      const sources =
        dropped.kind === 'paths'
          ? dropped.paths.map((path) => ({ kind: 'path' as const, path }))
          : [{ kind: 'upload' as const, upload: await upload(dropped) }]
      await scan(sources)
    } catch (thrown) {
      fail(thrown)
    }
  }

  async function upload({ files }: Extract<Dropped, { kind: 'files' }>): Promise<string> {
    const id = begin('uploading')
    const total = files.reduce((sum, { file }) => sum + file.size, 0)
    abort = new AbortController()
    await host.call('startUpload', { upload: id, files: files.map(({ path, file }) => ({ path, bytes: file.size })) })
    const show = (done: number) => (progress.value = { job: id, activity: 'upload', done, total, unit: 'bytes' })
    show(0)
    await uploadFiles(id, files, { progress: show, signal: abort.signal })
    return id
  }

  async function scan(sources: Parameters<typeof host.call<'scan'>>[1]['sources']): Promise<void> {
    const id = begin('scanning')
    const found = await host.call('scan', {
      scan: id,
      sources,
      ...(project.value === '' ? {} : { project: project.value }),
    })
    report.value = found
    selected.value = Object.fromEntries(found.found.map((one) => [one.id, canImport(one)]))
    stage.value = 'choosing'
  }

  /** Takes what is chosen into the project, or into a new one of this name. */
  async function importChosen(mode: 'copy' | 'link', newName: string): Promise<void> {
    const found = report.value
    if (!found) return
    const id = begin('importing')
    try {
      if (project.value === '') project.value = (await host.call('createProject', { name: newName })).project
      result.value = await host.call('importFound', {
        job: id,
        project: project.value,
        scan: found.scan,
        items: chosen.value.map((one) => ({ id: one.id, mode })),
      })
      stage.value = 'done'
    } catch (thrown) {
      fail(thrown)
    }
  }

  function fail(thrown: unknown): void {
    const problem = asAlambicError(thrown)
    if (problem.code === 'upload.cancelled') {
      open.value = false
      return
    }
    error.value = problem
    stage.value = 'failed'
  }

  /** Ends the work at hand. A scan then shows what it has found so far. */
  function cancel(): void {
    abort?.abort()
    if (job !== undefined) void host.call('cancelJob', { job }).catch(() => undefined)
  }

  function close(): void {
    if (stage.value === 'uploading' || stage.value === 'scanning') cancel()
    open.value = false
  }

  /** Lets the person choose files or a folder: with the system's dialog on the desktop, else the browser's. */
  function choose(kind: 'files' | 'folder', into?: string): void {
    if (desktop) {
      void desktop.chooseToOpen(kind === 'files' ? 'model' : 'folder').then((paths) => {
        if (paths.length > 0) void take({ kind: 'paths', paths }, into)
      })
      return
    }
    const input = document.createElement('input')
    input.type = 'file'
    input.multiple = true
    input.webkitdirectory = kind === 'folder'
    input.addEventListener('change', () => void (input.files && take(readChosen(input.files), into)))
    input.click()
  }

  return {
    open,
    stage,
    progress,
    report,
    result,
    error,
    selected,
    project,
    canLink,
    chosen,
    take,
    importChosen,
    cancel,
    close,
    choose,
  }
})

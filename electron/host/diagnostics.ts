import { mkdir } from 'node:fs/promises'
import { cpus, homedir, totalmem } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { replaceFile } from '../../workers/protocol/files/durable.ts'
import type { Written } from '../../workers/protocol/studio.ts'
import { written } from './exports.ts'
import { hello } from './hello.ts'
import type { Host } from './host.ts'
import type { Job } from './jobs.ts'

const RUNS = 10
const LINES = 2000

/**
 * What helps to find a fault, as a ZIP: versions, settings, the machine, and the last lines of the logs of recent runs.
 * No models, no data, and the person's home folder is written as `~`.
 */
export async function diagnostics(host: Host, job: Job): Promise<Written> {
  const files: Record<string, Uint8Array> = {}
  const add = (name: string, value: unknown) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2)
    files[name] = strToU8(text.replaceAll(homedir(), '~'))
  }
  job.progress('diagnostics', 0, 4, 'items')
  const { layout: _own, ...settings } = host.settings.get()
  add('about.json', { ...hello(host), cpu: cpus()[0]?.model, cores: cpus().length, memory: totalmem() })
  add('settings.json', settings)
  add('system.json', await host.monitor.status(settings.diskFloor))
  job.progress('diagnostics', 1, 4, 'items')
  add('devices.json', await host.service.call('doctor', {}).catch((error: unknown) => String(error)))
  job.progress('diagnostics', 2, 4, 'items')
  add(
    'projects.json',
    [...host.projects.values()].map((project) => project.summary()),
  )
  const runs = [...host.projects.values()].flatMap((project) => [...project.runs.values()])
  const recent = runs.toSorted((a, b) => b.record.updated.localeCompare(a.record.updated)).slice(0, RUNS)
  for (const run of recent) {
    job.signal.throwIfAborted()
    const lines = run.log.page({ fromLine: Math.max(0, run.log.lines - LINES), limit: LINES }).lines
    add(`runs/${run.key}/log.txt`, lines.map(({ time, level, text }) => `${time ?? ''} ${level} ${text}`).join('\n'))
    const { request: _request, result: _result, ...record } = run.record
    add(`runs/${run.key}/run.json`, { ...record, notes: run.notes })
  }
  job.progress('diagnostics', 3, 4, 'items')
  const folder = join(host.options.home, 'diagnostics')
  await mkdir(folder, { recursive: true })
  const path = join(folder, `alambic-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.zip`)
  await replaceFile(path, zipSync(files))
  job.progress('diagnostics', 4, 4, 'items')
  return written(host, path)
}

import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { DeviceId, deviceTitles } from '../../workers/protocol/devices.ts'
import { AlambicError } from '../../workers/protocol/errors.ts'
import {
  checkpointBytes,
  checkpointsOf,
  listCheckpoints,
  readManifest,
} from '../../workers/protocol/files/checkpoints.ts'
import { replaceJson } from '../../workers/protocol/files/durable.ts'
import { lastSequence, readEvents } from '../../workers/protocol/files/journal.ts'
import { columnsOf, countRows, readRows, streamPath, streamsIn } from '../../workers/protocol/files/metrics.ts'
import { isGoing, RunRecord } from '../../workers/protocol/files/record.ts'
import type { CheckpointInfo, MetricRows, RunDetail, RunSummary, StreamInfo } from '../../workers/protocol/studio.ts'
import type { Progress, RunEvent, RunState, WireError } from '../../workers/protocol/worker.ts'
import { stringify } from 'yaml'
import { defined } from './defined.ts'
import { RunLog } from './log.ts'
import { readNotes, writeNotes, type RunNotes } from './run-notes.ts'

/** What is known of a run only while a process works on it. */
export interface LiveRun {
  progress?: Progress
  preparing?: string
  pausing?: boolean
}

/** A run of a project: its folder, and what the host knows of it. */
export class RunEntry {
  readonly key: string
  readonly project: string
  readonly folder: string
  readonly log: RunLog
  record: RunRecord
  notes: RunNotes
  live: LiveRun | undefined
  lastCheckpoint: RunSummary['lastCheckpoint']

  /** Reads a run's folder; throws `run.damaged`. */
  constructor(project: string, folder: string) {
    this.project = project
    this.folder = folder
    this.key = `${project}.${basename(folder)}`
    this.log = new RunLog(folder)
    this.record = readRecord(folder)
    this.notes = readNotes(folder) ?? notesOf(this.record)
    for (const event of readEvents(this.#journal)) this.saw(event)
  }

  get #journal(): string {
    return join(this.folder, 'events.jsonl')
  }

  get state(): RunState {
    if (this.live) return this.live.pausing ? 'pausing' : this.live.preparing === undefined ? 'running' : 'preparing'
    if (this.notes.queue !== undefined) return 'queued'
    return isGoing(this.record.state) ? 'interrupted' : this.record.state
  }

  /** The stage at hand. */
  get stage(): number {
    return Math.min(this.record.steps.length, Math.max(0, this.notes.stages.length - 1))
  }

  reload(): void {
    this.record = readRecord(this.folder)
  }

  async writeRecord(change: Partial<RunRecord>): Promise<void> {
    this.record = { ...this.record, ...change, updated: new Date().toISOString() }
    await replaceJson(join(this.folder, 'run.json'), this.record)
  }

  async note(change: { readonly [Key in keyof RunNotes]?: RunNotes[Key] | undefined }): Promise<void> {
    this.notes = defined({ ...this.notes, ...change })
    await writeNotes(this.folder, this.notes)
  }

  /** Follows the journal for what a summary shows. */
  saw({ kind, time, data }: RunEvent): void {
    if (kind !== 'checkpoint') return
    this.lastCheckpoint = { checkpoint: `${Number(data['stepIndex'])}/${Number(data['step'])}`, time }
  }

  /** Milliseconds that processes worked on it. */
  get elapsed(): number {
    return this.notes.sessions.reduce((sum, { start, end }) => sum + ((end ?? Date.now()) - start), 0)
  }

  summary(): RunSummary {
    const { record, notes, live, state } = this
    const threads = (record.request['threads'] as number | undefined) ?? availableParallelism()
    const started = notes.sessions[0]?.start
    const finished = ['succeeded', 'stopped', 'failed'].includes(record.state)
    return defined({
      run: this.key,
      project: this.project,
      title: notes.title,
      state,
      preparing: live?.preparing,
      created: record.created,
      updated: record.updated,
      started: started === undefined ? undefined : new Date(started).toISOString(),
      finished: finished ? record.updated : undefined,
      elapsed: this.elapsed,
      recipe: notes.recipe,
      stages: notes.stages,
      done: record.steps.length,
      model: defined(notes.model),
      data: notes.data,
      device: deviceText(record.request['device'], threads),
      progress: live?.progress,
      lastCheckpoint: this.lastCheckpoint,
      halt: live || finished || state === 'queued' ? undefined : notes.halt,
      error: record.error as WireError | undefined,
      crashes: notes.crashes.length,
      clonedFrom: notes.clonedFrom,
      branchedFrom: notes.branchedFrom,
      result: record.result,
      output: notes.output,
    }) as RunSummary
  }

  async detail(): Promise<RunDetail> {
    const { record } = this
    return {
      ...this.summary(),
      folder: this.folder,
      request: record.request,
      ...(record.choice ? { choice: record.choice } : {}),
      yaml: stringify(record.recipe),
      plain: record.recipe,
      reports: record.steps.map(({ id, report, stage }) => ({ id, report, ...(stage ? { stage } : {}) })),
      ...(record.input ? { input: record.input } : {}),
      streams: this.streams(),
      checkpoints: await this.checkpoints(),
      logLines: this.log.lines,
      lastEvent: lastSequence(this.#journal),
      references: this.#references(),
    }
  }

  /** Accuracies of finished stages that a later stage follows. */
  #references(): RunDetail['references'] {
    return this.record.steps.flatMap(({ report }) => {
      const best = bestAccuracy(report)
      return best === undefined ? [] : [{ name: 'teacher' as const, accuracy: best }]
    })
  }

  streams(): StreamInfo[] {
    return streamsIn(join(this.folder, 'metrics')).map((stream) => {
      const columns = columnsOf(streamPath(this.folder, stream))
      return {
        stream,
        stage: Number.parseInt(stream, 10),
        columns,
        rows: countRows(streamPath(this.folder, stream), columns.length),
      }
    })
  }

  /** Rows on disk, by stream. */
  rowCounts(): Record<string, number> {
    return Object.fromEntries(this.streams().map(({ stream, rows }) => [stream, rows]))
  }

  metrics(stream: string, fromRow: number, maxRows: number): MetricRows {
    const read = readRows(streamPath(this.folder, stream), fromRow, maxRows)
    return { run: this.key, stream, fromRow: Math.min(fromRow, read.total), ...read }
  }

  events(after: number, limit: number): { readonly events: readonly RunEvent[]; readonly last: number } {
    const events = readEvents(this.#journal, after)
    return { events: events.slice(0, limit), last: events.at(-1)?.seq ?? lastSequence(this.#journal) }
  }

  async checkpoints(): Promise<CheckpointInfo[]> {
    const stages = this.notes.stages.map((_, stage) => this.#checkpointsOf(stage))
    return (await Promise.all(stages)).flat()
  }

  async #checkpointsOf(stage: number): Promise<CheckpointInfo[]> {
    const root = checkpointsOf(this.folder, stage)
    const names = await listCheckpoints(root).catch(() => [])
    // A step that was saved again counts once, as it was saved last.
    const newest = names.filter(({ step }, i) => names[i - 1]?.step !== step)
    const infos = await Promise.all(newest.map(({ name, step }, i) => describe(join(root, name), stage, step, i === 0)))
    const best = infos.map(({ bestStep }) => bestStep).find((step) => step !== undefined)
    return infos.map(({ bestStep: _known, ...info }) => ({ ...info, best: info.step === best }))
  }
}

async function describe(
  folder: string,
  stage: number,
  step: number,
  last: boolean,
): Promise<Omit<CheckpointInfo, 'best'> & { readonly bestStep?: number }> {
  const common = {
    checkpoint: `${stage}/${step}`,
    stage,
    step,
    last,
    bytes: await checkpointBytes(folder).catch(() => 0),
  }
  try {
    const { time, facts } = await readManifest(folder)
    const best = facts['best'] as { step?: number; score?: number } | undefined
    return defined({ ...common, time: time ?? '', score: best?.score, bestStep: best?.step })
  } catch (error) {
    if (!(error instanceof AlambicError)) throw error
    return { ...common, time: '', problem: error.toJSON() as unknown as WireError }
  }
}

function bestAccuracy(report: Readonly<Record<string, unknown>>): number | undefined {
  const history = report['history'] as readonly { validation?: { accuracy?: number } }[] | undefined
  const seen = (history ?? []).flatMap(({ validation }) => validation?.accuracy ?? [])
  return seen.length === 0 ? undefined : Math.max(...seen)
}

function readRecord(folder: string): RunRecord {
  try {
    return RunRecord.parse(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')))
  } catch (cause) {
    throw new AlambicError('run.damaged', `the run.json in "${folder}" cannot be read`, { subject: folder, cause })
  }
}

/** Of a run that the command line made in the project. */
function notesOf(record: RunRecord): RunNotes {
  const { name, title, steps } = record.recipe as { name?: string; title?: string; steps?: { step: string }[] }
  return {
    format: 1,
    title: record.id,
    sessions: [],
    crashes: [],
    recipe: { name: name ?? '', title: title ?? '' },
    stages: (steps ?? []).map(({ step }) => ({ id: step, title: step })),
    model: { name: nameOf(record.request['model']) },
    data: { name: nameOf(record.request['data']) },
  }
}

const nameOf = (reference: unknown): string => (typeof reference === 'string' ? basename(reference) : '')

/** What a run computes on, for people. */
function deviceText(device: unknown, threads: number): string {
  const known = DeviceId.safeParse(device)
  if (known.success && known.data !== 'cpu') return deviceTitles[known.data]
  return `${deviceTitles.cpu} · ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}

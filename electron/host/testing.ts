import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Notice, RunSummary, StudioEvent } from '../../workers/protocol/studio.ts'
import type { ProjectFolder } from './project.ts'
import { Host } from './host.ts'
import { createRun, type Plan } from './new-run.ts'
import type { RunEntry } from './run.ts'

/** For tests: a host on a data folder of its own, and what it tells. */
export class TestHost {
  readonly home: string
  readonly notices: Notice[] = []
  #host: Host | undefined
  #watchers = new Set<(event: StudioEvent) => void>()

  constructor(home = mkdtempSync(join(tmpdir(), 'alambic-host-'))) {
    this.home = home
  }

  get host(): Host {
    if (!this.#host) throw new Error('the host was not started')
    return this.#host
  }

  async start(shell: 'browser' | 'command line' = 'browser'): Promise<Host> {
    const host = await Host.start({ home: this.home, shell, roots: [this.home], tick: 200 })
    host.hub.subscribe(
      (events) => {
        for (const event of events) {
          if (event.kind === 'notice') this.notices.push(event.notice)
          for (const watcher of this.#watchers) watcher(event)
        }
      },
      { after: 0 },
    )
    this.#host = host
    return host
  }

  /** Calls `then` once, as soon as a run is at a training step. */
  atStep(run: RunEntry, step: number, then: () => void): void {
    const watcher = (event: StudioEvent) => {
      if (event.kind !== 'progress' || event.run !== run.key) return
      if (event.progress.activity !== 'train' || event.progress.done < step) return
      this.#watchers.delete(watcher)
      then()
    }
    this.#watchers.add(watcher)
  }

  /** Waits until a run is in one of some states; throws after a minute, with what it was in. */
  async until(run: RunEntry, ...states: readonly RunSummary['state'][]): Promise<RunSummary> {
    const deadline = Date.now() + 60_000
    for (;;) {
      if (states.includes(run.state)) return run.summary()
      if (Date.now() > deadline) throw new Error(`${run.key} is ${run.state}: ${JSON.stringify(run.summary())}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async close(): Promise<void> {
    await this.#host?.close()
    this.#host = undefined
  }

  async remove(): Promise<void> {
    await this.close()
    rmSync(this.home, { recursive: true, force: true })
  }
}

/** A short training of a small net on some MNIST images, the same bits every time. */
export const trainingPlan = (
  project: ProjectFolder,
  options: Readonly<Record<string, unknown>> = {},
  plan: Partial<Plan> = {},
): Plan => ({
  project: project.id,
  model: { kind: 'zoo', id: 'lenet-300-100@0.1' },
  data: { kind: 'named', id: 'mnist' },
  recipe: {
    alambic: 1,
    name: 'test',
    steps: [{ step: 'train', epochs: 30, batch: 16, lr: 0.01, validation: 0.2, ...options }],
  },
  set: {},
  seed: 42,
  limit: 800,
  threads: 1,
  checkpointEvery: 0.05,
  ...plan,
})

export const startTraining = (
  { host }: TestHost,
  project: ProjectFolder,
  options?: Readonly<Record<string, unknown>>,
  plan?: Partial<Plan>,
): Promise<RunEntry> => createRun(host, trainingPlan(project, options, plan))

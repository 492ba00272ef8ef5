import { defineStore } from 'pinia'
import { computed, ref, shallowRef, triggerRef, watch } from 'vue'
import { asAlambicError, type AlambicError } from '../../workers/protocol/errors.ts'
import type { Project, Queue, RunSummary, StudioChange, SystemStatus } from '../../workers/protocol/studio.ts'
import { useHost } from './host.ts'

const active = new Set<RunSummary['state']>(['preparing', 'running', 'pausing'])

const resting = new Set<RunSummary['state']>(['pausing', 'paused', 'interrupted'])

/** Whether a run is computing, as against waiting or being over. */
export const isActive = (run: RunSummary): boolean => active.has(run.state)

const newestFirst = (a: { created: string }, b: { created: string }) => b.created.localeCompare(a.created)

/** Everything that is listed anywhere: projects, runs, the queue and how the machine does. Follows the host's events. */
export const useStudio = defineStore('studio', () => {
  const host = useHost()
  const projectMap = shallowRef(new Map<string, Project>())
  const runMap = shallowRef(new Map<string, RunSummary>())
  const queue = shallowRef<Queue>()
  const system = shallowRef<SystemStatus>()
  const loaded = ref(false)
  const error = shallowRef<AlambicError>()
  /** Grows when what a project holds has changed. */
  const contents = ref<Record<string, number>>({})
  const binVersion = ref(0)

  const projects = computed(() => [...projectMap.value.values()].sort((a, b) => b.updated.localeCompare(a.updated)))
  const runs = computed(() => [...runMap.value.values()].sort(newestFirst))
  const activeRuns = computed(() => runs.value.filter(isActive))

  async function load(): Promise<void> {
    try {
      const [allProjects, allRuns, line, status] = await Promise.all([
        host.call('projects', {}),
        host.call('runs', {}),
        host.call('queue', {}),
        host.call('system', {}),
      ])
      projectMap.value = new Map(allProjects.map((project) => [project.project, project]))
      runMap.value = new Map(allRuns.map((run) => [run.run, run]))
      queue.value = line
      system.value = status
      error.value = undefined
      loaded.value = true
    } catch (thrown) {
      const problem = asAlambicError(thrown)
      if (problem.code !== 'host.offline') error.value = problem
    }
  }

  function putRun(run: RunSummary): void {
    runMap.value.set(run.run, run)
    triggerRef(runMap)
  }

  function putProject(project: Project): void {
    projectMap.value.set(project.project, project)
    triggerRef(projectMap)
  }

  const handlers: {
    readonly [Kind in StudioChange['kind']]?: (change: Extract<StudioChange, { kind: Kind }>) => void
  } = {
    project: ({ project }) => putProject(project),
    'project-gone': ({ project }) => {
      projectMap.value.delete(project)
      triggerRef(projectMap)
      for (const run of runMap.value.values()) if (run.project === project) runMap.value.delete(run.run)
      triggerRef(runMap)
    },
    contents: ({ project }) => {
      contents.value = { ...contents.value, [project]: (contents.value[project] ?? 0) + 1 }
    },
    run: ({ run }) => {
      // A run that waits is as far as it was when it was last heard of.
      const progress = run.progress ?? (resting.has(run.state) ? runMap.value.get(run.run)?.progress : undefined)
      putRun(progress ? { ...run, progress } : run)
    },
    'run-gone': ({ run }) => {
      runMap.value.delete(run)
      triggerRef(runMap)
    },
    progress: ({ run, progress }) => {
      const known = runMap.value.get(run)
      if (known) putRun({ ...known, progress })
    },
    queue: ({ queue: line }) => (queue.value = line),
    system: ({ status }) => (system.value = status),
    bin: () => binVersion.value++,
  }

  host.onChange((change) => {
    const handle = handlers[change.kind] as ((change: StudioChange) => void) | undefined
    handle?.(change)
  })
  watch(
    () => host.generation,
    () => void load(),
  )

  return {
    projects,
    projectMap,
    runs,
    runMap,
    activeRuns,
    queue,
    system,
    contents,
    binVersion,
    loaded,
    error,
    load,
    putRun,
    putProject,
  }
})

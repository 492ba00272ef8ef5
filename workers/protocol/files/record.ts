import { z } from 'zod'
import { RunState } from '../worker.ts'

const Plain = z.record(z.string(), z.unknown())

/**
 * What `run.json` of a run's folder says: the request, how the run stands, and what each finished step made. While a
 * run goes its process is the only one that writes it; else the host is.
 */
export const RunRecord = z.object({
  format: z.literal(1),
  id: z.string(),
  state: RunState,
  created: z.string(),
  updated: z.string(),
  /** The request as it was given. */
  request: Plain,
  /** The recipe as a plain value, defaults written out. */
  recipe: Plain,
  /** Finished steps: their model files (relative), reports, what else they made (files, relative), and what it costs. */
  steps: z.array(
    z.object({
      id: z.string(),
      model: z.string(),
      report: Plain,
      artifacts: z.array(z.string()).optional(),
      stage: Plain.optional(),
    }),
  ),
  /** The run's own model, measured as the stages are. */
  input: Plain.optional(),
  /** Why it failed, or why it paused by itself. */
  error: Plain.optional(),
  result: Plain.optional(),
})
export type RunRecord = Readonly<z.output<typeof RunRecord>>

/** States that a run never leaves. */
export const isFinished = (state: RunState): boolean => ['succeeded', 'stopped', 'failed'].includes(state)

/** States in which a process works on the run. */
export const isGoing = (state: RunState): boolean => ['preparing', 'running', 'pausing'].includes(state)

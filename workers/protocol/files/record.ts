import { z } from 'zod'
import { DeviceId } from '../devices.ts'
import { RunState } from '../worker.ts'

const Plain = z.record(z.string(), z.unknown())

/** How `auto` came to a run's device: what its own training step took on each engine; nothing where there was no choice. */
export const Choice = z.object({
  asked: z.literal('auto'),
  device: DeviceId,
  /** Hash of the training step's graph. */
  step: z.string().optional(),
  measured: z.array(z.object({ device: DeviceId, stepMs: z.number() })).readonly(),
})
export type Choice = Readonly<z.output<typeof Choice>>

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
  /** How its device was chosen, where that was left open. */
  choice: Choice.optional(),
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

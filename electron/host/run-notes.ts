import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceJson } from '../../workers/protocol/files/durable.ts'

const ExitReason = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('finished') }),
  z.object({ kind: z.literal('stopped') }),
  z.object({ kind: z.literal('failed'), code: z.number() }),
  z.object({ kind: z.literal('crashed'), signal: z.string() }),
  z.object({ kind: z.literal('out-of-memory') }),
  z.object({ kind: z.literal('killed'), signal: z.string() }),
])

const WireError = z.object({
  code: z.string(),
  message: z.string(),
  subject: z.string().optional(),
  expected: z.string().optional(),
  found: z.string().optional(),
  fix: z.string().optional(),
})

const Halt = z.object({
  cause: z.enum(['person', 'disk', 'not-finite', 'host-gone', 'crashed', 'crash-loop']),
  error: WireError.optional(),
  exit: ExitReason.optional(),
  time: z.string(),
  atStep: z.number().optional(),
  savedStep: z.number().optional(),
})

/**
 * What the host keeps of a run, `studio.json` in its folder. `run.json` is written by the run's process while it goes;
 * this file only ever by the host that holds the project.
 */
export const RunNotes = z.object({
  format: z.literal(1),
  title: z.string(),
  /** Its place among the queued ones, smallest first; absent when it is not queued. */
  queue: z.number().optional(),
  /** Asked to end with its best weights as soon as it goes again. */
  stopNext: z.boolean().optional(),
  /** When a process worked on it; Unix milliseconds. */
  sessions: z.array(z.object({ start: z.number(), end: z.number().optional() })).default([]),
  /** The process at work, and what tells it from a later one with its number. */
  process: z.object({ pid: z.number(), stamp: z.string() }).optional(),
  /** Where its process died; `near` is how many steps the end of the record may be off. */
  crashes: z
    .array(z.object({ stage: z.number(), step: z.number(), near: z.number(), time: z.string(), exit: ExitReason }))
    .default([]),
  halt: Halt.optional(),
  recipe: z.object({ name: z.string(), title: z.string() }),
  stages: z.array(z.object({ id: z.string(), title: z.string() })),
  model: z.object({ name: z.string(), model: z.string().optional() }),
  data: z.object({ name: z.string() }),
  clonedFrom: z.string().optional(),
  branchedFrom: z.object({ run: z.string(), checkpoint: z.string() }).optional(),
  /** The model that it made, in the project. */
  output: z.string().optional(),
})
export type RunNotes = z.output<typeof RunNotes>

const path = (folder: string): string => join(folder, 'studio.json')

/** The notes of a run; undefined for a run that no host has seen, made by the command line. */
export function readNotes(folder: string): RunNotes | undefined {
  try {
    return RunNotes.parse(JSON.parse(readFileSync(path(folder), 'utf8')))
  } catch {
    return undefined
  }
}

export const writeNotes = (folder: string, notes: RunNotes): Promise<void> => replaceJson(path(folder), notes)

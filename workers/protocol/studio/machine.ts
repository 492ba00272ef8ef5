import { z } from 'zod'
import { defaultSettings } from './default-settings.ts'
import type { DeviceId } from '../devices.ts'
import { Path } from './names.ts'

const shortText = z.string().max(100)

/** Every setting by its own schema; defaults are apart, so that a change holds only what was changed. */
const fields = {
  language: z.enum(['system', 'en', 'zh-CN']),
  theme: z.enum(['system', 'light', 'dark']),
  mode: z.enum(['simple', 'expert']),
  /** Where new projects go; absolute. */
  projectsFolder: Path,
  /** Runs that go at the same time. */
  concurrency: z.int().min(1).max(16),
  /** Runs are paused when less than this is free, in bytes. */
  diskFloor: z.number().min(0).max(1e15),
  /** Interrupted runs go on by themselves, at start and after a crash; not after two crashes at the same step. */
  autoResume: z.boolean(),
  notifications: z.boolean(),
  /** Command → keys, where they differ from the defaults. */
  shortcuts: z.record(shortText, shortText),
  /** What the renderer keeps for itself: pane sizes, pins, chart settings. JSON, at most 256 kB. */
  layout: z.record(shortText, z.json()).refine((value) => JSON.stringify(value).length <= 262_144, 'more than 256 kB'),
}

export const SettingsChange = z.strictObject(fields).partial()
export type SettingsChange = z.output<typeof SettingsChange>

/** What a person has set; kept in `settings.json` of the data folder. */
export type Settings = {
  readonly [Name in Exclude<keyof typeof fields, 'projectsFolder'>]: z.output<(typeof fields)[Name]>
} & { readonly projectsFolder?: string }

/** Settings from a file: what does not fit its schema is left at its default, and named. */
export function readSettings(value: unknown): { settings: Settings; ignored: readonly string[] } {
  const given = value !== null && typeof value === 'object' ? Object.entries(value) : []
  const fitting = given.filter(([name, setting]) => {
    const schema = Object.hasOwn(fields, name) ? fields[name as keyof typeof fields] : undefined
    return schema?.safeParse(setting).success ?? false
  })
  const kept = new Set(fitting.map(([name]) => name))
  return {
    settings: { ...defaultSettings, ...(Object.fromEntries(fitting) as SettingsChange) } as Settings,
    ignored: given.map(([name]) => name).filter((name) => !kept.has(name)),
  }
}

/** How the machine is doing. */
export interface SystemStatus {
  /** Share of all cores in use since the last report, 0–1. */
  readonly cpu: number
  readonly cores: number
  /** Bytes; `own` is what the host and its workers hold. */
  readonly memory: { readonly total: number; readonly free: number; readonly own: number }
  /** Of the disk with the data folder; bytes. */
  readonly disk: { readonly path: string; readonly total: number; readonly free: number; readonly low: boolean }
}

/** An engine or a device that can compute, or could. */
export interface Device {
  readonly device: DeviceId
  readonly title: string
  readonly kind: 'cpu' | 'gpu' | 'npu'
  readonly available: boolean
  /** Why it is not available, and what would make it so; the code is what a renderer translates. */
  readonly code?: string
  readonly reason?: string
  readonly fix?: string
  readonly version?: string
  /** Bytes. */
  readonly memory?: number
  /** Threads, instruction sets: what matters for speed. */
  readonly facts: Readonly<Record<string, string>>
  /** What was measured on this very machine; without it nothing here vouches for the device. */
  readonly selfTest?: SelfTest
}

/** What a self-test measured in a process of its own. */
export interface SelfTest {
  readonly device: string
  readonly ok: boolean
  readonly milliseconds: number
  /** One sentence: what was computed and how far it was from the reference. */
  readonly summary: string
  readonly maxError?: number
  /** The net whose training step was measured, and its batch. */
  readonly net?: string
  readonly batch?: number
  /** Trained on, in each second. */
  readonly samplesPerSecond?: number
  /** ISO 8601, of a test that is remembered. */
  readonly time?: string
}

/** What a renderer hears first. */
export interface Hello {
  /** Of Alambic. */
  readonly version: string
  readonly node: string
  readonly platform: string
  readonly shell: 'desktop' | 'browser'
  /** Of this host process: another one means that everything must be read anew. */
  readonly session: string
  /** Number of the newest event. */
  readonly seq: number
  readonly dataFolder: string
  readonly projectsFolder: string
  /** Folders that `browse` may list. */
  readonly roots: readonly string[]
  /** True on the very first start: the sample project is open and its run goes. */
  readonly firstLaunch: boolean
  /** BCP 47 tag of the person's system. */
  readonly systemLanguage: string
}

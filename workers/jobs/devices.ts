import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeviceChoice, type DeviceId } from '../protocol/devices.ts'
import { AlambicError } from '../protocol/errors.ts'
import type { Choice } from '../protocol/files/record.ts'
import { chooseDevice } from './choose.ts'
import { fastest } from './remembered.ts'

/** Where a search for a recipe keeps what it was asked. */
export const SEARCH_FILE = 'search.json'

/** The parts of a request that say where it computes. */
export interface DeviceRequest {
  readonly device?: DeviceChoice | undefined
  /** The run that it is about, or goes on with. */
  readonly folder?: string
  readonly resume?: boolean
  /** The finished run that it repeats. */
  readonly run?: string
  /** What a run trains: `auto` takes its own step. */
  readonly recipe?: string | Readonly<Record<string, unknown>>
  readonly model?: string
  readonly set?: Readonly<Record<string, unknown>>
  readonly seed?: number
}

/**
 * The device of a request: what a run has begun on it stays on, whatever is asked later; numbers of two devices are
 * never mixed. `auto` is the fastest one of this machine. The processor unless anything is said.
 */
export async function placeOf(request: DeviceRequest): Promise<Place> {
  const begun = await deviceOfRun(request)
  const asked = request.device
  if (
    begun !== undefined &&
    begun !== 'auto' &&
    request.resume &&
    asked !== undefined &&
    asked !== 'auto' &&
    asked !== begun
  ) {
    throw new AlambicError('usage.device', `the run began on "${begun}", and numbers of two devices are never mixed`, {
      subject: request.folder,
      expected: `--device ${begun}, or none`,
      found: asked,
      fix: 'Resume it where it began, or start a new run.',
    })
  }
  const device = begun ?? asked ?? 'cpu'
  if (device !== 'auto') return { device }
  const { recipe, model, set = {}, seed = 42 } = request
  if (recipe === undefined || model === undefined) return { device: await fastest() }
  const choice = await chooseDevice({ recipe, model, set, seed })
  return { device: choice.device, choice }
}

/** Where a request computes, and how that was chosen. */
export interface Place {
  readonly device: DeviceId
  readonly choice?: Choice
}

/** What the record of a run says; undefined where there is no run yet. */
async function deviceOfRun({ folder, run, resume }: DeviceRequest): Promise<DeviceChoice | undefined> {
  const place = run ?? (resume === false ? undefined : folder)
  if (place === undefined) return undefined
  const read = (name: string) => readFile(join(place, name), 'utf8').catch(() => undefined)
  // A search for a recipe has many runs in its folder, and one device.
  const text = (await read('run.json')) ?? (await read(SEARCH_FILE))
  if (text === undefined) return undefined
  const device = DeviceChoice.safeParse((JSON.parse(text) as { request?: { device?: unknown } }).request?.device)
  return device.success ? device.data : 'cpu'
}

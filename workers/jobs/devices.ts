import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeviceChoice, type DeviceId } from '../protocol/devices.ts'
import { AlambicError } from '../protocol/errors.ts'
import { fastest } from './remembered.ts'

/** The parts of a request that say where it computes. */
export interface DeviceRequest {
  readonly device?: DeviceChoice | undefined
  /** The run that it is about, or goes on with. */
  readonly folder?: string
  readonly resume?: boolean
  /** The finished run that it repeats. */
  readonly run?: string
}

/**
 * The device of a request: what a run has begun on it stays on, whatever is asked later; numbers of two devices are
 * never mixed. `auto` is the fastest one of this machine. The processor unless anything is said.
 */
export async function deviceOf(request: DeviceRequest): Promise<DeviceId> {
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
  return device === 'auto' ? fastest() : device
}

/** What the record of a run says; undefined where there is no run yet. */
async function deviceOfRun({ folder, run, resume }: DeviceRequest): Promise<DeviceChoice | undefined> {
  const place = run ?? (resume === false ? undefined : folder)
  if (place === undefined) return undefined
  const text = await readFile(join(place, 'run.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const device = DeviceChoice.safeParse((JSON.parse(text) as { request?: { device?: unknown } }).request?.device)
  return device.success ? device.data : 'cpu'
}

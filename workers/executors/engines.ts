import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { AlambicError } from '../protocol/errors.ts'
import type { DeviceId } from '../protocol/devices.ts'
import type { Executor } from './executor.ts'
import { isTfInstalled } from './tf/place.ts'

/** How the engine of every device is loaded; it is native code, so only child processes may. */
export const engines: Readonly<Partial<Record<DeviceId, () => Promise<Executor>>>> = {
  cpu: async () => (await import('./ort/executor.ts')).ortCpu,
  webgpu: async () => (await import('./ort/webgpu.ts')).ortWebgpu,
  cuda: async () => (await import('./ort/cuda.ts')).ortCuda,
  tf: async () => (await import('./tf/native.ts')).tfNative,
}

/** Loads the engine of a device. Throws `device.no-engine` where it cannot be had, with the reason and what to do. */
export async function loadEngine(device: DeviceId): Promise<Executor> {
  const missing = unavailable(device)
  const load = engines[device]
  if (load && !missing) return load()
  throw new AlambicError('device.no-engine', missing?.reason ?? `there is no engine for "${device}"`, {
    subject: device,
    expected: Object.keys(engines).join(', '),
    found: device,
    fix: missing?.fix,
  })
}

/** Why a device cannot be had here, and what would change that. */
export interface Unavailable {
  /** As of an error: what a screen in another language goes by. */
  readonly code?: string
  readonly reason: string
  readonly fix?: string
}

/** Operating systems by the names that people know. */
const systems: Readonly<Record<string, string>> = { linux: 'Linux', win32: 'Windows', darwin: 'macOS' }

/** Where onnxruntime-node brings each of its providers, as platform and architecture; and where TensorFlow can be got. */
const platforms: Readonly<Partial<Record<DeviceId, readonly string[]>>> = {
  webgpu: ['linux x64', 'win32 x64', 'darwin arm64'],
  cuda: ['linux x64'],
  tensorrt: ['linux x64'],
  directml: ['win32 x64', 'win32 arm64'],
  coreml: ['darwin arm64', 'darwin x64'],
  tf: ['linux x64'],
}

/** What can be told without loading anything: the platform, and files that are not there. */
export function unavailable(device: DeviceId): Unavailable | undefined {
  const here = `${process.platform} ${process.arch}`
  const wanted = platforms[device]
  if (wanted && !wanted.includes(here)) {
    const names = [...new Set(wanted.map((p) => systems[p.split(' ')[0] ?? ''] ?? p))]
    const who = device === 'tf' ? 'Alambic gets TensorFlow' : 'onnxruntime-node has it'
    return {
      code: 'device.platform',
      reason: `${who} on ${names.join(' and ')} (${wanted.join(', ')}); this is ${here}`,
    }
  }
  if (device === 'tf' && !isTfInstalled()) {
    return {
      code: 'device.no-tensorflow',
      reason: 'TensorFlow is not installed: its library takes 900 MB',
      fix: '`alambic engines add tf` gets it from npm and PyPI; it needs pip and a C++ compiler.',
    }
  }
  return device === 'cuda' || device === 'tensorrt' ? missingCuda(device) : undefined
}

/** The folder of onnxruntime-node's libraries for this platform. */
export const ortLibraries = (): string => {
  const manifest = createRequire(import.meta.url).resolve('onnxruntime-node/package.json')
  return join(dirname(manifest), 'bin', 'napi-v6', process.platform, process.arch)
}

function missingCuda(device: DeviceId): Unavailable | undefined {
  const library = `libonnxruntime_providers_${device}.so`
  if (existsSync(join(ortLibraries(), library))) return undefined
  const reason = `${library} is not installed: it is too large for onnxruntime's package`
  return {
    code: 'device.not-installed',
    reason,
    fix: 'On a machine with an NVIDIA card, `alambic engines add cuda` gets it.',
  }
}

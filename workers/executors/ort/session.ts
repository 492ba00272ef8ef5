import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import * as ort from 'onnxruntime-node'
import { AlambicError } from '../../protocol/errors.ts'
import type { CompileOptions } from '../executor.ts'
import { asOrtError } from './failures.ts'

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }

/** For provenance. */
export const runtime = `onnxruntime ${version}`

export interface OrtOptions extends CompileOptions {
  /** Write a profile of every run to files with this prefix. */
  readonly profile?: string
  /** Where to compute, and where results stay; the processor and its memory unless given. */
  readonly device?: Pick<ort.InferenceSession.SessionOptions, 'executionProviders' | 'preferredOutputLocation'>
}

/** How many threads an operator may use: all cores unless told. */
export const defaultThreads = (): number => availableParallelism()

/** A session over model bytes; also the way to run an exported file exactly as its users will. */
export async function createSession(
  model: Uint8Array | string,
  name: string,
  options: OrtOptions = {},
): Promise<ort.InferenceSession> {
  const settings: ort.InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    ...options.device,
    intraOpNumThreads: options.threads ?? defaultThreads(),
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    // A block for all values of a run, planned after the first: faster by some percent, and held beside the arena.
    enableMemPattern: options.compact !== true,
    logSeverityLevel: 3,
    // Denormals slow late training by an order of magnitude; int8 QDQ models with int8 activations fuse only when told.
    extra: { session: { set_denormal_as_zero: '1', qdqisint8allowed: '1' } },
    ...(options.profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: options.profile }),
  }
  try {
    return typeof model === 'string'
      ? await ort.InferenceSession.create(model, settings)
      : await ort.InferenceSession.create(model, settings)
  } catch (cause) {
    const message = `${runtime} does not accept the graph "${name}"`
    throw asOrtError(cause, (found) => new AlambicError('ort.rejected', message, { found, cause }))
  }
}

/** Runs a session; what the device below it reports becomes an error that says what to do. */
export async function runSession(
  session: ort.InferenceSession,
  feeds: Record<string, ort.Tensor>,
  fetches: Record<string, ort.Tensor | null>,
): Promise<Record<string, ort.Tensor>> {
  try {
    return await session.run(feeds, fetches)
  } catch (cause) {
    throw asOrtError(cause, (found) => new AlambicError('ort.failed', `${runtime} failed`, { found, cause }))
  }
}

import { rename, rm } from 'node:fs/promises'
import type * as ort from 'onnxruntime-node'
import { InferenceSession } from 'onnxruntime-node'
import { AlambicError } from '../../protocol/errors.ts'
import type { Executor, Program, Tensors } from '../executor.ts'
import { ortCpu } from './executor.ts'
import { createSession } from './session.ts'
import { fromOrt, toOrt } from './tensors.ts'

/** A model file as its users run it: the very bytes, ONNX or ORT format, nothing lowered. */
export async function openOrtFile(path: string, options: { readonly threads?: number } = {}): Promise<Program> {
  const session = await createSession(path, path, options)
  const stateless = () => Promise.reject(new AlambicError('executor.no-state', 'a model file has no state'))
  return {
    run: async (feeds: Tensors) => {
      const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]))
      const results = await session.run(inputs)
      return Object.fromEntries(session.outputNames.map((name) => [name, fromOrt(results[name] as ort.Tensor)]))
    },
    readState: stateless,
    writeState: stateless,
    dispose: () => session.release(),
  }
}

/** An executor that runs one file, whatever graph it is asked for: what measures it as it is. */
export const executorOfFile = (path: string): Executor => ({
  id: ortCpu.id,
  runtime: ortCpu.runtime,
  compile: (_graph, options = {}) =>
    openOrtFile(path, options.threads === undefined ? {} : { threads: options.threads }),
})

/**
 * Writes an ONNX file in onnxruntime's own format (`.ort`), with the fusions that hold on every machine: what a minimal
 * build of the runtime loads. Throws `ort.rejected` where the runtime can't write it.
 */
export async function writeOrtFormat(model: string, output: string): Promise<void> {
  const temporary = `${output}.${process.pid}.tmp.ort`
  try {
    const session = await InferenceSession.create(model, {
      executionProviders: ['cpu'],
      // `all` would also choose layouts of the processor at hand.
      graphOptimizationLevel: 'extended',
      optimizedModelFilePath: temporary,
      logSeverityLevel: 4,
      extra: { session: { save_model_format: 'ORT', qdqisint8allowed: '1' } },
    })
    await session.release()
    await rename(temporary, output)
  } catch (cause) {
    throw new AlambicError('ort.rejected', `${ortCpu.runtime} cannot write this model in its own format`, {
      subject: model,
      found: cause instanceof Error ? cause.message : String(cause),
      fix: 'Export it as ONNX: every build of the runtime but the minimal one reads that.',
      cause,
    })
  } finally {
    await rm(temporary, { force: true })
  }
}

import * as core from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import type { Executor } from '../../executors/executor.ts'
import { tfExecutor, type TfOptions } from '../../executors/tf/executor.ts'
import { backendOf, type Backend } from '../../executors/tf/tensorflow.ts'

/** TensorFlow.js in plain JavaScript: slow, everywhere, with the kernels that the native one has. */
export async function tensorFlowJs(): Promise<Backend> {
  // It would recommend its native backend.
  core.enableProdMode()
  await core.setBackend('cpu')
  return backendOf(core, { id: 'tf-js', runtime: `TensorFlow.js ${core.version_core} in JavaScript` })
}

export const tfJs = async (options?: TfOptions): Promise<Executor> => tfExecutor(await tensorFlowJs(), options)

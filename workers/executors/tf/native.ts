import { createRequire } from 'node:module'
import { join } from 'node:path'
import { AlambicError } from '../../protocol/errors.ts'
import type { Executor } from '../executor.ts'
import { tfExecutor } from './executor.ts'
import { ADDON, tfFolder } from './place.ts'
import {
  backendOf,
  type Backend,
  type NativeAttributes,
  type NativeKind,
  type NativeOperators,
  type TensorFlowJs,
  type TfTensor,
} from './tensorflow.ts'

/**
 * TensorFlow's own library. It is native code: only for child processes. It is loaded with the first graph, because
 * its threads are counted once in a process: as many as that graph is given, all cores unless told.
 */
export const tfNative: Executor = {
  id: 'tf-node',
  get runtime() {
    return open().runtime
  },
  compile: async (graph, options) => tfExecutor(open(options?.threads)).compile(graph, options),
}

let opened: Backend | undefined

const open = (threads?: number): Backend => (opened ??= load(tfFolder(), threads))

/** The native part of TensorFlow.js. */
interface Binding {
  readonly TF_Version: string
  readonly [constant: string]: unknown
}

interface KernelBackend {
  readonly isUsingGpuDevice: boolean
  executeMultipleOutputs(
    name: string,
    attributes: readonly { name: string; type: unknown; value: unknown }[],
    inputs: readonly TfTensor[],
    outputs: number,
  ): TfTensor[]
}

function load(folder: string, threads: number | undefined): Backend {
  restoreUtil()
  // Read once, by the library itself. cuDNN has algorithms that add up in another order each time.
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
  process.env['TF_CUDNN_DETERMINISTIC'] ??= '1'
  if (threads !== undefined) process.env['TF_NUM_INTRAOP_THREADS'] = String(threads)
  try {
    const require = createRequire(join(folder, 'package.json'))
    const binding = require(join(folder, ADDON)) as Binding
    const core = require('@tensorflow/tfjs') as TensorFlowJs & {
      registerBackend(name: string, make: () => KernelBackend): void
      setBackend(name: string): Promise<boolean>
      version_core: string
    }
    const { NodeJSKernelBackend } = require('@tensorflow/tfjs-node/dist/nodejs_kernel_backend.js') as {
      NodeJSKernelBackend: new (binding: Binding, name: string) => KernelBackend
    }
    const backend = new NodeJSKernelBackend(binding, '@tensorflow/tfjs-node')
    core.registerBackend('tensorflow', () => backend)
    require('@tensorflow/tfjs-node/dist/register_all_kernels.js')
    void core.setBackend('tensorflow')
    const where = backend.isUsingGpuDevice ? 'a graphics processor' : 'the processor'
    const runtime = `TensorFlow ${binding.TF_Version} (TensorFlow.js ${core.version_core}) on ${where}`
    return backendOf(core, { id: 'tf-node', runtime, native: nativeOperators(binding, backend) })
  } catch (cause) {
    throw new AlambicError('device.no-engine', 'TensorFlow is here and cannot be loaded', {
      subject: folder,
      found: cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause),
      fix: 'Run `alambic engines add tf` again.',
      cause,
    })
  }
}

const KINDS: Readonly<Record<NativeKind, string>> = {
  type: 'TF_ATTR_TYPE',
  float: 'TF_ATTR_FLOAT',
  bool: 'TF_ATTR_BOOL',
  string: 'TF_ATTR_STRING',
  int: 'TF_ATTR_INT',
}

function nativeOperators(binding: Binding, backend: KernelBackend): NativeOperators {
  const valueOf = (kind: NativeKind, value: unknown): unknown =>
    kind === 'type' ? binding[value === 'float32' ? 'TF_FLOAT' : 'TF_INT32'] : value
  const attributesOf = (attributes: NativeAttributes) =>
    Object.entries(attributes).map(([name, { type, value }]) => ({
      name,
      type: binding[KINDS[type]],
      value: valueOf(type, value),
    }))
  return {
    onGpu: backend.isUsingGpuDevice,
    run: (name, inputs, attributes, outputs) =>
      backend.executeMultipleOutputs(name, attributesOf(attributes), inputs, outputs),
  }
}

/** Node 23 took from `util` what TensorFlow.js 4.22 asks it for. */
function restoreUtil(): void {
  const util = createRequire(import.meta.url)('node:util') as Record<string, unknown>
  util['isNullOrUndefined'] = (value: unknown): boolean => value === null || value === undefined
  util['isArray'] = Array.isArray
}

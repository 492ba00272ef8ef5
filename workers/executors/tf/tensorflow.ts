import type { DType } from '../../graph/dtype.ts'

/** Element types that TensorFlow.js has and Alambic computes with. */
export type TfType = 'float32' | 'int32' | 'bool'

/** A tensor of TensorFlow.js: a handle of memory that may be a device's. */
export interface TfTensor {
  readonly id: number
  readonly shape: readonly number[]
  readonly dtype: string
  dataSync(): ArrayLike<number>
  dispose(): void
}

/** Named inputs of a kernel, or a list of them. */
export type KernelInputs = Readonly<Record<string, TfTensor>> | readonly TfTensor[]

/** What an executor needs of TensorFlow, wherever it computes. */
export interface Backend {
  /** `tf-node`, `tf-js`. */
  readonly id: string
  /** For provenance: `TensorFlow 2.21.0 (tfjs-node 4.22.0) on the CPU`. */
  readonly runtime: string
  /** A kernel by TensorFlow.js' own name and argument names (tfjs-core, kernel_names.ts). */
  kernel(name: string, inputs: KernelInputs, attributes?: object): TfTensor[]
  /** A tensor over values, which stay unchanged. */
  tensor(values: Float32Array | Int32Array | Uint8Array, dims: readonly number[], dtype: TfType): TfTensor
  /** Frees every tensor that was made within, but for the results and what was kept. */
  tidy<T extends readonly TfTensor[]>(make: () => T): T
  keep(tensor: TfTensor): TfTensor
  readonly memory: () => { readonly numTensors: number; readonly numBytes: number }
  /** Operators of TensorFlow itself, by its own names; absent where only TensorFlow.js' kernels are. */
  readonly native?: NativeOperators
}

/** TensorFlow's own operators, of which TensorFlow.js shows a part. */
export interface NativeOperators {
  /** Whether tensors are in a graphics processor's memory. */
  readonly onGpu: boolean
  run(name: string, inputs: readonly TfTensor[], attributes: NativeAttributes, outputs: number): TfTensor[]
}

export type NativeAttributes = Readonly<Record<string, { readonly type: NativeKind; readonly value: unknown }>>
export type NativeKind = 'type' | 'float' | 'bool' | 'string' | 'int'

/** The part of the package `@tensorflow/tfjs-core`, and of those that bring it, that is used here. */
export interface TensorFlowJs {
  engine(): {
    runKernel(name: string, inputs: never, attributes?: never): unknown
  }
  tensor(values: never, shape: never, dtype: never): unknown
  tidy(make: () => never): unknown
  keep(tensor: never): unknown
  memory(): { readonly numTensors: number; readonly numBytes: number }
}

/** A backend over a loaded package whose current backend is the one to compute with. */
export function backendOf(
  tf: TensorFlowJs,
  { id, runtime, native }: { id: string; runtime: string; native?: NativeOperators },
): Backend {
  const engine = tf.engine()
  return {
    id,
    runtime,
    kernel: (name, inputs, attributes = {}) => {
      const result = engine.runKernel(name, inputs as never, attributes as never) as TfTensor | TfTensor[]
      return Array.isArray(result) ? result : [result]
    },
    tensor: (values, dims, dtype) => tf.tensor(values as never, [...dims] as never, dtype as never) as TfTensor,
    tidy: (make) => tf.tidy(make as unknown as () => never) as ReturnType<typeof make>,
    keep: (tensor) => tf.keep(tensor as never) as TfTensor,
    memory: () => tf.memory(),
    ...(native ? { native } : {}),
  }
}

/** How TensorFlow.js holds tensors of our element types; what is not here it does not compute with. */
export const tfTypes: Readonly<Partial<Record<DType, TfType>>> = {
  f32: 'float32',
  i32: 'int32',
  // Of these only values that fit into 32 bits, which is checked where they come in.
  i64: 'int32',
  // Whole numbers of fewer bits keep their value in 32.
  i16: 'int32',
  u16: 'int32',
  i8: 'int32',
  u8: 'int32',
  bool: 'bool',
}

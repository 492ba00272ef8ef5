export { pack, type Packed, type PackOptions, type PackReport } from './pack.ts'
export type { TensorReport } from './tensor.ts'
export { unpack, Unpacker, type UnpackOptions } from './unpack.ts'

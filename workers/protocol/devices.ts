import { z } from 'zod'

/** What computes: the processor, or a graphics or neural processor by the interface that reaches it. */
export const DeviceId = z.enum(['cpu', 'webgpu', 'cuda', 'tensorrt', 'directml', 'coreml', 'tf'])
export type DeviceId = z.infer<typeof DeviceId>

/** A device, or the fastest one of this machine. */
export const DeviceChoice = z.enum(['auto', ...DeviceId.options])
export type DeviceChoice = z.infer<typeof DeviceChoice>

/** Proper names: the same in every language. */
export const deviceTitles: Readonly<Record<DeviceId, string>> = {
  cpu: 'ort · CPU',
  webgpu: 'ort · WebGPU',
  cuda: 'ort · CUDA',
  tensorrt: 'ort · TensorRT',
  directml: 'ort · DirectML',
  coreml: 'ort · CoreML',
  tf: 'TensorFlow',
}

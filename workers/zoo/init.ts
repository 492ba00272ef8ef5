import { fillGaussian, fillUniform, type Random } from '../graph/random.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'

/** How many weights feed one output unit, and how many one input unit feeds: `(C/g)·kh·kw` and `T·kh·kw` for Conv. */
export interface Fans {
  readonly in: number
  readonly out: number
}

/** Fills a fresh weight in place. */
export type Fill = (target: Float32Array, random: Random) => void
export type Initialization = (fans: Fans) => Fill

const normal =
  (std: number): Fill =>
  (target, random) =>
    fillGaussian(target, random, std)
const uniform =
  (bound: number): Fill =>
  (target, random) =>
    fillUniform(target, random, bound)

export const constant = (value: number): Initialization => {
  return () => (target) => void target.fill(value)
}
export const zeros = constant(0)
export const normalOf =
  (std: number): Initialization =>
  () =>
    normal(std)
/** He et al. 2015, arXiv:1502.01852, eq. 14: variance 2/fan-out keeps the gradients' size through ReLUs. */
export const heFanOut: Initialization = (fans) => normal(Math.sqrt(2 / fans.out))
/** The uniform law with He's variance 2/fan-in: bound √(6/fan-in). */
export const heUniform: Initialization = (fans) => uniform(Math.sqrt(6 / fans.in))
/** PyTorch's default for Conv and Linear, weights and biases: uniform within 1/√fan-in. */
export const torchDefault: Initialization = (fans) => uniform(1 / Math.sqrt(fans.in))
/** Caffe's `xavier` filler: uniform within √(3/fan-in), that is variance 1/fan-in. */
export const caffeXavier: Initialization = (fans) => uniform(Math.sqrt(3 / fans.in))

/** Initializations of a net's kinds of parameter. Running means start at 0 and variances at 1 everywhere. */
export interface Scheme {
  readonly conv: Initialization
  readonly convBias: Initialization
  readonly linear: Initialization
  readonly linearBias: Initialization
  /** Batch normalization's scale γ and shift β. */
  readonly gamma: Initialization
  readonly beta: Initialization
}

const base = { convBias: zeros, linearBias: zeros, gamma: constant(1), beta: zeros }
export const schemes = {
  torch: { ...base, conv: torchDefault, convBias: torchDefault, linear: torchDefault, linearBias: torchDefault },
  caffe: { ...base, conv: caffeXavier, linear: caffeXavier },
  /** fb.resnet.torch's CIFAR models: He fan-out for convolutions, PyTorch's default for the classifier, zero biases. */
  resnetCifar: { ...base, conv: heFanOut, linear: torchDefault },
  /** torchvision's ResNets. */
  resnet: { ...base, conv: heFanOut, linear: torchDefault, linearBias: torchDefault },
  /** torchvision's VGG and MobileNets. */
  heFanOut: { ...base, conv: heFanOut, linear: normalOf(0.01) },
  /** Network Slimming's code: as above, and γ starts at 0.5. */
  slimming: { ...base, conv: heFanOut, linear: normalOf(0.01), gamma: constant(0.5) },
  squeezenet: { ...base, conv: heUniform, linear: normalOf(0.01) },
  /** The authors' ShuffleNet V1: standard deviation 1 over the input channels of a group. */
  shufflenet: { ...base, conv: (fans: Fans) => normal(1 / fans.in), linear: normalOf(0.01), beta: constant(1e-4) },
} as const satisfies Record<string, Scheme>

/**
 * A float32 tensor that is filled when its bytes are first asked for, so that counting or drawing a net of 138 million
 * parameters costs nothing. The property is an own one: copies and clones of the object see the filled bytes.
 */
export function lazyTensor(dims: readonly number[], fill: (target: Float32Array) => void): Tensor {
  let bytes: Uint8Array | undefined
  return {
    dtype: 'f32',
    dims,
    get bytes() {
      if (!bytes) {
        const values = new Float32Array(sizeOf(dims))
        fill(values)
        bytes = new Uint8Array(values.buffer)
      }
      return bytes
    },
  }
}

import { AlambicError } from '../protocol/errors.ts'
import { Builder } from '../graph/builder.ts'
import { Graph } from '../graph/graph.ts'
import { hashSeed, mulberry32 } from '../graph/random.ts'
import { f32, i64, type Tensor, sizeOf } from '../graph/tensor.ts'
import { tensorType } from '../graph/types.ts'
import { lazyTensor, type Fans, type Initialization, type Scheme } from './init.ts'

/** A value of the net with its shape behind the batch axis: `[C, H, W]` or `[C]`. */
export interface Feature {
  readonly value: string
  readonly dims: readonly number[]
}

export interface ConvOptions {
  readonly kernel?: number
  readonly stride?: number
  /** Zeros on every side; half the kernel (output as large as the input at stride 1) unless told. */
  readonly pad?: number
  readonly group?: number
  readonly bias?: boolean
  readonly init?: Initialization
  /** Name of the output, where it is not the layer's own. */
  readonly output?: string
}

export interface PoolOptions {
  readonly kernel: number
  readonly stride?: number
  readonly pad?: number
  readonly ceil?: boolean
}

/** Name of the symbolic batch dimension. */
export const batchDim = 'N'
type Op = Parameters<Builder['op']>[0]

/**
 * Builds an image classifier layer by layer, at opset 17. A layer's node and output bear its name, its parameters
 * that name with PyTorch's endings (`conv1.weight`, `bn1.running_mean`). Every parameter draws from its own random
 * stream, so changing one layer leaves the others' initial weights as they were.
 */
export class Net {
  readonly input: Feature
  readonly #builder: Builder
  readonly #scheme: Scheme
  readonly #seed: number

  constructor(name: string, inputDims: readonly number[], scheme: Scheme, seed: number) {
    this.#builder = new Builder(new Graph({ name, opsets: new Map([['', 17]]) }))
    this.#scheme = scheme
    this.#seed = seed
    this.input = { value: this.#builder.input('input', 'f32', [batchDim, ...inputDims]), dims: inputDims }
  }

  conv(x: Feature, name: string, channels: number, options: ConvOptions = {}): Feature {
    const { kernel = 1, stride = 1, group = 1, bias = true, init = this.#scheme.conv } = options
    const pad = options.pad ?? (kernel - 1) / 2
    const [c = 0, h = 0, w = 0] = x.dims
    const fans = { in: (c / group) * kernel * kernel, out: channels * kernel * kernel }
    const inputs = [x.value, this.#parameter(`${name}.weight`, [channels, c / group, kernel, kernel], init, fans)]
    if (bias) inputs.push(this.#parameter(`${name}.bias`, [channels], this.#scheme.convBias, fans))
    const attributes = {
      dilations: [1, 1],
      group,
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    }
    const size = (n: number) => Math.floor((n + 2 * pad - kernel) / stride) + 1
    return this.#emit('Conv', inputs, attributes, options.output ?? name, [channels, size(h), size(w)], name)
  }

  linear(x: Feature, name: string, features: number, output = name, bias = true): Feature {
    const fans = { in: x.dims[0] ?? 0, out: features }
    const inputs = [x.value, this.#parameter(`${name}.weight`, [features, fans.in], this.#scheme.linear, fans)]
    if (bias) inputs.push(this.#parameter(`${name}.bias`, [features], this.#scheme.linearBias, fans))
    return this.#emit('Gemm', inputs, { transB: 1 }, output, [features], name)
  }

  batchNorm(x: Feature, name: string, epsilon = 1e-5, momentum = 0.9): Feature {
    const dims = [x.dims[0] ?? 0]
    const fans = { in: 1, out: 1 }
    const gamma = this.#parameter(`${name}.weight`, dims, this.#scheme.gamma, fans)
    const beta = this.#parameter(`${name}.bias`, dims, this.#scheme.beta, fans)
    const mean = this.constant(`${name}.running_mean`, f32(new Float32Array(dims[0] ?? 0)))
    const variance = this.constant(`${name}.running_var`, f32(new Float32Array(dims[0] ?? 0).fill(1)))
    return this.#emit('BatchNormalization', [x.value, gamma, beta, mean, variance], { epsilon, momentum }, name, x.dims)
  }

  relu(x: Feature, name: string): Feature {
    return this.#emit('Relu', [x.value], {}, name, x.dims)
  }

  relu6(x: Feature, name: string): Feature {
    const limits = [0, 6].map((limit) => this.constant(`${name}.${limit === 0 ? 'min' : 'max'}`, f32([limit], [])))
    return this.#emit('Clip', [x.value, ...limits], {}, name, x.dims)
  }

  hardSwish(x: Feature, name: string): Feature {
    return this.#emit('HardSwish', [x.value], {}, name, x.dims)
  }

  /** max(0, min(1, x/6 + 1/2)), as in MobileNetV3. */
  hardSigmoid(x: Feature, name: string): Feature {
    return this.#emit('HardSigmoid', [x.value], { alpha: 1 / 6, beta: 0.5 }, name, x.dims)
  }

  maxPool(x: Feature, name: string, options: PoolOptions): Feature {
    return this.#pool('MaxPool', x, name, options)
  }

  /** Zeros outside the image count in the mean, as in PyTorch. */
  averagePool(x: Feature, name: string, options: PoolOptions): Feature {
    return this.#pool('AveragePool', x, name, options)
  }

  #pool(op: 'MaxPool' | 'AveragePool', x: Feature, name: string, options: PoolOptions): Feature {
    const { kernel, stride = kernel, pad = 0, ceil = false } = options
    const [c = 0, h = 0, w = 0] = x.dims
    const attributes = {
      ...(op === 'AveragePool' ? { count_include_pad: 1 } : {}),
      ceil_mode: Number(ceil),
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    }
    const round = ceil ? Math.ceil : Math.floor
    const size = (n: number) => round((n + 2 * pad - kernel) / stride) + 1
    return this.#emit(op, [x.value], attributes, name, [c, size(h), size(w)])
  }

  globalAveragePool(x: Feature, name: string): Feature {
    return this.#emit('GlobalAveragePool', [x.value], {}, name, [x.dims[0] ?? 0, 1, 1])
  }

  flatten(x: Feature, name: string, output = name): Feature {
    return this.#emit('Flatten', [x.value], { axis: 1 }, output, [sizeOf(x.dims)], name)
  }

  /** Does nothing until a trainer turns it on. */
  dropout(x: Feature, name: string, ratio: number): Feature {
    return this.#emit('Dropout', [x.value, this.constant(`${name}.ratio`, f32([ratio], []))], {}, name, x.dims)
  }

  add(a: Feature, b: Feature, name: string): Feature {
    return this.#emit('Add', [a.value, b.value], {}, name, a.dims)
  }

  /** `x` times `gate`, whose planes may be single numbers. */
  scale(x: Feature, gate: Feature, name: string): Feature {
    return this.#emit('Mul', [x.value, gate.value], {}, name, x.dims)
  }

  concat(parts: readonly Feature[], name: string): Feature {
    const [first] = parts
    const channels = parts.reduce((n, part) => n + (part.dims[0] ?? 0), 0)
    const dims = [channels, ...(first?.dims.slice(1) ?? [])]
    return this.#emit(
      'Concat',
      parts.map((part) => part.value),
      { axis: 1 },
      name,
      dims,
    )
  }

  /** Two halves along the channels. */
  halve(x: Feature, name: string): readonly [Feature, Feature] {
    const half = (x.dims[0] ?? 0) / 2
    const sizes = this.constant(`${name}.split`, i64([half, half]))
    const names = [`${name}.left`, `${name}.right`]
    this.#builder.ops('Split', [x.value, sizes], { axis: 1 }, { names, name })
    const [left, right] = names.map((value) => this.#typed(value, [half, ...x.dims.slice(1)]))
    return [left as Feature, right as Feature]
  }

  /** ShuffleNet's channel shuffle: channel `i·(C/g) + j` moves to `j·g + i`. */
  shuffle(x: Feature, name: string, groups: number): Feature {
    const [c = 0, h = 0, w = 0] = x.dims
    const split = this.reshape(x, `${name}.split`, [groups, c / groups, h, w])
    const dims = [c / groups, groups, h, w]
    const moved = this.#emit('Transpose', [split.value], { perm: [0, 2, 1, 3, 4] }, `${name}.transpose`, dims)
    return this.reshape(moved, name, [c, h, w])
  }

  reshape(x: Feature, name: string, dims: readonly number[]): Feature {
    return this.#emit('Reshape', [x.value, this.constant(`${name}.shape`, i64([0, ...dims]))], {}, name, dims)
  }

  /** Zero channels behind those there are, up to `channels`. */
  padChannels(x: Feature, name: string, channels: number): Feature {
    const [c = 0, ...rest] = x.dims
    const pads = this.constant(`${name}.pads`, i64([0, 0, 0, 0, 0, channels - c, 0, 0]))
    return this.#emit('Pad', [x.value, pads], {}, name, [channels, ...rest])
  }

  constant(name: string, tensor: Tensor): string {
    return this.#builder.constant(name, tensor)
  }

  /** The graph with `logits` as its output. */
  finish(logits: Feature): Graph {
    this.#builder.output(logits.value)
    return this.#builder.build()
  }

  #parameter(name: string, dims: readonly number[], init: Initialization, fans: Fans): string {
    const seed = hashSeed(this.#seed, name)
    return this.constant(
      name,
      lazyTensor(dims, (target) => init(fans)(target, mulberry32(seed))),
    )
  }

  #emit(
    op: Op,
    inputs: readonly string[],
    attributes: Readonly<Record<string, number | readonly number[]>>,
    output: string,
    dims: readonly number[],
    name = output,
  ): Feature {
    this.#builder.node('', op, inputs, attributes, { name, names: [output] })
    return this.#typed(output, dims)
  }

  #typed(value: string, dims: readonly number[]): Feature {
    if (dims.some((d) => d < 1)) {
      throw new AlambicError('zoo.option', `the image is too small: nothing is left of it at "${value}"`, {
        subject: value,
        expected: 'an image that leaves at least one pixel',
        found: this.input.dims.join('×'),
      })
    }
    this.#builder.types.set(value, tensorType('f32', [batchDim, ...dims]))
    return { value, dims }
  }
}

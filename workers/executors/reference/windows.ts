import type { Call } from './call.ts'

/**
 * How a kernel slides over a tensor, per spatial axis: convolutions, their gradients, their transposes and pooling
 * all share it. Output o, at kernel position k, meets input o·stride + k·dilation − padBegin.
 */
export interface Geometry {
  readonly input: readonly number[]
  readonly output: readonly number[]
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  readonly padBegin: readonly number[]
  readonly padEnd: readonly number[]
}

/** The pairs of output and input offsets that meet at one kernel position; what falls into the padding is left out. */
export interface Tap {
  readonly outputs: Int32Array
  readonly inputs: Int32Array
}

/** The geometry that a node's attributes describe for given spatial sizes. */
export function geometryOf(call: Call, input: readonly number[], weightKernel?: readonly number[]): Geometry {
  const kernel = call.numbers('kernel_shape') ?? weightKernel ?? call.fail('attribute "kernel_shape" is missing')
  const ones = input.map(() => 1)
  const strides = call.numbers('strides') ?? ones
  const dilations = call.numbers('dilations') ?? ones
  if (kernel.length !== input.length) {
    call.fail('the kernel and the input have different ranks', {
      expected: `${input.length} spatial axes`,
      found: `kernel_shape [${kernel.join(',')}]`,
    })
  }
  const extent = kernel.map((k, d) => (k - 1) * (dilations[d] as number) + 1)
  const { padBegin, padEnd } = paddingOf(call, input, extent, strides)
  const ceil = call.flag('ceil_mode')
  const output = input.map((size, d) => {
    const [begin, end, stride] = [padBegin[d] as number, padEnd[d] as number, strides[d] as number]
    const steps = (size + begin + end - (extent[d] as number)) / stride
    const count = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1
    // A window of ceil_mode must still start inside the input or its leading padding.
    return ceil && (count - 1) * stride >= size + begin ? count - 1 : count
  })
  if (output.some((size) => size < 0))
    call.fail(`the kernel [${kernel.join(',')}] is larger than the padded input [${input.join(',')}]`)
  return { input, output, kernel, strides, dilations, padBegin, padEnd }
}

/** `pads`, or what `auto_pad` makes of the sizes: SAME keeps ⌈size / stride⌉ outputs, the odd pad goes to one end. */
export function paddingOf(
  call: Call,
  input: readonly number[],
  extent: readonly number[],
  strides: readonly number[],
): { padBegin: number[]; padEnd: number[] } {
  const rank = input.length
  const auto = call.text('auto_pad', 'NOTSET')
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const total = input.map((size, d) => {
      const stride = strides[d] as number
      return Math.max(0, (Math.ceil(size / stride) - 1) * stride + (extent[d] as number) - size)
    })
    const less = total.map((t) => Math.floor(t / 2))
    const more = total.map((t) => Math.ceil(t / 2))
    return auto === 'SAME_UPPER' ? { padBegin: less, padEnd: more } : { padBegin: more, padEnd: less }
  }
  const pads = auto === 'VALID' ? undefined : call.numbers('pads')
  const zeros = input.map(() => 0)
  return pads ? { padBegin: pads.slice(0, rank), padEnd: pads.slice(rank) } : { padBegin: zeros, padEnd: zeros }
}

/** Every kernel position in row-major order, with the offsets that meet there. */
export function tapsOf(g: Geometry): Tap[] {
  let taps: Tap[] = [{ outputs: Int32Array.of(0), inputs: Int32Array.of(0) }]
  g.kernel.forEach((size, d) => {
    const along = Array.from({ length: size }, (_, k) => axisTap(g, d, k))
    taps = taps.flatMap((tap) => along.map((next) => cross(tap, next, g.output[d] as number, g.input[d] as number)))
  })
  return taps
}

/** One axis's pairs at kernel coordinate k. */
function axisTap(g: Geometry, d: number, k: number): Tap {
  const shift = k * (g.dilations[d] as number) - (g.padBegin[d] as number)
  const stride = g.strides[d] as number
  const size = g.input[d] as number
  const outputs: number[] = []
  for (let o = 0; o < (g.output[d] as number); o++) {
    const i = o * stride + shift
    if (i >= 0 && i < size) outputs.push(o)
  }
  return { outputs: Int32Array.from(outputs), inputs: Int32Array.from(outputs, (o) => o * stride + shift) }
}

function cross(a: Tap, b: Tap, outputSize: number, inputSize: number): Tap {
  const n = b.outputs.length
  const outputs = new Int32Array(a.outputs.length * n)
  const inputs = new Int32Array(outputs.length)
  for (let i = 0; i < a.outputs.length; i++) {
    const [outputBase, inputBase] = [(a.outputs[i] as number) * outputSize, (a.inputs[i] as number) * inputSize]
    for (let j = 0; j < n; j++) {
      outputs[i * n + j] = outputBase + (b.outputs[j] as number)
      inputs[i * n + j] = inputBase + (b.inputs[j] as number)
    }
  }
  return { outputs, inputs }
}

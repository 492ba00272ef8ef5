import { ramp } from './iterate.ts'
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

/**
 * Where outputs and inputs meet at one kernel position; what falls into the padding is left out. Along the last axis
 * they meet in rows of one length: output `outputs[r] + j` meets input `inputs[r] + j·step`.
 */
export interface Tap {
  readonly outputs: Int32Array
  readonly inputs: Int32Array
  readonly length: number
  readonly step: number
}

/** Every pair of offsets that meet at a kernel position. */
export function forEachPair(tap: Tap, visit: (output: number, input: number) => void): void {
  const { outputs, inputs, length, step } = tap
  for (let r = 0; r < outputs.length; r++) {
    const [output, input] = [outputs[r] as number, inputs[r] as number]
    for (let j = 0; j < length; j++) visit(output + j, input + j * step)
  }
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

/** Every kernel position in row-major order, with what meets there. */
export function tapsOf(g: Geometry): Tap[] {
  const last = g.kernel.length - 1
  let rows: Pairs[] = [{ outputs: [0], inputs: [0] }]
  for (let d = 0; d < last; d++) {
    const along = ramp(g.kernel[d] as number, 1).map((k) => axisPairs(g, d, k))
    rows = rows.flatMap((row) => along.map((next) => cross(row, next, g.output[d] as number, g.input[d] as number)))
  }
  const alongLast = ramp(g.kernel[last] as number, 1).map((k) => axisPairs(g, last, k))
  const [outputSize, inputSize, step] = [g.output[last] as number, g.input[last] as number, g.strides[last] as number]
  return rows.flatMap((row) =>
    alongLast.map(({ outputs, inputs }) => ({
      outputs: Int32Array.from(row.outputs, (o) => o * outputSize + (outputs[0] ?? 0)),
      inputs: Int32Array.from(row.inputs, (i) => i * inputSize + (inputs[0] ?? 0)),
      length: outputs.length,
      step,
    })),
  )
}

interface Pairs {
  readonly outputs: readonly number[]
  readonly inputs: readonly number[]
}

/** One axis's pairs at kernel coordinate k. */
function axisPairs(g: Geometry, d: number, k: number): Pairs {
  const shift = k * (g.dilations[d] as number) - (g.padBegin[d] as number)
  const [stride, size] = [g.strides[d] as number, g.input[d] as number]
  const source = (o: number) => o * stride + shift
  const outputs = ramp(g.output[d] as number, 1).filter((o) => source(o) >= 0 && source(o) < size)
  return { outputs, inputs: outputs.map(source) }
}

const cross = (a: Pairs, b: Pairs, outputSize: number, inputSize: number): Pairs => ({
  outputs: a.outputs.flatMap((o) => b.outputs.map((p) => o * outputSize + p)),
  inputs: a.inputs.flatMap((i) => b.inputs.map((p) => i * inputSize + p)),
})

import { sizeOf } from './iterate.ts'
import { tapsOf, type Geometry, type Tap } from './windows.ts'

/** A convolution's sizes: x [N, C, input…], w [M, C/group, kernel…], y [N, M, output…]. */
export interface Convolution {
  readonly geometry: Geometry
  readonly batch: number
  readonly group: number
  /** C */
  readonly inputs: number
  /** M */
  readonly outputs: number
}

/**
 * Calls back for every (image, output channel, input channel of its group, kernel position) with the offsets of the
 * planes and of the weight: the one loop nest of the convolution and its two gradients.
 */
function forEachTap(c: Convolution, visit: (tap: Tap, xPlane: number, weight: number, yPlane: number) => void): void {
  const taps = tapsOf(c.geometry)
  const xSize = sizeOf(c.geometry.input)
  const ySize = sizeOf(c.geometry.output)
  const perGroup = c.inputs / c.group
  const outputsPerGroup = c.outputs / c.group
  for (let n = 0; n < c.batch; n++) {
    for (let m = 0; m < c.outputs; m++) {
      const firstInput = Math.floor(m / outputsPerGroup) * perGroup
      for (let i = 0; i < perGroup; i++) {
        const xPlane = (n * c.inputs + firstInput + i) * xSize
        const weight = (m * perGroup + i) * taps.length
        for (let k = 0; k < taps.length; k++) visit(taps[k] as Tap, xPlane, weight + k, (n * c.outputs + m) * ySize)
      }
    }
  }
}

/** y[n,m,o] = Σ w[m,i,k] · x[n,i,o·stride + k·dilation − pad] */
export function convolve(x: Float64Array, w: Float64Array, c: Convolution): Float64Array {
  const y = new Float64Array(c.batch * c.outputs * sizeOf(c.geometry.output))
  forEachTap(c, ({ outputs, inputs, length, step }, xPlane, weight, yPlane) => {
    const factor = w[weight] as number
    for (let r = 0; r < outputs.length; r++) {
      const [to, from] = [yPlane + (outputs[r] as number), xPlane + (inputs[r] as number)]
      for (let j = 0; j < length; j++) y[to + j] = (y[to + j] as number) + factor * (x[from + j * step] as number)
    }
  })
  return y
}

/** The gradient by the input, which is also the transposed convolution: dx[i] += w · dy[o] over the same pairs. */
export function convolveInputGrad(dy: Float64Array, w: Float64Array, c: Convolution): Float64Array {
  const dx = new Float64Array(c.batch * c.inputs * sizeOf(c.geometry.input))
  forEachTap(c, ({ outputs, inputs, length, step }, xPlane, weight, yPlane) => {
    const factor = w[weight] as number
    for (let r = 0; r < outputs.length; r++) {
      const [from, to] = [yPlane + (outputs[r] as number), xPlane + (inputs[r] as number)]
      for (let j = 0; j < length; j++) {
        const at = to + j * step
        dx[at] = (dx[at] as number) + factor * (dy[from + j] as number)
      }
    }
  })
  return dx
}

/** The gradient by the filter: dw = Σ dy[o] · x[i] over the same pairs. */
export function convolveFilterGrad(dy: Float64Array, x: Float64Array, c: Convolution): Float64Array {
  const dw = new Float64Array((c.outputs * c.inputs * sizeOf(c.geometry.kernel)) / c.group)
  forEachTap(c, ({ outputs, inputs, length, step }, xPlane, weight, yPlane) => {
    let sum = 0
    for (let r = 0; r < outputs.length; r++) {
      const [o, i] = [yPlane + (outputs[r] as number), xPlane + (inputs[r] as number)]
      for (let j = 0; j < length; j++) sum += (dy[o + j] as number) * (x[i + j * step] as number)
    }
    dw[weight] = (dw[weight] as number) + sum
  })
  return dw
}

/** Adds one number per channel. */
export function addBias(y: Float64Array, bias: ArrayLike<number>, plane: number): Float64Array {
  for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + (bias[Math.floor(i / plane) % bias.length] as number)
  return y
}

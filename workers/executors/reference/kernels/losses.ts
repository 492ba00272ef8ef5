import { AlambicError } from '../../../protocol/errors.ts'
import type { Call, Kernels } from '../call.ts'
import { around } from '../iterate.ts'
import { array, floats, numbers, type NdArray } from '../value.ts'
import { logSumExp } from './activations.ts'

/** −w[t]·logP[t] of every position; `mean` divides by the sum of the weights, and ignored labels weigh nothing. */
function negativeLogLikelihood(call: Call, x: NdArray, logProbabilities: Float64Array): NdArray {
  const target = call.input(1)
  const labels = numbers(target)
  const weightInput = call.optional(2)
  const weights = weightInput && floats(weightInput)
  const ignored = call.number('ignore_index', undefined)
  const { size: classes, inner } = around(x.dims, 1)
  let total = 0
  const losses = Float64Array.from({ length: labels.length }, (_, i) => {
    const label = labels[i] as number
    if (label === ignored) return 0
    if (label < 0 || label >= classes) call.fail(`the label ${label} is not one of ${classes} classes`)
    const weight = weights ? (weights[label] as number) : 1
    total += weight
    const at = (Math.floor(i / inner) * classes + label) * inner + (i % inner)
    return -weight * (logProbabilities[at] as number)
  })
  const reduction = call.text('reduction', 'mean')
  if (reduction === 'none') return array(x.dtype, target.dims, losses)
  const sum = losses.reduce((a, b) => a + b, 0)
  return array(x.dtype, [], Float64Array.of(reduction === 'sum' ? sum : sum / total))
}

function softmaxCrossEntropy(call: Call): NdArray[] {
  const x = call.input(0)
  const { outer, size, inner } = around(x.dims, 1)
  const logs = floats(x).slice()
  for (let line = 0; line < outer * inner; line++) {
    const start = Math.floor(line / inner) * size * inner + (line % inner)
    const total = logSumExp(logs, start, inner, size)
    for (let c = 0; c < size; c++) logs[start + c * inner] = (logs[start + c * inner] as number) - total
  }
  return [negativeLogLikelihood(call, x, logs), array(x.dtype, x.dims, logs)]
}

/** In inference the identity; the mask is true everywhere. Training draws numbers that no two engines share. */
function dropout(call: Call): NdArray[] {
  const x = call.input(0)
  const mode = call.optional(2)
  const ratio = call.numberFrom(1, 'ratio', 0.5)
  if (mode && numbers(mode)[0] && ratio !== 0) {
    throw new AlambicError(
      'reference.random',
      `node "${call.node.name}" (Dropout): draws random numbers, which no two executors share`,
      {
        subject: call.node.name,
        fix: 'Set training_mode to false or the ratio to 0.',
      },
    )
  }
  const mask = new Uint8Array(x.data.length).fill(1)
  // Before opset 10 the mask had the data's own type.
  return [x, call.opset < 10 ? array(x.dtype, x.dims, Float64Array.from(mask)) : array('bool', x.dims, mask)]
}

export const losses: Kernels = {
  NegativeLogLikelihoodLoss: (call) => negativeLogLikelihood(call, call.input(0), floats(call.input(0))),
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
  Dropout: dropout,
}

import { AlambicError } from '../protocol/errors.ts'
import type { Tensors } from '../executors/executor.ts'
import { arrayOf, type Tensor } from '../graph/tensor.ts'

/**
 * Says which tensor of a training step is not finite: an input of the batch if one is, because then everything after it
 * is; else the first weights after the update, in the order of the graph; else the term of the loss.
 */
export function diverged(
  step: number,
  metrics: Readonly<Record<string, number>>,
  feeds: Tensors,
  weights: ReadonlyMap<string, Tensor>,
): AlambicError {
  const tensor = culprit(metrics, feeds, weights)
  return new AlambicError('train.diverged', `${tensor} is not finite at step ${step}`, {
    subject: tensor,
    expected: 'finite loss, gradients and weights',
    found: `loss ${metrics['loss']}, gradient norm ${metrics['gradNorm']}${termsAt(metrics)}`,
    fix: 'Lower the learning rate, warm it up, or clip gradients; the last checkpoint is from before this step.',
  })
}

/** The terms of the loss that are no numbers, by name: with several of them it matters which one went first. */
function termsAt(metrics: Readonly<Record<string, number>>): string {
  const bad = Object.entries(metrics).filter(([name, value]) => !totals.has(name) && !Number.isFinite(value))
  return bad.length > 0 ? `; not finite in itself: ${bad.map(([name]) => name).join(', ')}` : ''
}
const totals: ReadonlySet<string> = new Set(['loss', 'gradNorm', 'finite'])

function culprit(
  metrics: Readonly<Record<string, number>>,
  feeds: Tensors,
  weights: ReadonlyMap<string, Tensor>,
): string {
  const inputs = Object.entries(feeds).filter(([, tensor]) => !isFinite(tensor))
  if (inputs[0]) return `the input "${inputs[0][0]}"`
  const bad = [...weights].filter(([, tensor]) => !isFinite(tensor))
  if (bad[0]) return `the weight "${bad[0][0]}"${bad.length > 1 ? ` (and ${bad.length - 1} more)` : ''}`
  const term = Object.entries(metrics).find(([name, value]) => name !== 'finite' && !Number.isFinite(value))
  return term ? `the metric "${term[0]}"` : 'the loss'
}

const isFinite = (tensor: Tensor): boolean =>
  tensor.dtype !== 'f32' || (arrayOf(tensor) as Float32Array).every((value) => Number.isFinite(value))

import { AlambicError } from '../protocol/errors.ts'
import { lowerForOrtCpu } from '../executors/ort/lower.ts'
import { overwritable } from '../executors/ort/overwrite.ts'
import { freeMemory } from '../measure/free-memory.ts'
import { stepMemory, type StepMemory } from '../measure/memory-plan.ts'
import type { StepGraph } from '../train/step.ts'

/** Channels in a block of the layout that is assumed: the widest processors'. It hardly changes what is predicted. */
const BLOCK = 16

/** A prediction may be wrong by a quarter: only what is surely too much is refused. */
const SURELY = 0.8

/** The block that an engine plans ahead is worth its memory while it takes no more than this share of what is free. */
const AMPLE = 0.5

/** How a step may be taken in less memory. */
export interface LessMemory {
  readonly accumulate: number
  readonly recompute: boolean
}

/** Predicts the peak of a training step on the processor. `data` is what stays in memory beside it, in bytes. */
export function trainingMemory(step: StepGraph, data = 0): StepMemory {
  const graph = lowerForOrtCpu(step.graph, BLOCK)
  const once = overwritable(graph, step.state)
  const bytes = (slots: StepGraph['state']) => slots.reduce((sum, { initial }) => sum + initial.bytes.byteLength, 0)
  return stepMemory({
    graph,
    state: bytes(step.state),
    doubled: bytes(step.state.filter((s) => !once.has(s.input))),
    data,
  })
}

export interface Fit {
  readonly predicted: StepMemory
  readonly free: number
  readonly compact: boolean
}

/**
 * Whether a training step fits into free memory, and how it is to be taken. Throws `memory.too-little` where it surely
 * does not fit, with the least change that would; `build` builds the same step with other options.
 */
export function fitMemory(
  step: StepGraph,
  options: LessMemory & { readonly batch: number },
  build: (options: LessMemory) => StepGraph,
): Fit {
  const free = freeMemory()
  const predicted = trainingMemory(step)
  if (predicted.compact * SURELY <= free) return { predicted, free, compact: predicted.bytes > AMPLE * free }
  const fix = suggestion(options, free, (less) => peakOf(() => trainingMemory(build(less))))
  throw new AlambicError('memory.too-little', 'a training step of this model would not fit into memory', {
    expected: `about ${mebibytes(predicted.compact)} for a batch of ${options.batch}`,
    found: `${mebibytes(free)} free`,
    fix,
  })
}

/** Bytes of a step with other options; what was built for one batch size may not take another. */
function peakOf(predict: () => StepMemory): number {
  try {
    return predict().compact
  } catch {
    return Infinity
  }
}

/** The least change that makes a step fit: activations again, then the batch in more and more parts, then both. */
function suggestion(
  { batch, accumulate, recompute }: LessMemory & { readonly batch: number },
  free: number,
  bytesOf: (less: LessMemory) => number,
): string {
  const parts = [1, 2, 4, 8, 16, 32].map((k) => k * accumulate).filter((k) => batch % k === 0)
  const tries = [recompute, true].flatMap((again) => parts.map((k) => ({ accumulate: k, recompute: again })))
  const others = tries.filter((less) => less.accumulate !== accumulate || less.recompute !== recompute)
  const peaks = others
    .toSorted((a, b) => a.accumulate * (a.recompute ? 1.4 : 1) - b.accumulate * (b.recompute ? 1.4 : 1))
    .map((less) => ({ less, peak: bytesOf(less) }))
  const found = peaks.find(({ peak }) => peak <= free)
  if (found) return `Set ${spelled(found.less)}: it would take about ${mebibytes(found.peak)}.`
  const least = peaks.toSorted((a, b) => a.peak - b.peak)[0]
  const how =
    least && Number.isFinite(least.peak) ? ` Least is ${spelled(least.less)}, about ${mebibytes(least.peak)}.` : ''
  return `Use a smaller batch, a smaller model or input, or a machine with more memory.${how}`
}

const spelled = ({ accumulate, recompute }: LessMemory): string =>
  [...(accumulate > 1 ? [`accumulate=${accumulate}`] : []), ...(recompute ? ['recompute=true'] : [])].join(' and ')

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`

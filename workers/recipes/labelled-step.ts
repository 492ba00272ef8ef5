import type { Graph } from '../graph/graph.ts'
import { removeFinalSoftmax } from '../passes/index.ts'
import { crossEntropy } from '../train/losses.ts'
import { optimizer, type OptimizerId } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { trainingSource } from '../train/source.ts'
import { buildStep, type StepGraph } from '../train/step.ts'
import { partSize } from './fit.ts'

/** What a training step's time and memory depend on, of the options of any method that trains. */
export interface StepShape {
  readonly batch?: number
  readonly accumulate?: number
  readonly recompute?: boolean
  readonly optimizer?: OptimizerId
  readonly momentum?: number
}

/** The training step of a classifier on labels: what methods that train take again and again, whatever they add to it. */
export function labelledStep(graph: Graph, options: StepShape): StepGraph {
  const { batch = 128, accumulate = 1, recompute = false, optimizer: id = 'adam', momentum = 0 } = options
  const net = removeFinalSoftmax(trainingSource(graph).graph).graph
  return buildStep(prepare(net, { batch: partSize({ batch, accumulate }) }), {
    losses: [crossEntropy()],
    optimizer: optimizer(id, { momentum }),
    accumulate,
    recompute,
  })
}

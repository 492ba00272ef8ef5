import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf, type LooseAttributes } from '../../graph/attributes.ts'
import { namesIn } from '../../graph/builder.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import { Emitter } from '../../ops/emit.ts'
import { convFilterGrad } from './lower/conv-filter.ts'
import { convInputGrad } from './lower/conv-input.ts'
import { blockTrainedConvs, trainedConv } from './lower/blocked.ts'
import { reluGrad } from './lower/activation.ts'
import { batchNormGrad, batchNormTraining, shiftByRunningMean } from './lower/batchnorm.ts'
import { fakeQuant } from './lower/fake-quant.ts'
import { averagePoolGrad, maxPoolGrad, withIndices } from './lower/pool.ts'

/** A composite operator that is being written with operators onnxruntime has. */
export interface LowerContext {
  readonly g: Emitter
  readonly node: Node
  readonly attr: LooseAttributes
  /** The graph as it was before lowering: who else reads a value, and who computed it. */
  readonly graph: Graph
  /** Channels in a block of the runtime's blocked layout on this machine; undefined where it has none. */
  readonly block: number | undefined
}

/** Writes a composite and returns the values of its outputs. */
export type Lowering = (c: LowerContext) => readonly string[]

/** What onnxruntime's CPU kernels do fastest for each composite. Measurements: BENCHMARKS.md. */
const lowerings: Readonly<Record<string, Lowering>> = {
  ConvInputGrad: convInputGrad,
  ConvFilterGrad: convFilterGrad,
  TrainedConv: trainedConv,
  ReluGrad: reluGrad,
  MaxPoolGrad: maxPoolGrad,
  AveragePoolGrad: averagePoolGrad,
  BatchNormTraining: batchNormTraining,
  BatchNormGrad: batchNormGrad,
  FakeQuant: fakeQuant,
  LearnedQuant: fakeQuant,
  StopGradient: ({ node }) => node.inputs,
}

/** Changes of the forward operators that composites rely on, before any of them is lowered. */
const preparations: readonly ((graph: Graph, block: number | undefined) => Graph)[] = [
  withIndices,
  shiftByRunningMean,
  blockTrainedConvs,
]

/** A graph in which every operator is one that onnxruntime's CPU provider has. */
export function lowerForOrtCpu(original: Graph, block?: number): Graph {
  if (!original.nodes.some((node) => node.domain === COMPOSITES)) return original
  const graph = preparations.reduce((current, prepare) => prepare(current, block), original)
  const g = new Emitter(graph.with({ nodes: [] }))
  g.reserve(namesIn(graph))
  for (const node of graph.nodes) {
    if (node.domain !== COMPOSITES) {
      g.append(node)
      continue
    }
    const lowering = lowerings[node.op]
    if (!lowering) {
      throw new AlambicError('ort.composite', `node "${node.name}": onnxruntime has no lowering of ${node.op}`)
    }
    const values = lowering({ g, node, attr: attributesOf(node), graph, block })
    node.outputs.forEach((output, i) => {
      if (output === '' || graph.uses(output).length === 0) return
      g.append({
        name: output,
        op: 'Identity',
        domain: '',
        inputs: [values[i] as string],
        outputs: [output],
        attributes: {},
      })
    })
  }
  g.opsets.delete(COMPOSITES)
  return g.build()
}

import { AlambicError } from '../../protocol/errors.ts'
import { attributesOf, type LooseAttributes } from '../../graph/attributes.ts'
import { namesIn } from '../../graph/builder.ts'
import { identity, type Graph, type Node } from '../../graph/graph.ts'
import { COMPOSITES } from '../../ops/composites.ts'
import { Emitter } from '../../ops/emit.ts'
import { convFilterGrad } from './lower/conv-filter.ts'
import { convInputGrad } from './lower/conv-input.ts'
import { blockTrainedConvs, trainedConv, withoutRoundTrips } from './lower/blocked.ts'
import { reluGrad } from './lower/activation.ts'
import { batchNormGrad, batchNormTraining, shiftByRunningMean } from './lower/batchnorm.ts'
import { fakeQuant } from './lower/fake-quant.ts'
import { averagePoolGrad, blockedMaxPool, maxPoolGrad, preparePools } from './lower/pool.ts'

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

/** How a provider of onnxruntime wants composites written. */
export interface Target {
  /** By composite. */
  readonly lowerings: Readonly<Record<string, Lowering>>
  /** Changes of the forward operators that composites rely on, before any of them is lowered. */
  readonly preparations: readonly ((graph: Graph, block: number | undefined) => Graph)[]
  /** Operators that the provider lacks, and its CPU neighbour would have to compute, by operator or domain.operator. */
  readonly replacements?: Readonly<Record<string, Replacement>>
}

/** Writes an operator with others; undefined leaves it as it is. */
export type Replacement = (c: LowerContext) => readonly string[] | undefined

/** What onnxruntime's CPU kernels do fastest for each composite. Measurements: BENCHMARKS.md. */
const lowerings: Target['lowerings'] = {
  ConvInputGrad: convInputGrad,
  ConvFilterGrad: convFilterGrad,
  TrainedConv: trainedConv,
  ReluGrad: reluGrad,
  BlockedMaxPool: blockedMaxPool,
  MaxPoolGrad: maxPoolGrad,
  AveragePoolGrad: averagePoolGrad,
  BatchNormTraining: batchNormTraining,
  BatchNormGrad: batchNormGrad,
  FakeQuant: fakeQuant,
  LearnedQuant: fakeQuant,
  StopGradient: ({ node }) => node.inputs,
}

/** onnxruntime's CPU provider. */
export const cpuTarget: Target = {
  lowerings,
  preparations: [preparePools, shiftByRunningMean, blockTrainedConvs],
}

/** A graph in which every operator is one that onnxruntime's CPU provider has. */
export const lowerForOrtCpu = (original: Graph, block?: number): Graph => lowerFor(cpuTarget, original, block)

/** A graph in which every operator is one that a provider of onnxruntime has. */
export function lowerFor(target: Target, original: Graph, block?: number): Graph {
  const composites = original.nodes.some((node) => node.domain === COMPOSITES)
  const lowered = composites ? lowerComposites(target, original, block) : original
  const { replacements } = target
  return replacements ? writeAnew(lowered, (node) => replacements[keyOf(node)], block) : lowered
}

function lowerComposites(target: Target, original: Graph, block: number | undefined): Graph {
  const graph = target.preparations.reduce((current, prepare) => prepare(current, block), original)
  const ruleOf = (node: Node): Lowering | undefined => {
    if (node.domain !== COMPOSITES) return undefined
    const lowering = target.lowerings[node.op]
    if (lowering) return lowering
    throw new AlambicError('ort.composite', `node "${node.name}": onnxruntime has no lowering of ${node.op}`)
  }
  const lowered = writeAnew(graph, ruleOf, block)
  const opsets = new Map(lowered.opsets)
  opsets.delete(COMPOSITES)
  return withoutRoundTrips(lowered.with({ opsets }))
}

/** An operator's name, with its domain unless that is ONNX's own. */
const keyOf = (node: Node): string => (node.domain === '' ? node.op : `${node.domain}.${node.op}`)

/** Writes every node that has a rule by it; values that something reads keep their names. */
function writeAnew(graph: Graph, ruleOf: (node: Node) => Replacement | undefined, block: number | undefined): Graph {
  const rules = graph.nodes.map(ruleOf)
  if (rules.every((rule) => rule === undefined)) return graph
  const g = new Emitter(graph.with({ nodes: [] }))
  g.reserve(namesIn(graph))
  for (const [i, node] of graph.nodes.entries()) {
    const values = rules[i]?.({ g, node, attr: attributesOf(node), graph, block })
    if (!values) {
      g.append(node)
      continue
    }
    node.outputs.forEach((output, k) => {
      if (output === '' || graph.uses(output).length === 0) return
      g.append(identity(values[k] as string, output))
    })
  }
  return g.build()
}

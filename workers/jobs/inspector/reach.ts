import { asAlambicError } from '../../protocol/errors.ts'
import type { CouplingGroup, MethodReach, ModelReach } from '../../protocol/studio/sheet.ts'
import { nodeLabel, type Graph, type Model, type Node } from '../../graph/graph.ts'
import { weightsOf } from '../../ops/cost/weights.ts'
import { inferTypes } from '../../ops/infer.ts'
import { quantRuleOf, weightUseOf } from '../../ops/quant.ts'
import { factorLayer, isRefusal } from '../../passes/factorize/layers.ts'
import { inlineFunctions, prepareForQuantization, renameShadowed } from '../../passes/index.ts'
import { layerWeights } from '../../passes/layer-weights.ts'
import { analyse } from '../../passes/prune/analysis.ts'
import { groupsOf, type Groups } from '../../passes/prune/groups.ts'
import { groupFacts } from '../../passes/prune/print.ts'
import { pages, words, type MethodId } from '../../recipes/help/index.ts'
import { steps } from '../../recipes/registry.ts'
import type { StepDescription } from '../../recipes/step.ts'
import { trainability } from '../../train/source.ts'
import type { Opened } from './open.ts'

/** What methods look at: the model as a recipe opens it. */
interface Subject {
  readonly graph: Graph
  readonly model: Model
  readonly groups: Groups | undefined
}

interface Verdict {
  readonly touches: readonly Node[]
  readonly refused: readonly { readonly node: Node; readonly reason: string }[]
}

/** Which nodes each method can touch, and why not the others. */
export function modelReach(opened: Opened): ModelReach {
  const model = forRecipe(opened.model)
  const graph = inferTypes(model.graph, { functions: model.functions })
  const places = new Places(opened.graph)
  const groups = attempt(() => groupsOf(analyse(graph)))
  const subject: Subject = { graph, model: { ...model, graph }, groups: groups.value }
  return {
    methods: Object.values(steps).map((step) => reachOf(step, subject, places)),
    groups: (groups.value?.groups ?? []).map((group): CouplingGroup => ({
      ...groupFacts(group),
      nodes: places.of(group.members.flatMap(({ roles }) => roles.map(({ node }) => node))),
    })),
    ...(groups.problem ? { problem: groups.problem } : {}),
  }
}

const forRecipe = (model: Model): Model => ({
  ...model,
  graph: renameShadowed(inlineFunctions(model)).graph,
  functions: [],
})

function attempt<T>(work: () => T): { value?: T; problem?: ReturnType<typeof wire> } {
  try {
    return { value: work() }
  } catch (thrown) {
    return { problem: wire(thrown) }
  }
}
const wire = (thrown: unknown) => {
  const { code, message, subject, expected, found, fix } = asAlambicError(thrown)
  return { code, message, subject, expected, found, fix }
}

/** Nodes of the model as it is drawn: passes keep a node's name, or what it puts out. */
class Places {
  readonly #byName: ReadonlyMap<string, number>
  readonly #byOutput: ReadonlyMap<string, number>

  constructor({ nodes }: Graph) {
    this.#byName = new Map(nodes.flatMap(({ name }, i) => (name === '' ? [] : [[name, i] as const])))
    this.#byOutput = new Map(nodes.flatMap(({ outputs }, i) => outputs.map((name) => [name, i] as const)))
  }

  of(nodes: readonly Node[]): Uint32Array {
    const place = ({ name, outputs }: Node) =>
      this.#byName.get(name) ?? this.#byOutput.get(outputs.find((output) => output !== '') ?? '')
    return Uint32Array.from(new Set(nodes.flatMap((node) => place(node) ?? []))).sort()
  }
}

function reachOf(step: StepDescription, subject: Subject, places: Places): MethodReach {
  const judge = judges[step.id] ?? none
  const { value, problem } = attempt(() => judge(subject))
  const byReason = new Map<string, Node[]>()
  for (const { node, reason } of value?.refused ?? []) byReason.set(reason, [...(byReason.get(reason) ?? []), node])
  return {
    step: step.id,
    title: pages[step.id as MethodId]?.title ?? words(step.title, step.title),
    family: step.family,
    touches: places.of(value?.touches ?? []),
    refused: [...byReason].map(([reason, nodes]) => ({ reason, nodes: places.of(nodes) })),
    problems: [...(problem ? [problem.message] : []), ...problemsOf(step, subject)],
  }
}

/** What the step itself says before a run with its defaults; those that need options say it when they have them. */
function problemsOf(step: StepDescription, { model }: Subject): readonly string[] {
  const options = step.options.safeParse({})
  if (!options.success || !step.preflight) return []
  const { value, problem } = attempt(() => step.preflight?.(model, options.data))
  return problem ? [problem.message] : (value ?? [])
}

const none = (): Verdict => ({ touches: [], refused: [] })

/** Channels: layers of coupling groups can be cut, those behind a barrier can not. */
function byGroups({ graph, groups }: Subject): Verdict {
  const labels = new Map(graph.nodes.map((node) => [nodeLabel(node), node]))
  return {
    touches: (groups?.groups ?? []).flatMap(({ members }) => members.flatMap(({ roles }) => roles.map((r) => r.node))),
    refused: (groups?.barriers ?? []).flatMap(({ node, reason }) => {
      const found = labels.get(node)
      return found ? [{ node: found, reason }] : []
    }),
  }
}

const multiplies = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul'])
const WHY_NO_WEIGHT = 'it multiplies two computed values: there is no constant float32 weight'

/** Constant weights of layers. */
function byWeights({ graph }: Subject): Verdict {
  const touches = layerWeights(graph).flatMap(({ name }) =>
    graph.uses(name).flatMap((use) => (use.kind === 'node' ? [use.node] : [])),
  )
  const touched = new Set(touches)
  const others = graph.nodes.filter((node) => multiplies.has(node.op) && !touched.has(node))
  return { touches, refused: others.map((node) => ({ node, reason: WHY_NO_WEIGHT })) }
}

/** What multiplies, and what computes or moves codes between: as the integer kernels have it. */
function byRules({ graph: model }: Subject): Verdict {
  const graph = inferTypes(prepareForQuantization(model))
  const left = new Set(graph.nodes.map(({ name }) => name))
  // Normalizations and the like become part of the layer before them.
  const touches = model.nodes.filter(({ name }) => !left.has(name))
  const refused: Verdict['refused'][number][] = []
  for (const node of graph.nodes) {
    const rule = quantRuleOf(node)
    if (rule.kind === 'float') refused.push({ node, reason: rule.reason })
    else if (rule.kind === 'weighted' && !weightUseOf(node, graph)) refused.push({ node, reason: WHY_NO_WEIGHT })
    else touches.push(node)
  }
  return { touches, refused }
}

function byFactors({ graph }: Subject): Verdict {
  const layers = layerWeights(graph).map((weight) => ({ node: weight.node, layer: factorLayer(graph, weight) }))
  return {
    touches: layers.flatMap(({ node, layer }) => (isRefusal(layer) ? [] : [node])),
    refused: layers.flatMap(({ node, layer }) => (isRefusal(layer) ? [{ node, reason: layer.reason }] : [])),
  }
}

/** Nodes whose weights a gradient reaches. */
function byGradients({ graph }: Subject): Verdict {
  const { blocked } = trainability(graph)
  const named = new Map(graph.nodes.map((node) => [node.name, node]))
  const refused = blocked.flatMap(({ node, reason }) => {
    const found = named.get(node)
    return found ? [{ node: found, reason }] : []
  })
  const stuck = new Set(refused.map(({ node }) => node))
  return { touches: graph.nodes.filter((node) => !stuck.has(node) && weightsOf(graph, node).length > 0), refused }
}

const judges: Readonly<Record<string, (subject: Subject) => Verdict>> = {
  prune: byGroups,
  slim: byGroups,
  sparsify: byWeights,
  'prune-retrain': byWeights,
  cluster: byWeights,
  adaround: byWeights,
  equalize: byWeights,
  pack: byWeights,
  factorize: byFactors,
  quantize: byRules,
  qat: byRules,
  train: byGradients,
  finetune: byGradients,
  distil: byGradients,
  optimize: byWeights,
}

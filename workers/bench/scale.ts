import { ortCpu } from '../executors/ort/executor.ts'
import { lowerForOrtCpu } from '../executors/ort/lower.ts'
import type { Graph } from '../graph/graph.ts'
import { stepFeeds } from '../testing/steps.ts'
import { deepTransformer } from '../testing/transformer.ts'
import { crossEntropy } from '../train/losses.ts'
import { optimizer } from '../train/optimizers.ts'
import { prepare } from '../train/prepare.ts'
import { buildStep, type StepGraph } from '../train/step.ts'
import { buildZoo } from '../zoo/index.ts'
import { head, least, machine, median, row } from './pairs.ts'
import type { Topic } from './topic.ts'

const CLASSES = 10

/** One axis of growth: what is measured at each of its points. */
interface Axis {
  readonly title: string
  readonly points: readonly { readonly at: number; readonly graph: () => Graph; readonly batch: number }[]
}

const resnet = (width: number) => () => buildZoo('resnet-20', { seed: 1, width }).graph
const transformer = (blocks: number) => () => deepTransformer({ blocks, width: 32, tokens: 8, classes: CLASSES })

const axes: readonly Axis[] = [
  {
    title: 'batch (ResNet-20 at half width)',
    points: [4, 8, 16, 32, 64].map((at) => ({ at, graph: resnet(0.5), batch: at })),
  },
  {
    title: 'width (ResNet-20, batch 8)',
    points: [0.25, 0.5, 1, 2].map((at) => ({ at, graph: resnet(at), batch: 8 })),
  },
  {
    title: 'depth (transformer of width 32, 8 tokens, batch 8; blocks)',
    points: [2, 4, 8, 16, 32].map((at) => ({ at, graph: transformer(at), batch: 8 })),
  },
]

/** Blocks of the transformers whose steps are only built. */
const sizes = [6, 30, 60, 120, 240]

/** How the cost of a step, and of building it, grows with batch, width, depth and nodes. */
export const benchmarkScale: Topic = async ({ wanted }) => {
  console.log(machine(ortCpu.runtime))
  console.log('medians; a bar is a share of the largest; growth is against the point before\n')
  const chosen = (title: string) => wanted.length === 0 || wanted.some((word) => title.startsWith(word))
  for (const axis of axes.filter(({ title }) => chosen(title))) await measureAxis(axis)
  if (chosen('nodes')) measureBuilding()
}

async function measureAxis({ title, points }: Axis): Promise<void> {
  const found: Point[] = []
  for (const { at, graph, batch } of points) found.push({ at, ms: await stepTime(graph(), batch) })
  table(`ms of a step by ${title}`, found)
}

function measureBuilding(): void {
  const transformers = sizes.map((blocks) => transformer(blocks)())
  table(
    'ms to build a step by nodes of the model (transformer)',
    transformers.map((graph) => ({ at: graph.nodes.length, ms: building(graph).build })),
  )
  head('model', 'nodes', 'nodes of its step', 'prepare, ms', 'build, ms', 'lower, ms')
  const models: [string, Graph][] = [
    ['ResNet-50', buildZoo('resnet-50', { seed: 1 }).graph],
    ...transformers.map((graph): [string, Graph] => ['transformer', graph]),
  ]
  for (const [name, graph] of models) {
    const { prepared, build, lower, nodes } = building(graph)
    row(name, String(graph.nodes.length), String(nodes), prepared.toFixed(0), build.toFixed(0), lower.toFixed(0))
  }
}

const stepOf = (prepared: Graph): StepGraph =>
  buildStep(prepared, { losses: [crossEntropy()], optimizer: optimizer('adam') })

/** Least of three times, each in milliseconds. */
function building(graph: Graph) {
  const times = [1, 2, 3].map(() => {
    const [began, prepared] = [performance.now(), prepare(graph, { batch: 2 })]
    const [after, step] = [performance.now(), stepOf(prepared)]
    const built = performance.now()
    lowerForOrtCpu(step.graph, 16)
    const nodes = step.graph.nodes.length
    return { prepared: after - began, build: built - after, lower: performance.now() - built, nodes }
  })
  const of = (name: 'prepared' | 'build' | 'lower') => least(times.map((time) => time[name]))
  return { prepared: of('prepared'), build: of('build'), lower: of('lower'), nodes: times[0]?.nodes ?? 0 }
}

async function stepTime(graph: Graph, batch: number): Promise<number> {
  const step = stepOf(prepare(graph, { batch }))
  const program = await ortCpu.compile(step.graph, { state: step.state, reuseOutputs: true })
  await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
  const feeds = { ...stepFeeds(step, CLASSES), ...step.hyper(1, 1e-4) }
  const times: number[] = []
  for (let i = 0; i < 12; i++) {
    const began = performance.now()
    await program.run(feeds)
    if (i >= 2) times.push(performance.now() - began)
  }
  await program.dispose()
  return median(times)
}

interface Point {
  readonly at: number
  readonly ms: number
}

/** A table with bars, so that growth is seen without another program. */
function table(title: string, points: readonly Point[]): void {
  console.log(`\n${title}\n`)
  head('at', 'ms', 'growth', '')
  const most = Math.max(...points.map(({ ms }) => ms))
  points.forEach(({ at, ms }, i) => {
    const before = points[i - 1]
    const growth = before ? `×${(ms / before.ms).toFixed(2)} for ×${(at / before.at).toFixed(1)}` : ''
    row(String(at), ms.toFixed(1), growth, '█'.repeat(Math.max(1, Math.round((24 * ms) / most))))
  })
  console.log('')
}

import { inferTypes } from '../ops/infer.ts'
import { bindDims } from '../ops/bind.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { randomInputs } from '../measure/latency.ts'
import { factorize, type FactorizeOptions } from '../passes/factorize/factorize.ts'
import type { Graph } from '../graph/graph.ts'
import { asTensor } from '../graph/types.ts'
import { buildZoo } from '../zoo/index.ts'
import { head, inTurn, machine, ratio, row, spell } from './pairs.ts'
import type { TopicOptions } from './topic.ts'

/**
 * Cheng et al. 2017, arXiv:1710.09282, table of low-rank results: CP, speed-up and compression as printed. The ratios
 * can only be those of the convolutions: they hold 4 % of AlexNet's parameters and 11 % of VGG-16's.
 */
const survey = {
  alexnet: { compression: 5, speed: 1.82 },
  'vgg-16': { compression: 2.75, speed: 2.05 },
} as const

const RUNS = 11

/**
 * `npm run bench -- low-rank`: AlexNet and VGG-16 with random weights, convolutions alone, factorized to the survey's
 * compression by each method and timed in turn with the whole net. Random weights say nothing of accuracy: decomposing
 * them ends early.
 */
export async function benchmarkLowRank({ wanted }: TopicOptions): Promise<void> {
  console.log(`${machine(ortCpu.runtime)}; one image of 224×224, milliseconds as median / minimum, in turn\n`)
  head('net', 'method', 'convolutions', 'whole', 'factorized', 'speed-up, of medians / of minima', 'survey (CP)')
  for (const [id, published] of Object.entries(survey)) {
    if (wanted.length > 0 && !wanted.includes(id)) continue
    const graph = convolutionsOf(buildZoo(id as keyof typeof survey, { seed: 1 }).graph)
    for (const conv of ['cp', 'tucker', 'spatial'] as const) {
      const options: FactorizeOptions = {
        conv,
        dense: 'none',
        rank: { ratio: published.compression },
        cp: { sweeps: 2, degeneracy: Infinity },
      }
      const { graph: factored, report } = factorize(graph, options)
      const sizes = report.layers.flatMap((l) => ('params' in l ? [l.params] : []))
      const total = (which: 'before' | 'after') => sizes.reduce((sum, s) => sum + s[which], 0)
      const pair = await timed(factored, graph)
      row(
        id,
        conv,
        `${(total('before') / total('after')).toFixed(2)}× fewer parameters`,
        spell(pair.theirs),
        spell(pair.ours),
        ratio(pair),
        `${published.speed}× at ${published.compression}×`,
      )
    }
  }
}

/** The net up to what goes into its first matrix product. */
function convolutionsOf(graph: Graph): Graph {
  const typed = inferTypes(bindDims(graph, batchOf(graph)))
  const last = typed.nodes.findIndex((n) => n.op === 'Flatten' || n.op === 'Gemm')
  const output = typed.nodes[last]?.inputs[0] ?? ''
  const cut = typed.with({
    nodes: typed.nodes.slice(0, last),
    outputs: [{ name: output, type: typed.type(output) ?? { kind: 'unknown' } }],
  })
  const read = new Set(cut.nodes.flatMap((n) => n.inputs))
  return cut.with({ initializers: new Map([...cut.initializers].filter(([name]) => read.has(name))) })
}

function batchOf(graph: Graph): Record<string, number> {
  const first = asTensor(graph.requiredInputs[0]?.type)?.shape?.[0]
  return typeof first === 'string' ? { [first]: 1 } : {}
}

async function timed(ours: Graph, theirs: Graph) {
  const programs = await Promise.all([ours, theirs].map((g) => ortCpu.compile(g)))
  const feeds = randomInputs(theirs, 1)
  const once = (i: number) => async () => {
    const started = performance.now()
    await programs[i]?.run(feeds)
    return performance.now() - started
  }
  for (const i of [0, 1]) await once(i)()
  const pair = await inTurn(once(0), once(1), RUNS)
  for (const program of programs) await program.dispose()
  return pair
}

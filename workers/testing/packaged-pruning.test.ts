import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import type { Tensors } from '../executors/executor.ts'
import type { Graph } from '../graph/graph.ts'
import { numbersOf } from '../graph/tensor.ts'
import { verify } from '../graph/verify.ts'
import { decodeModel } from '../onnx/index.ts'
import { inferTypes, typeProblems } from '../ops/infer.ts'
import { inlineFunctions, specialize } from '../passes/index.ts'
import { analyse } from '../passes/prune/analysis.ts'
import { cut } from '../passes/prune/cut.ts'
import { groupsOf, type Group } from '../passes/prune/groups.ts'
import { masked } from '../passes/prune/mask.ts'
import { pruneWithoutData } from '../recipes/prune/choose.ts'
import { ChoiceOptions } from '../recipes/prune/options.ts'
import { missing, packagedModels, writeReport } from './assets.ts'
import { feedsOf, fixed, packagedCases } from './packaged-cases.ts'
import { randomRemoval } from './pruning.ts'

/*
 * Trained models that others publish lose 30 % of their channels, by their weights alone: they run, and with the
 * channels zero instead of gone they give the same.
 */
const lines: string[] = []
afterAll(() => {
  writeReport('packaged-pruning', [
    '# Models of other packages, 30 % of the channels gone',
    '',
    '| model | groups | stay whole | params | MACs |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ])
})

async function run(graph: Graph, feeds: Tensors): Promise<readonly number[][]> {
  const program = await ortCpu.compile(graph, { threads: 1 })
  const results = await program.run(feeds)
  const values = graph.outputs.map(({ name }) => numbersOf(results[name] as NonNullable<(typeof results)[string]>))
  await program.dispose()
  return values
}

/** Statistics over channels are others where some are gone than where some are zero. */
const countsChannels = (group: Group): boolean =>
  group.members.some(({ roles }) => roles.some(({ node }) => /Normalization|^(Add|Mul|Div|Sub|Pow)$/.test(node.op)))

test.for(packagedCases.map((c) => ({ ...c, name: basename(c.path) })))('$name', async (wanted, ctx) => {
  const folder = packagedModels()
  if (folder === undefined) return ctx.skip(missing('packaged-models'))
  const sized = fixed(decodeModel(readFileSync(join(folder, wanted.path))), wanted.dims)
  const graph = inferTypes(specialize(inlineFunctions(sized), { inputs: wanted.constants ?? {} }))
  const model = { ...sized, graph, functions: [] }
  const all = { ...feedsOf(model), ...wanted.feeds }

  const { model: pruned, report } = pruneWithoutData(model, ChoiceOptions.parse({ ratio: 0.3 }), 42)
  verify(pruned.graph, { types: typeProblems })
  expect(report.params[1]).toBeLessThan(0.8 * report.params[0])
  expect(report.macs[1] ?? 0).toBeLessThan(report.macs[0] ?? Infinity)
  const outputs = await run(pruned.graph, all)
  expect(outputs.flat().every(Number.isFinite)).toBe(true)

  const groups = groupsOf(analyse(graph))
  const removal = randomRemoval(groups, 0.3, 1)
  const exact = new Map([...removal].filter(([id]) => !countsChannels(groups.groups[id] as Group)))
  const [gone, zero] = [await run(cut(groups, exact), all), await run(masked(groups, exact), all)]
  gone.forEach((values, i) => {
    const scale = Math.max(1, ...(zero[i] ?? []).map(Math.abs))
    values.forEach((v, k) => expect(Math.abs(v - (zero[i]?.[k] ?? NaN)) / scale).toBeLessThan(1e-4))
  })
  const share = (counts: readonly [number | undefined, number | undefined]) => counts.map((n) => n ?? '?').join(' → ')
  lines.push(
    `| ${[wanted.name, report.groups.length, report.whole.length, share(report.params), share(report.macs)].join(' | ')} |`,
  )
})

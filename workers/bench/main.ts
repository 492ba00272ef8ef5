import { distil } from './distil.ts'
import { benchmarkDeepCompression } from './deep-compression.ts'
import { benchmarkDistilled } from './distilled.ts'
import { benchmarkMemory } from './memory.ts'
import { benchmarkLowRank } from './low-rank.ts'
import { benchmarkOpening } from './open.ts'
import { benchOptions } from './options.ts'
import { benchmarkPackaged } from './packaged.ts'
import { benchmarkPackagedDistillation } from './packaged-distil.ts'
import { prune } from './prune.ts'
import { benchmarkScale } from './scale.ts'
import { benchmarkPruned } from './pruned.ts'
import { benchmarkPacking } from './pack.ts'
import { benchmarkQuantized } from './quantized.ts'
import type { Topic } from './topic.ts'
import { losses } from './losses.ts'
import { quantize } from './quantize.ts'
import { benchmarkStudio } from './studio.ts'
import { train } from './train.ts'
import { benchmarkTucker } from './tucker.ts'

/*
 * `npm run bench -- [topic …] [--peers] [name …]`: every topic unless some are named; with `--peers` the Python
 * programs of `peers/` do the same work in turn with ours. Results are kept in BENCHMARKS.md. The tables of accuracy over
 * methods and seeds are made of cells (`cells.ts`), which can also be run one by one.
 */
const topics: Readonly<Record<string, Topic>> = {
  train,
  distil,
  losses,
  prune,
  open: benchmarkOpening,
  tucker: benchmarkTucker,
  'low-rank': benchmarkLowRank,
  'deep-compression': benchmarkDeepCompression,
  pack: benchmarkPacking,
  quantize,
  packaged: benchmarkPackaged,
  'packaged-distil': benchmarkPackagedDistillation,
  pruned: benchmarkPruned,
  quantized: benchmarkQuantized,
  distilled: benchmarkDistilled,
  memory: benchmarkMemory,
  studio: benchmarkStudio,
  scale: benchmarkScale,
}

// `--scale` reads like a switch to whoever looks for how costs grow.
const given = benchOptions(process.argv.slice(2).map((word) => (word === '--scale' ? 'scale' : word)))
const named = given.wanted.filter((word) => word in topics)
const options = { ...given, wanted: given.wanted.filter((word) => !(word in topics)) }
/** These take long, and therefore run only when they are named. */
const long: readonly string[] = ['deep-compression', 'packaged-distil', 'pruned', 'studio', 'quantized', 'distilled']
for (const name of named.length > 0 ? named : Object.keys(topics).filter((topic) => !long.includes(topic))) {
  console.log(`\n## ${name}\n`)
  await topics[name]?.(options)
}

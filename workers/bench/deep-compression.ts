import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ortCpu } from '../executors/ort/executor.ts'
import { runRecipe } from '../jobs/run.ts'
import type { PackReport } from '../pack/index.ts'
import { RunRequest, type Report } from '../protocol/worker.ts'
import { head, machine, row } from './pairs.ts'
import type { TopicOptions } from './topic.ts'

/** Han, Mao & Dally 2016, arXiv:1510.00149, table 1: error in per cent before and after, kB before and after. */
const paper = {
  'lenet-300-100': { before: 1.64, after: 1.58, ratio: 40, epochs: 30 },
  'lenet-5': { before: 0.8, after: 0.74, ratio: 39, epochs: 12 },
} as const

const SEEDS = [1, 2, 3]

/**
 * `npm run bench -- deep-compression`: trains both LeNets on MNIST with three seeds, runs the built-in recipe on each,
 * and prints error and ratio beside the paper's. Runs are kept in ALAMBIC_RUNS (a folder) and taken from there when
 * they are finished, or gone on with.
 */
export async function benchmarkDeepCompression({ wanted }: TopicOptions): Promise<void> {
  const root = process.env['ALAMBIC_RUNS'] ?? 'deep-compression-runs'
  mkdirSync(root, { recursive: true })
  console.log(`${machine()}; MNIST, 10,000 test images; sizes count everything in the file\n`)
  head('net', 'seed', 'error before', 'error after', 'kB before', 'kB after', 'ratio', 'paper: error', 'paper: ratio')
  for (const [net, published] of Object.entries(paper)) {
    if (wanted.length > 0 && !wanted.includes(net)) continue
    for (const seed of SEEDS) {
      const augmentation = { padCrop: { pad: 2 } }
      const train = { step: 'train', epochs: published.epochs, validation: 0, augmentation }
      const base = await run(join(root, `${net}-${seed}`), net, { alambic: 1, name: 'base', steps: [train] }, seed)
      const small = await run(join(root, `${net}-${seed}-small`), String(base['output']), 'deep-compression', seed)
      const packed = (small['steps'] as readonly { packed?: PackReport }[]).at(-1)?.packed
      const error = (report: Report) => `${(100 - 100 * (report['accuracy'] as number)).toFixed(2)} %`
      row(
        net,
        String(seed),
        error(base),
        error(small),
        ((packed?.rawBytes ?? NaN) / 1000).toFixed(0),
        ((packed?.bytes ?? NaN) / 1000).toFixed(1),
        `${packed?.ratio.toFixed(1)}×`,
        `${published.before} → ${published.after} %`,
        `${published.ratio}×`,
      )
    }
  }
}

function run(folder: string, model: string, recipe: string | Record<string, unknown>, seed: number): Promise<Report> {
  const resume = existsSync(join(folder, 'run.json'))
  const output = `${folder}.onnx`
  const request = RunRequest.parse({ recipe, model, data: 'mnist', folder, output, seed, resume, threads: 1 })
  return runRecipe(request, {
    executor: ortCpu,
    listener: { progress: () => undefined, event: () => undefined },
    stopping: () => false,
    leaving: () => undefined,
  })
}

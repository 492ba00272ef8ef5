import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeNpy } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { runRecipe } from '../jobs/run.ts'
import type { Agreement } from '../measure/agreement.ts'
import { RunRequest } from '../protocol/worker.ts'
import { missing, packagedModels } from '../testing/assets.ts'
import { fileWindows } from '../testing/byte-windows.ts'
import { head, machine, row } from './pairs.ts'
import type { TopicOptions } from './topic.ts'

/** A detector of file types with 214 classes (Fratantonio et al. 2024, arXiv:2409.13768): 784,214 parameters. */
const TEACHER = 'magika/models/standard_v3_3/model.onnx'
const modules = join(import.meta.dirname, '../../node_modules')
const students = ['thin:0.5', 'thin:0.25']

/**
 * `npm run bench -- packaged-distil`: a model that others trained and published teaches thinner versions of itself on
 * unlabelled files of this machine, four fifths of them; how often both say the same of the other fifth, before and
 * after. Its own training code and data are nowhere.
 */
export async function benchmarkPackagedDistillation({ wanted }: TopicOptions): Promise<void> {
  const models = packagedModels()
  if (models === undefined) return console.log(missing('packaged-models'))
  const root = mkdtempSync(join(tmpdir(), 'alambic-packaged-'))
  process.env['ALAMBIC_CACHE'] ??= join(root, 'cache')
  try {
    const data = join(root, 'files')
    const counts = writeFiles(data)
    console.log(`${machine(ortCpu.runtime)}; ${counts.train} files to train on, ${counts.test} to compare on\n`)
    head('student', 'parameters', 'agreement before', 'after', '± one standard error', 'MACs')
    for (const student of students.filter((s) => wanted.length === 0 || wanted.includes(s))) {
      const step = { step: 'distil', student, epochs: 3, batch: 32, lr: 0.001, validation: 0 }
      const report = await runRecipe(
        RunRequest.parse({
          recipe: { alambic: 1, name: 'packaged', steps: [step] },
          model: join(models, TEACHER),
          data,
          folder: join(root, student.replace(':', '-')),
        }),
        {
          executor: ortCpu,
          listener: { progress: () => undefined, event: () => undefined },
          stopping: () => false,
          leaving: () => undefined,
        },
      )
      const [done] = report['steps'] as { agreement: Agreement }[]
      const percent = (share: number | undefined) => `${(100 * (share ?? NaN)).toFixed(1)} %`
      const { before, after, error } = done?.agreement ?? {}
      row(student, String(report['params']), percent(before), percent(after), percent(error), String(report['macs']))
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function writeFiles(folder: string): { train: number; test: number } {
  const roots = [modules, '/usr/share', '/usr/lib', '/usr/include', '/etc'].filter((path) => existsSync(path))
  const { dims, data } = fileWindows(roots, 60)
  const [count, size] = dims
  const test = Math.floor(count / 5)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'x_test.npy'), writeNpy([test, size], data.subarray(0, test * size)))
  writeFileSync(join(folder, 'x_train.npy'), writeNpy([count - test, size], data.subarray(test * size)))
  return { train: count - test, test }
}

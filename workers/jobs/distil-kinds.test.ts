import { sizeOf } from '../graph/tensor.ts'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { ortCpu } from '../executors/ort/executor.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { RunRequest, type Report } from '../protocol/worker.ts'
import { runRecipe } from './run.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-kinds-'))
process.env['ALAMBIC_CACHE'] = join(root, 'cache')
afterAll(() => rmSync(root, { recursive: true, force: true }))

const models = fileURLToPath(new URL('../testing/models/', import.meta.url))
const COUNT = 96

/** Writes unlabelled samples as a NumPy file (format 1.0): noise, or tokens below `vocabulary`. */
function samples(name: string, dims: readonly number[], vocabulary?: number): string {
  const random = mulberry32(7)
  const length = COUNT * sizeOf(dims)
  const values = vocabulary
    ? Int32Array.from({ length }, () => Math.floor(random() * vocabulary))
    : Float32Array.from({ length }, () => gaussian(random))
  const shape = [COUNT, ...dims].join(', ')
  const text = `{'descr': '${vocabulary ? '<i4' : '<f4'}', 'fortran_order': False, 'shape': (${shape}), }`
  const header = `${text.padEnd(118 - 1)}\n`
  const folder = join(root, name)
  mkdirSync(folder, { recursive: true })
  const head = Buffer.concat([
    Buffer.from([0x93]),
    Buffer.from('NUMPY'),
    Buffer.from([1, 0, 118, 0]),
    Buffer.from(header),
  ])
  writeFileSync(join(folder, 'x_train.npy'), Buffer.concat([head, Buffer.from(values.buffer)]))
  return folder
}

async function distil(name: string, data: string, step: object, folder = name): Promise<Report> {
  return runRecipe(
    RunRequest.parse({
      recipe: {
        alambic: 1,
        name: 'kinds',
        steps: [{ step: 'distil', student: 'thin:0.5', epochs: 6, batch: 16, lr: 0.003, validation: 0, ...step }],
      },
      model: join(models, `${name}.onnx`),
      data,
      threads: 1,
      folder: join(root, `${folder}-run`),
    }),
    {
      executor: ortCpu,
      listener: { progress: () => undefined, event: () => undefined },
      stopping: () => false,
      leaving: () => undefined,
    },
  )
}

describe('a model of another exporter teaches a thinner version of itself without labels', () => {
  test.each([
    ['speech-keywords', [1, 40, 49], undefined, ['kd']],
    ['vision-transformer', [3, 32, 32], undefined, ['rkd']],
    ['swin', [3, 32, 32], undefined, ['kd']],
    ['ocr-crnn', [1, 16, 40], undefined, ['kd']],
    ['text-bert', [8], 100, ['output-cosine']],
    ['text-decoder', [8], 64, ['kd']],
    ['super-resolution', [1, 12, 12], undefined, ['output-l1']],
    ['segmentation-unet', [3, 32, 32], undefined, ['kd', 'at']],
    ['detector', [3, 32, 32], undefined, ['output-mse']],
  ] as const)('%s', async (name, dims, vocabulary, losses) => {
    const report = await distil(name, samples(name, dims, vocabulary), { losses })
    const [step] = report['steps'] as { history: { loss: number }[] }[]
    const history = step?.history.map(({ loss }) => loss) ?? []
    expect(history).toHaveLength(6)
    expect(history.at(-1)).toBeLessThan(history[0] as number)
  })

  test('terms that need labels are refused before anything is computed', async () => {
    const data = samples('unlabelled', [1, 40, 49])
    await expect(distil('speech-keywords', data, { losses: ['kd', 'dkd'] }, 'refused')).rejects.toMatchObject({
      code: 'distil.needs-labels',
    })
  })
})

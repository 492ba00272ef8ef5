import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { writeNpy } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import type { Agreement } from '../measure/agreement.ts'
import { RunRequest } from '../protocol/worker.ts'
import { missing, packagedModels } from '../testing/assets.ts'
import { fileWindows, windowOf } from '../testing/byte-windows.ts'
import { runRecipe } from './run.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-packaged-'))
process.env['ALAMBIC_CACHE'] = join(root, 'cache')
afterAll(() => rmSync(root, { recursive: true, force: true }))

test('a window has both ends of a file without white space around them', () => {
  const window = windowOf(new TextEncoder().encode('\n hello world \n'))
  expect([...window.subarray(0, 13)]).toEqual([...new TextEncoder().encode('hello world \n')])
  expect([...window.subarray(-13)]).toEqual([...new TextEncoder().encode('\n hello world')])
  expect(window[1024]).toBe(256)
})

test('a published detector of file types teaches a thinner version of itself on unlabelled files', async (ctx) => {
  const models = packagedModels()
  if (models === undefined) return ctx.skip(missing('packaged-models'))
  const { dims, data } = fileWindows([join(import.meta.dirname, '../../node_modules')], 8)
  const [count, size] = dims
  const part = Math.floor(count / 3)
  mkdirSync(join(root, 'files'))
  writeFileSync(join(root, 'files', 'x_test.npy'), writeNpy([part, size], data.subarray(0, part * size)))
  writeFileSync(join(root, 'files', 'x_train.npy'), writeNpy([count - part, size], data.subarray(part * size)))
  const step = { step: 'distil', student: 'thin:0.5', epochs: 2, batch: 16, lr: 0.001, validation: 0 }
  const report = await runRecipe(
    RunRequest.parse({
      recipe: { alambic: 1, name: 'packaged', steps: [step] },
      model: join(models, 'magika/models/standard_v3_3/model.onnx'),
      data: join(root, 'files'),
      folder: join(root, 'run'),
    }),
    {
      executor: ortCpu,
      listener: { progress: () => undefined, event: () => undefined },
      stopping: () => false,
      leaving: () => undefined,
    },
  )
  const [done] = report['steps'] as { agreement: Agreement; history: { loss: number }[] }[]
  expect(report['params']).toBe(448_278)
  // What its maker spells out as a softmax is taken off: the loss is of logits, not of probabilities.
  expect(done?.history[0]?.loss).toBeGreaterThan(0.1)
  expect(done?.agreement.n).toBe(part)
  expect(done?.agreement.after).toBeGreaterThan(done?.agreement.before ?? 1)
})

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeNpy } from '../datasets/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { fillGaussian, mulberry32 } from '../graph/random.ts'
import { readModel, writeModel } from '../onnx/index.ts'
import { RunRequest, type Report, type RunEvent } from '../protocol/worker.ts'
import { openModel } from '../recipes/open.ts'
import { runRecipe } from './run.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-retrain-'))
process.env['ALAMBIC_CACHE'] = join(root, 'cache')
afterAll(() => rmSync(root, { recursive: true, force: true }))

const unlabelled = join(root, 'unlabelled')
const withSoftmax = join(root, 'softmax.onnx')

beforeAll(async () => {
  mkdirSync(unlabelled)
  const noise = new Float32Array(128 * 784)
  fillGaussian(noise, mulberry32(1))
  writeFileSync(join(unlabelled, 'x_train.npy'), writeNpy([128, 1, 28, 28], noise))
  const model = await openModel('lenet-5@0.2')
  const [output] = model.graph.outputs
  const softmax = {
    name: 'softmax',
    op: 'Softmax',
    domain: '',
    inputs: [output?.name ?? ''],
    outputs: ['p'],
    attributes: {},
  }
  const outputs = [{ name: 'p', type: output?.type ?? { kind: 'unknown' as const } }]
  await writeModel(
    { ...model, graph: model.graph.with({ nodes: [...model.graph.nodes, softmax], outputs }) },
    withSoftmax,
  )
})

async function run(
  name: string,
  steps: readonly object[],
  more: object,
): Promise<{ report: Report; events: RunEvent[] }> {
  const events: RunEvent[] = []
  const report = await runRecipe(
    RunRequest.parse({
      recipe: { alambic: 1, name: 'retrain', steps },
      model: 'lenet-5@0.2',
      threads: 1,
      folder: join(root, name),
      output: join(root, `${name}.onnx`),
      ...more,
    }),
    {
      executor: ortCpu,
      listener: { progress: () => undefined, event: (event) => events.push(event) },
      stopping: () => false,
      leaving: () => undefined,
    },
  )
  return { report, events }
}

interface Layer {
  readonly kept: number
  readonly elements: number
}

const epochs = { epochs: 4, batch: 32, lr: 0.003, validation: 0, teacher: 'self' }

describe('the model as it was teaches what a step made of it, without labels', () => {
  test.each([
    ['prune', { step: 'prune', method: 'l1', ratio: 0.5, recover: 'finetune' }],
    ['prune-retrain', { step: 'prune-retrain', keep: 0.2 }],
    ['sparsify', { step: 'sparsify', sparsity: 0.8 }],
    ['cluster', { step: 'cluster', convBits: 2, denseBits: 1 }],
  ] as const)('%s', async (name, step) => {
    const { report } = await run(name, [{ ...step, ...epochs }], { data: unlabelled })
    const [done] = report['steps'] as { history?: { loss: number }[]; rounds?: { layers: Layer[] }[] }[]
    const kept = (done?.rounds?.[0]?.layers ?? []).reduce((sum, layer) => sum + layer.kept / layer.elements / 4, 0)
    if (name === 'sparsify') return expect(kept).toBeCloseTo(0.2, 1)
    const losses = (done?.history ?? []).map(({ loss }) => loss)
    expect(losses).toHaveLength(4)
    expect(losses.at(-1)).toBeLessThan(losses[0] as number)
  })

  test('fine-tuning after factors has the model that came to the run', async () => {
    const steps = [
      { step: 'factorize', rank: { ratio: 3 } },
      { step: 'finetune', ...epochs, epochs: 6, teacher: 'source' },
    ]
    const { report } = await run('factors', steps, { data: unlabelled })
    const history = (report['steps'] as { history?: { loss: number }[] }[])[1]?.history ?? []
    expect(history.at(-1)?.loss).toBeLessThan(0.9 * (history[0]?.loss ?? 0))
  })

  test('labels get what α leaves', async () => {
    const step = { step: 'prune-retrain', keep: 0.5, ...epochs, epochs: 1, alpha: 0.5 }
    const { report } = await run('both', [step], { data: 'mnist', limit: 256 })
    expect(report['accuracy']).toBeGreaterThan(0.05)
    await expect(run('none', [step], { data: unlabelled })).rejects.toMatchObject({ code: 'train.needs-labels' })
  })
})

describe('a net that ends in Softmax', () => {
  test('is trained on its logits, and keeps its Softmax', async () => {
    const step = { step: 'finetune', epochs: 1, batch: 32, lr: 0.001, validation: 0 }
    const { report, events } = await run('softmax', [step], { model: withSoftmax, data: 'mnist', limit: 640 })
    const plain = await run('plain', [step], { data: 'mnist', limit: 640 })
    const loss = (of: Report) => (of['steps'] as { history: { loss: number }[] }[])[0]?.history[0]?.loss
    expect(loss(report)).toBe(loss(plain.report))
    expect(events.some(({ data }) => String(data['text']).includes('Softmax is left out'))).toBe(true)
    const { model } = await readModel(join(root, 'softmax.onnx'))
    expect(model.graph.nodes.at(-1)?.op).toBe('Softmax')
  })
})

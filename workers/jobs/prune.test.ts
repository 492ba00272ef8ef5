import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Worker } from '../../electron/host/worker.ts'
import type { Progress, Report } from '../protocol/worker.ts'

const root = mkdtempSync(join(tmpdir(), 'alambic-prune-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function inWorker(
  name: 'run' | 'prune' | 'inspect',
  call: object,
  watch: (progress: Progress, worker: Worker) => void = () => undefined,
): Promise<Report> {
  const worker: Worker = new Worker({ progress: (p) => watch(p, worker), event: () => undefined })
  try {
    return await worker.call(name, call)
  } finally {
    await worker.close()
  }
}

const training = { batch: 32, lr: 0.005, validation: 0.2 }
const request = (name: string, options: object) => ({
  recipe: {
    alambic: 1,
    name: 'test',
    steps: [
      { step: 'train', epochs: 2, ...training },
      { step: 'prune', epochs: 1, samples: 256, ...training, ...options },
    ],
  },
  model: 'lenet-5@0.4',
  data: 'mnist',
  limit: 1000,
  threads: 1,
  folder: join(root, name),
  output: join(root, `${name}.onnx`),
  checkpointEvery: 0.05,
})

describe('pruning on data', () => {
  test.each([
    ['taylor', { method: 'taylor', scope: 'global', recover: 'none', ratio: 0.3 }],
    ['obd-diagonal', { method: 'obd-diagonal', scope: 'global', recover: 'none', ratio: 0.3 }],
    ['apoz', { method: 'apoz', recover: 'lsq', ratio: 0.3 }],
    ['budget', { method: 'l1', scope: 'global', budget: 'macs=50%', recover: 'finetune', teacher: 'self' }],
  ])('%s', async (name, options) => {
    const report = await inWorker('run', request(name, options))
    const [, pruned] = report['steps'] as { rounds: { params: number[]; macs: number[] }[]; latency: object }[]
    const [round] = pruned?.rounds ?? []
    expect(round?.params[1]).toBeLessThan(0.8 * (round?.params[0] ?? 0))
    expect(report['params']).toBe(round?.params[1])
    expect(report['accuracy']).toBeGreaterThan(0.3)
    if (name === 'budget') expect(round?.macs[1]).toBeLessThanOrEqual(0.5 * (round?.macs[0] ?? 0))
  })

  test('to a measured latency: what was predicted is what is found', async () => {
    const report = await inWorker('run', {
      ...request('latency', { budget: 'latency=85%', recover: 'none' }),
      model: 'lenet-5',
    })
    const [, pruned] = report['steps'] as {
      readonly rounds: { predicted: { predictedMs: number; limitMs: number } }[]
      readonly latency: { readonly after: { readonly medianMs: number } }
      readonly prediction: { predictedMs: number; measuredMs: number; limitMs: number; error: number }
    }[]
    const { predictedMs = 0, limitMs = 0 } = pruned?.rounds[0]?.predicted ?? {}
    expect(predictedMs).toBeLessThanOrEqual(limitMs)
    const measuredMs = pruned?.latency.after.medianMs ?? 0
    expect(measuredMs).toBeGreaterThan(0)
    expect(pruned?.prediction).toEqual({ predictedMs, measuredMs, limitMs, error: measuredMs / predictedMs - 1 })
  })

  test('by what each group costs in accuracy', async () => {
    const options = {
      scope: 'sensitivity',
      scanRatios: [0.3, 0.6],
      scanSamples: 100,
      recover: 'none',
      budget: 'params=40%',
    }
    const report = await inWorker('run', request('sensitivity', options))
    const [, pruned] = report['steps'] as {
      rounds: { sensitivity: { baseline: number; rows: object[] }; params: number[] }[]
    }[]
    const [round] = pruned?.rounds ?? []
    expect(round?.sensitivity.rows).toHaveLength(6)
    expect(round?.params[1]).toBeLessThanOrEqual(0.4 * (round?.params[0] ?? 0))
  })

  test('in rounds, killed and resumed in the second, gives the bits of an uninterrupted run', async () => {
    const options = { method: 'l2', steps: 2, recover: 'finetune', ratio: 0.5, epochs: 3 }
    const whole = await inWorker('run', request('whole', options))
    let [round, last] = [1, 0]
    const kill = (p: Progress, worker: Worker) => {
      if (p.activity !== 'train' || p.epochs !== 3) return
      if (p.done < last) round++
      last = p.done
      if (round === 2 && p.done > 20) void worker.close()
    }
    await expect(inWorker('run', request('killed', options), kill)).rejects.toMatchObject({ code: 'worker.died' })
    const resumed = await inWorker('run', { ...request('killed', options), resume: true })
    expect(resumed['sha256']).toBe(whole['sha256'])
    expect(resumed['accuracy']).toBeGreaterThan(0.6)
  })
})

describe('sparse training and single weights', () => {
  const recipe = (name: string, ...steps: readonly object[]) => ({
    ...request(name, {}),
    recipe: { alambic: 1, name: 'test', steps: [{ step: 'train', epochs: 2, ...training }, ...steps] },
  })
  const slim = { step: 'slim', epochs: 1, sparseEpochs: 2, samples: 256, ratio: 0.4, ...training }

  test.each([
    ['scale', [{ step: 'insert-batchnorm' }, { ...slim, strength: 0.001 }]],
    ['group', [{ ...slim, regularizer: 'group', strength: 0.001 }]],
    ['masked', [{ ...slim, regularizer: 'masked' }]],
  ])('slim by %s', async (name, steps) => {
    const report = await inWorker('run', recipe(`slim-${name}`, ...steps))
    const { rounds } = (report['steps'] as { rounds: { params: number[] }[] }[]).at(-1) ?? { rounds: [] }
    expect(rounds[0]?.params[1]).toBeLessThan(0.8 * (rounds[0]?.params[0] ?? 0))
    expect(report['accuracy']).toBeGreaterThan(0.6)
  })

  test.each([
    ['l1', { rounds: 2, sparsity: 0.8 }, 0.8],
    ['obd', { scope: 'global', sparsity: 0.6, samples: 64 }, 0.6],
    ['obd-diagonal', { scope: 'global', sparsity: 0.6, samples: 64 }, 0.6],
    ['n:m', {}, 0.5],
    ['random', { rounds: 2, sparsity: 0.4, epochs: 0 }, 0.4],
  ])('sparsify by %s', async (method, options, sparsity) => {
    const steps = [{ step: 'sparsify', epochs: 1, method, ...training, ...options }]
    const report = await inWorker('run', recipe(`sparsify-${method.replace(':', '')}`, ...steps))
    const { rounds } = (report['steps'] as { rounds: { layers: { elements: number; kept: number }[] }[] }[])[1] ?? {
      rounds: [],
    }
    const layers = rounds.at(-1)?.layers ?? []
    const [all, kept] = [layers.reduce((n, l) => n + l.elements, 0), layers.reduce((n, l) => n + l.kept, 0)]
    expect(1 - kept / all).toBeGreaterThan(sparsity - 0.03)
    expect(1 - kept / all).toBeLessThan(sparsity + 0.03)
  })
})

describe.skipIf(!process.env['ALAMBIC_LONG'])(
  'killed in a later round and resumed, gives the bits of an uninterrupted run',
  () => {
    const slim = { step: 'slim', epochs: 1, sparseEpochs: 3, samples: 256, ratio: 0.4, ...training }
    test.each([
      ['sparsify', { step: 'sparsify', rounds: 3, epochs: 1, ...training }],
      ['slim-group', { ...slim, regularizer: 'group', strength: 0.001 }],
      ['slim-masked', { ...slim, regularizer: 'masked' }],
    ])('%s', async (name, step) => {
      const call = (folder: string) => ({
        ...request(folder, {}),
        recipe: { alambic: 1, name: 'test', steps: [step] },
        limit: 1600,
      })
      const whole = await inWorker('run', call(`${name}-whole`))
      let [round, last] = [1, 0]
      const kill = (p: Progress, worker: Worker) => {
        if (p.activity !== 'train') return
        if (p.done < last) round++
        last = p.done
        if (round === 3 && p.done > 10) void worker.close()
      }
      await expect(inWorker('run', call(`${name}-killed`), kill)).rejects.toMatchObject({ code: 'worker.died' })
      const resumed = await inWorker('run', { ...call(`${name}-killed`), resume: true })
      expect(resumed['sha256']).toBe(whole['sha256'])
    })
  },
)

describe('pruning a bare model', () => {
  const output = join(root, 'bare.onnx')
  test('halves channels, and inspect shows the groups', async () => {
    const report = await inWorker('prune', {
      model: 'resnet-20',
      output,
      options: { ratio: 0.5, roundTo: 8 },
      threads: 1,
    })
    expect(report['params']).toBe(68_050)
    const { pruning } = (await inWorker('inspect', { model: output, groups: true })) as {
      readonly pruning: { readonly groups: readonly { readonly units: number }[]; readonly text: string }
    }
    expect(pruning.groups.map(({ units }) => units)).toContain(32)
    expect(pruning.text).toContain('whole: 10 channels of node "linear" (Gemm): it is the output "logits"')
  })

  test.each([
    [{ method: 'taylor' }, 'prune.needs-data'],
    [{ ratio: 0.99 }, 'prune.empties'],
    [{ rules: [{ layer: 'nothing', ratio: 0.1 }] }, 'prune.rule'],
    [{ budget: 'params=3' }, 'prune.budget'],
    [{ budget: 'half' }, 'recipe.invalid'],
    [{ method: 'weakest' }, 'recipe.invalid'],
  ])('%o is refused with %s', async (options, code) => {
    await expect(inWorker('prune', { model: 'resnet-20', output, options })).rejects.toMatchObject({ code })
  })

  test('a net without batch-norm has no scales to go by', async () => {
    const call = { model: 'lenet-5', output, options: { method: 'bn-scale' } }
    await expect(inWorker('prune', call)).rejects.toMatchObject({ code: 'prune.no-scores' })
  })
})

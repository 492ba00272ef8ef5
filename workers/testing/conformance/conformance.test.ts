import { afterAll, describe, expect, test } from 'vitest'
import type { Tensors } from '../../executors/executor.ts'
import { unavailable } from '../../executors/engines.ts'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import type { AlambicError } from '../../protocol/errors.ts'
import { distance } from '../../graph/tensor.ts'
import { cases, isNet, stepOf, twoSteps } from './corpus.ts'
import { EngineProcess, graphics, type TestedEngine } from './engine.ts'
import { learn } from './learn.ts'

interface Tested {
  readonly device: TestedEngine
  /** Largest ‖ours − reference‖ / ‖reference‖ of any state vector after two steps. */
  readonly tolerance: number
  /** What its process needs to find the device; undefined where the device cannot be had. */
  readonly environment: Readonly<Record<string, string>> | undefined
  readonly missing: string
  /** Nets of the zoo that it is asked about in every run of the tests; all of them when unset, or with ALAMBIC_LONG. */
  readonly nets?: readonly string[]
  /** Whether training is only tried with ALAMBIC_LONG. */
  readonly tooSlowToLearn?: boolean
}

/** Every executor is asked the same. */
const tested: readonly Tested[] = [
  { device: 'cpu', tolerance: 1e-4, environment: {}, missing: '' },
  {
    device: 'looped',
    tolerance: 1e-4,
    environment: {},
    missing: '',
    nets: ['lenet-5', 'resnet-20', 'shufflenet-v2-cifar'],
  },
  {
    device: 'cuda',
    tolerance: 1e-3,
    environment: unavailable('cuda') ? undefined : {},
    missing: `CUDA: ${unavailable('cuda')?.reason ?? ''}`,
  },
  {
    device: 'webgpu',
    tolerance: 1e-3,
    environment: graphics(),
    missing: 'WebGPU needs a graphics processor, or the software one that comes with Chromium',
    // A processor that plays a graphics processor takes seconds for each: one net of every family.
    nets: [
      'lenet-300-100',
      'lenet-5',
      'resnet-20',
      'squeezenet-cifar',
      'mobilenet-v3-small-cifar',
      'shufflenet-v2-cifar',
    ],
  },
  {
    device: 'tfjs',
    tolerance: 1e-3,
    environment: {},
    missing: '',
    // Plain JavaScript takes seconds for each.
    nets: ['lenet-300-100', 'resnet-20', 'squeezenet-cifar', 'mobilenet-v3-small-cifar'],
    tooSlowToLearn: true,
  },
  {
    device: 'tf',
    tolerance: 1e-3,
    environment: unavailable('tf') ? undefined : {},
    missing: `TensorFlow is not on this machine: ${unavailable('tf')?.fix ?? ''}`,
  },
]

/** A wrong lowering is wrong for every batch; a Relu or a maximum on the edge is so for a few. */
const seeds = [16, 11, 14, 13, 12]

const truths = new Map<string, Promise<Tensors>>()
function truth(name: string, seed: number): Promise<Tensors> {
  const key = `${name} ${seed}`
  const known = truths.get(key) ?? twoSteps(referenceExecutor, stepOf(name), seed)
  truths.set(key, known)
  return known
}

describe.each(tested)(
  'a training step on $device equals the reference',
  ({ device, tolerance, environment, missing, nets }) => {
    const engine = environment && new EngineProcess(device, environment)
    afterAll(() => engine?.close())

    test.for(cases)('%s', async (name, context) => {
      if (!engine) return context.skip(missing)
      if (isNet(name) && nets?.includes(name) === false && !process.env['ALAMBIC_LONG']) {
        return context.skip('with ALAMBIC_LONG=1 every net of the zoo is tried')
      }
      const errors: Record<string, number>[] = []
      for (const seed of seeds) {
        const [ours, theirs] = [await engine.twoSteps(name, seed), await truth(name, seed)]
        expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort())
        const differ = Object.entries(theirs).map(([key, t]) => [key, distance(ours[key] ?? t, t)] as const)
        if (differ.every(([, error]) => error < tolerance)) return
        errors.push(Object.fromEntries(differ))
      }
      expect.fail(`in every batch some state differs by more than ${tolerance}: ${JSON.stringify(errors)}`)
    })
  },
)

describe.each(tested)('training on $device', ({ device, environment, missing, tooSlowToLearn }) => {
  const steps = process.env['ALAMBIC_LONG'] ? 200 : 32

  test('learns, and goes on from its state as if nothing had been', async (context) => {
    if (!environment) return context.skip(missing)
    if (tooSlowToLearn && !process.env['ALAMBIC_LONG']) return context.skip('with ALAMBIC_LONG=1 it is trained')
    const engine = new EngineProcess(device, environment)
    try {
      const [losses, expected] = [await engine.learn(steps, 16), await learn(ortCpu, steps)]
      const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
      expect(mean(losses.slice(-8))).toBeLessThan(0.9 * mean(losses.slice(0, 8)))
      // Rounding grows from step to step; a state that is lost or mixed up shows at once.
      for (let i = 0; i < 32; i++) expect(losses[i]).toBeCloseTo(expected[i] as number, 2)
    } finally {
      engine.close()
    }
  })
})

describe.each(tested)('the bits of $device', ({ device, environment, missing }) => {
  test('are those of another process', async (context) => {
    if (!environment) return context.skip(missing)
    if (device === 'webgpu' && !process.env['ALAMBIC_LONG']) {
      return context.skip('with ALAMBIC_LONG=1; those of a run that was paused are compared every time')
    }
    const engines = [new EngineProcess(device, environment), new EngineProcess(device, environment)]
    try {
      for (const name of ['depthwise', 'padded max pool of ties', 'resnet-20']) {
        const [first, second] = await Promise.all(engines.map((engine) => engine.twoSteps(name, 16)))
        expect(first).toEqual(second)
      }
    } finally {
      for (const engine of engines) engine.close()
    }
  })
})

describe('what an engine lacks', () => {
  test('WebGPU says that there is none, and what to do', async () => {
    const nowhere = { VK_ICD_FILENAMES: '/none.json', VK_DRIVER_FILES: '/none.json', LD_LIBRARY_PATH: '' }
    const engine = new EngineProcess('webgpu', nowhere)
    try {
      const error = await engine.twoSteps('3x3', 1).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      // A machine on which it is found all the same has one, or has no WebGPU in its onnxruntime.
      if (error !== undefined) {
        expect((error as AlambicError).code).toMatch(/^device\.(none|no-engine)$/)
        expect((error as AlambicError).fix ?? (error as AlambicError).message).toMatch(/Vulkan|onnxruntime-node/)
      }
    } finally {
      engine.close()
    }
  })

  test.for(['cpu', 'webgpu', 'tfjs'] as const)('%s says when its memory does not suffice', async (device, context) => {
    const environment = device === 'webgpu' ? graphics() : {}
    if (!environment) return context.skip('WebGPU needs a graphics processor here')
    const engine = new EngineProcess(device, environment)
    try {
      await expect(engine.tooLarge()).rejects.toMatchObject({
        code: 'device.out-of-memory',
        fix: expect.stringMatching(/batch/) as string,
      })
    } finally {
      engine.close()
    }
  })
})

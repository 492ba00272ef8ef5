import { describe, expect, test } from 'vitest'
import type { Executor, Tensors } from '../../executors/executor.ts'
import { ortCpu } from '../../executors/ort/executor.ts'
import { referenceExecutor } from '../../executors/reference/index.ts'
import { attributesOf } from '../../graph/attributes.ts'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { gaussian, mulberry32 } from '../../graph/random.ts'
import { arrayOf, distance, sizeOf, type Tensor } from '../../graph/tensor.ts'
import { stepFeeds } from '../../testing/steps.ts'
import { inferTypes } from '../../ops/infer.ts'
import { buildZoo } from '../../zoo/index.ts'
import { optimizer } from '../optimizers.ts'
import { buildStep, METRICS, type StepGraph } from '../step.ts'
import { findPairs } from './pairing.ts'
import { planDistillation, type DistillationPlan } from './plan.ts'
import { featurePoints, stagesOf } from './points.ts'
import { specOf, TermSpec } from './spec.ts'
import { terms, type TermId } from './terms.ts'

/** Fills `= noise` with normal values. */
function withNoise(text: string): Graph {
  const random = mulberry32(5)
  return parse(
    text.replace(/f32\[([\d,]+)\] = noise/g, (_all, dims: string) => {
      const values = Array.from({ length: sizeOf(dims.split(',').map(Number)) }, () =>
        (0.3 * gaussian(random)).toFixed(4),
      )
      return `f32[${dims}] = [${values.join(', ')}]`
    }),
  )
}

/** Two stages of maps, a hidden vector, five classes; `c` is the width. */
const net = (c: number) =>
  withNoise(`graph (x: f32[N,2,8,8]) -> (z: f32[N,5]) opset 17 {
    const w1: f32[${c},2,3,3] = noise  const w2: f32[${c},${c},3,3] = noise
    const w3: f32[${c},${4 * c}] = noise  const w4: f32[5,${c}] = noise
    a = Conv(x, w1) {pads = [1,1,1,1]}  ra = Relu(a)  p = MaxPool(ra) {kernel_shape = [2,2], strides = [2,2]}
    b = Conv(p, w2) {pads = [1,1,1,1]}  rb = Relu(b)  q = MaxPool(rb) {kernel_shape = [2,2], strides = [2,2]}
    f = Flatten(q)  h = Gemm(f, w3) {transB = 1}  rh = Relu(h)  z = Gemm(rh, w4) {transB = 1}
  }`)

const student = net(3)
const teacher = net(6)
const BATCH = 4

const plan = (written: unknown, own = student, other = teacher): DistillationPlan =>
  planDistillation({
    student: own,
    teacher: other,
    terms: [specOf(TermSpec.parse(written))],
    batch: BATCH,
    seed: 1,
  })

describe('feature points', () => {
  test('are where nothing runs beside a value', () => {
    const graph = inferTypes(
      withNoise(`graph (x: f32[N,4,6,6]) -> (z: f32[N,3]) opset 17 {
        const w: f32[4,4,3,3] = noise  const v: f32[3,4] = noise
        a = Conv(x, w) {pads = [1,1,1,1]}  r = Relu(a)
        b = Conv(r, w) {pads = [1,1,1,1]}  c = Add(b, r)  d = Relu(c)
        p = GlobalAveragePool(d)  f = Flatten(p)  z = Gemm(f, v) {transB = 1}
      }`),
    )
    expect(featurePoints(graph).map((p) => p.value)).toEqual(['a', 'r', 'c', 'd', 'p', 'f'])
    expect(stagesOf(featurePoints(graph)).map(({ size, point }) => [size, point.value])).toEqual([
      ['6×6', 'd'],
      ['1×1', 'p'],
      ['vector', 'f'],
    ])
  })

  test('of ResNet-20 are its blocks, of LeNet-5 its layers', () => {
    const stages = (id: 'resnet-20' | 'lenet-5') =>
      stagesOf(featurePoints(inferTypes(buildZoo(id).graph))).map(({ size, point }) => `${point.value} ${size}`)
    expect(stages('resnet-20')).toEqual([
      'layer1.2.relu2 32×32',
      'layer2.2.relu2 16×16',
      'layer3.2.relu2 8×8',
      'avgpool 1×1',
      'flatten vector',
    ])
    expect(stages('lenet-5')).toEqual(['conv1 24×24', 'pool1 12×12', 'conv2 8×8', 'pool2 4×4', 'relu1 vector'])
  })
})

describe('pairing', () => {
  const nets = { student: inferTypes(student), teacher: inferTypes(teacher) }
  const named = (how: Parameters<typeof findPairs>[1]) =>
    findPairs(nets, how).map((p) => `${p.student.value}=${p.teacher.value}`)

  test('takes stages of equal size, the last vector, or what is named', () => {
    expect(named('auto')).toEqual(['ra=ra', 'rb=rb', 'q=q'])
    expect(named('stage')).toEqual(['ra=ra', 'rb=rb', 'q=q', 'rh=rh'])
    expect(named('penultimate')).toEqual(['rh=rh'])
    expect(named([{ student: 'a', teacher: 'rb' }])).toEqual(['a=rb'])
  })

  test('says which names come near a wrong one', () => {
    expect(() => named([{ student: 'ra', teacher: 'rbb' }])).toThrow(
      expect.objectContaining({ code: 'distil.unknown-feature', expected: expect.stringContaining('"rb"') as string }),
    )
  })

  test('shows the stages of both nets where none fit', () => {
    const mlp = inferTypes(
      withNoise('graph (x: f32[N,6]) -> (z: f32[N,5]) { const w: f32[6,5] = noise z = MatMul(x, w) }'),
    )
    expect(() => findPairs({ student: mlp, teacher: nets.teacher }, 'auto')).toThrow(
      expect.objectContaining({ code: 'distil.no-pairs', expected: expect.stringContaining('rb (4×4)') as string }),
    )
  })
})

async function steps(executor: Executor, step: StepGraph, count: number): Promise<Tensors> {
  const program = await executor.compile(step.graph, { state: step.state, threads: 1 })
  try {
    await program.writeState(Object.fromEntries(step.state.map((s) => [s.input, s.initial])))
    let metrics: Tensors = {}
    for (let i = 1; i <= count; i++)
      metrics = await program.run({ ...stepFeeds(step, 5), ...step.hyper(i, 0.01, count) })
    return { ...(await program.readState()), [METRICS]: metrics[METRICS] as Tensor }
  } finally {
    await program.dispose()
  }
}

describe('a step with each term', () => {
  test.each(Object.keys(terms) as TermId[])(
    '%s is the same on onnxruntime and the reference, and learns',
    async (id) => {
      const planned = plan({ term: id, weight: 1 })
      const by = (rule: 'sgd' | 'adam') =>
        buildStep(planned.training, { losses: planned.losses, optimizer: optimizer(rule) })
      const plain = by('sgd')
      const [ours, truth] = [await steps(ortCpu, plain, 2), await steps(referenceExecutor, plain, 2)]
      for (const [name, tensor] of Object.entries(truth))
        expect(distance(ours[name] as Tensor, tensor), name).toBeLessThan(1e-4)
      const step = by('adam')
      const first = arrayOf((await steps(ortCpu, step, 1))[METRICS] as Tensor) as Float32Array
      const later = arrayOf((await steps(ortCpu, step, 40))[METRICS] as Tensor) as Float32Array
      expect(step.metricNames[1]).toBe(id)
      expect(later[1]).toBeLessThan(first[1] as number)
    },
  )

  test('crd embeds both sides and trains both embeddings', () => {
    const planned = plan('crd')
    const step = buildStep(planned.training, { losses: planned.losses, optimizer: optimizer('sgd') })
    const own = step.parameters.slots.filter((slot) => slot.name.startsWith('distil.'))
    expect(own.map(({ name, dims }) => [name, dims])).toEqual([
      ['distil.crd.0.weight', [3, 128]],
      ['distil.crd.0.bias', [128]],
      ['distil.crd.0.teacher.weight', [6, 128]],
      ['distil.crd.0.teacher.bias', [128]],
    ])
  })

  test.each(['hint', 'vid', 'fsp'] as const)('%s trains adapters that no export can see', (id) => {
    const planned = plan(id)
    const step = buildStep(planned.training, { losses: planned.losses, optimizer: optimizer('sgd') })
    const own = step.parameters.slots.map((slot) => slot.name).filter((name) => name.startsWith('distil.'))
    expect(own.length).toBeGreaterThan(0)
    expect([...student.initializers.keys()].some((name) => name.startsWith('distil.'))).toBe(false)
    expect(planned.pairing.some(({ between }) => between.includes('convolution 3 → 6'))).toBe(true)
  })
})

describe('flows', () => {
  const flowsOf = (id: 'lenet-5' | 'lenet-300-100', pairs?: { student: string; teacher: string }[]) => {
    const graph = buildZoo(id).graph
    return plan({ term: 'fsp', ...(pairs ? { pairs } : {}) }, graph, graph)
  }

  test('between layers whose sizes do not divide each other are compared at a size that divides both', () => {
    const { training, losses } = flowsOf('lenet-5')
    const { graph } = buildStep(training, { losses, optimizer: optimizer('sgd') })
    const kernels = graph.nodes
      .filter((n) => n.op === 'AveragePool')
      .map((n) => JSON.stringify(attributesOf(n)['kernel_shape']))
    // 24×24 → 12×12; 12×12 and 8×8 → 4×4.
    expect([...new Set(kernels)].sort()).toEqual(['[2,2]', '[3,3]'])
  })

  test('between layers that share no size are refused with the sizes', () => {
    const odd = withNoise(`graph (x: f32[N,2,7,7]) -> (z: f32[N,5]) opset 17 {
      const w1: f32[3,2,1,1] = noise  const w2: f32[3,3,4,4] = noise  const w3: f32[5,48] = noise
      a = Conv(x, w1)  b = Conv(a, w2)  f = Flatten(b)  z = Gemm(f, w3) {transB = 1}
    }`)
    const planned = plan('fsp', odd, odd)
    expect(() => buildStep(planned.training, { losses: planned.losses, optimizer: optimizer('sgd') })).toThrow(
      expect.objectContaining({ code: 'distil.shape', found: '7×7, 4×4' }),
    )
  })
})

describe('a plan', () => {
  test('asks the teacher for what the terms compare', () => {
    const planned = planDistillation({
      student,
      teacher,
      terms: ['kd', 'at', 'rkd'].map((id) => specOf(TermSpec.parse(id))),
      batch: BATCH,
      seed: 1,
    })
    expect(planned.taps.map((tap) => tap.value)).toEqual(['z', 'ra', 'rb', 'q', 'rh'])
    expect(planned.teacher.outputs.map((v) => v.name)).toEqual(['z', 'ra', 'rb', 'q', 'rh'])
  })

  test('lets weights rise and fall over the run', () => {
    const planned = plan({ term: 'kd', rampUp: 0.5, fadeOut: 0.25 })
    const step = buildStep(planned.training, { losses: planned.losses, optimizer: optimizer('sgd') })
    const factor = (at: number) => (arrayOf(step.hyper(at, 1, 8)['hyper.weight.kd'] as Tensor) as Float32Array)[0]
    expect([1, 2, 4, 6, 7, 8].map(factor)).toEqual([0.25, 0.5, 1, 1, 1, 0.5])
  })

  test('says why two outputs or layers do not fit', () => {
    const other = withNoise(
      'graph (x: f32[N,2,8,8]) -> (z: f32[N,7]) opset 17 { const w: f32[7,128] = noise f = Flatten(x) z = Gemm(f, w) {transB = 1} }',
    )
    expect(() => plan('output-mse', student, other)).toThrow(
      expect.objectContaining({ code: 'distil.shape', found: "the student's [5]" }),
    )
    const wrong = { term: 'hint', pairs: [{ student: 'ra', teacher: 'rh' }] }
    expect(() => plan(wrong)).toThrow(expect.objectContaining({ code: 'distil.shape' }))
  })
})

test.each([
  ['kkd', 'did you mean "kd"'],
  [{ term: 'kd', temperature: -1 }, 'expected number to be >0'],
  [{ term: 'at', temperature: 4 }, 'Unrecognized key'],
  ['kd:heavy', 'expected number, received NaN'],
])('the term %o is refused', (written, message) => {
  expect(TermSpec.safeParse(written).error?.issues[0]?.message).toContain(message)
})

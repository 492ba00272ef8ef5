import { describe, expect, test } from 'vitest'
import { parse } from '../../graph/parse.ts'
import { f32, numbersOf } from '../../graph/tensor.ts'
import type { Graph } from '../../graph/graph.ts'
import { verify } from '../../graph/verify.ts'
import { bindDims } from '../../ops/bind.ts'
import { costOf } from '../../ops/cost.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, randomFeeds, randomTensor, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { crossEntropy } from '../../train/losses.ts'
import { optimizer } from '../../train/optimizers.ts'
import { prepare } from '../../train/prepare.ts'
import { buildStep } from '../../train/step.ts'
import { buildZoo, zoo, type ZooId } from '../../zoo/index.ts'
import { withFreshWeights } from './fresh.ts'
import { isRecipe, makeStudent } from './make.ts'
import { residualBlocks } from './shallow.ts'

const paramsOf = (graph: Graph) => costOf(graph, { N: 1 }).params
const teacherOf = (id: ZooId) => buildZoo(id).graph
const bound = (graph: Graph) => bindDims(graph, { N: 1 })

async function outputs(graph: Graph) {
  const ready = bound(graph)
  return (await runInOnnxruntime(ready, randomFeeds(ready)))['logits']
}

describe('thinner students', () => {
  test.each([
    ['lenet-5', 0.5],
    ['lenet-300-100', 0.25],
    ['lightnn', 0.5],
    ['mobilenet-v1', 0.5],
  ] as const)('%s at %d is the net of the zoo at that width', (id, width) => {
    const made = makeStudent(teacherOf(id), `thin:${width}`, 1)
    expect(paramsOf(made.graph)).toBe(paramsOf(zoo[id].build({ width })))
  })

  test('keep the largest weights of the teacher', () => {
    const graph = parse(`graph (x: f32[N,2]) -> (y: f32[N,1]) opset 17 {
      const a: f32[2,4] = [1,5,2,6, 1,5,2,6]  const b: f32[4,1] = [1,5,2,6]
      h = MatMul(x, a)  r = Relu(h)  y = MatMul(r, b)
    }`)
    const { graph: made } = makeStudent(graph, 'thin:0.5', 1)
    expect(numbersOf(made.initializers.get('b') as never)).toEqual([5, 6])
  })
})

describe('shallower students', () => {
  test('of ResNet-20 lose every second block that changes no shape', () => {
    const graph = inferTypes(teacherOf('resnet-20'))
    expect(residualBlocks(graph).map(({ add }) => add.name)).toEqual(
      ['1.0', '1.1', '1.2', '2.1', '2.2', '3.1', '3.2'].map((at) => `layer${at}.add`),
    )
    const made = makeStudent(graph, 'shallow', 1)
    // Two convolutions of 3×3 and two batch normalizations in each block of 16, 32 and 64 channels.
    const block = (c: number) => 2 * (9 * c * c + 2 * c)
    expect(paramsOf(made.graph)).toBe(paramsOf(graph) - block(16) - block(32) - block(64))
    expect(made.changes).toHaveLength(3)
  })

  test('have nothing to lose in a plain net', () => {
    expect(() => makeStudent(teacherOf('lenet-5'), 'shallow', 1)).toThrow(
      expect.objectContaining({ code: 'student.shallow' }),
    )
  })
})

describe('lighter convolutions', () => {
  const net = parse(
    `graph (x: f32[N,8,6,6]) -> (logits: f32[N,16,3,3]) opset 17 {
    const b: f32[16] = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]
    logits = Conv(x, w, b) {pads = [1,1,1,1], strides = [2,2]}
  }`.replace('const b', `const w: f32[16,8,3,3] = [${Array(1152).fill(0).join(', ')}] const b`),
  )

  test('separable: exact where each channel has one filter', async () => {
    // w[t, c] = point[t, c]·depth[c]
    const [point, depth] = [numbersOf(randomTensor([16, 8], 1)), numbersOf(randomTensor([8, 9], 2))]
    const w = Array.from({ length: 1152 }, (_, i) => {
      const [t, c, k] = [Math.floor(i / 72), Math.floor(i / 9) % 8, i % 9]
      return (point[t * 8 + c] as number) * (depth[c * 9 + k] as number)
    })
    const teacher = net.with({ initializers: new Map([...net.initializers, ['w', f32(w, [16, 8, 3, 3])]]) })
    const made = makeStudent(teacher, 'separable', 1)
    const [before, after] = [await outputs(teacher), await outputs(made.graph)]
    expect(largestDifference(before?.values ?? [], after?.values ?? [])).toBeLessThan(1e-4)
    // Howard et al. 2017, eq. 5: 1/T + 1/k² of the multiply-accumulates.
    const macs = (graph: Graph) => costOf(graph, { N: 1 }).macs as number
    expect(macs(made.graph) / macs(teacher)).toBeCloseTo(1 / 16 + 1 / 9, 12)
  })

  test.each(['fire', 'shuffle', 'separable'] as const)('%s: the same interface', async (unit) => {
    const made = makeStudent(net, unit, 1)
    expect((await outputs(made.graph))?.dims).toEqual([1, 16, 3, 3])
    expect(paramsOf(made.graph)).toBeLessThan(paramsOf(net))
  })

  test('convolutions that see an image stay', () => {
    const made = makeStudent(teacherOf('resnet-20'), 'separable', 1)
    expect(made.kept).toEqual(['conv1: it has only 3 input channels'])
  })
})

describe('a student', () => {
  test.each(['thin:0.5', 'shallow', 'separable', 'fire', 'shuffle', 'thin:0.5+shallow', 'auto'])(
    'made by %s of ResNet-20 is valid, gives as many classes and trains',
    async (recipe) => {
      const { graph } = makeStudent(teacherOf('resnet-20'), recipe, 1)
      verify(graph)
      expect((await outputs(graph))?.dims).toEqual([1, 10])
      const step = buildStep(prepare(graph, { batch: 2 }), { losses: [crossEntropy()], optimizer: optimizer('sgd') })
      expect(step.parameters.size).toBe(paramsOf(graph))
    },
  )

  test('is made by what the words say, or not at all', () => {
    expect(['auto', 'thin:0.3', 'thin+separable', 'lenet-5', 'thin.onnx'].map(isRecipe)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
    for (const recipe of ['thin:2', 'separable:0.5', 'wide']) {
      expect(() => makeStudent(teacherOf('lenet-5'), recipe, 1)).toThrow(
        expect.objectContaining({ code: 'student.unknown' }),
      )
    }
  })
})

test('fresh weights: He’s deviation, normalizations the identity, another stream for every weight', () => {
  const graph = withFreshWeights(teacherOf('resnet-20'), 7)
  const values = (name: string) => numbersOf(graph.initializers.get(name) as never)
  const deviation = (v: number[]) => Math.sqrt(v.reduce((n, x) => n + x * x, 0) / v.length)
  expect(deviation(values('layer3.1.conv2.weight'))).toBeCloseTo(Math.sqrt(2 / (64 * 9)), 3)
  expect(new Set(values('bn1.weight'))).toEqual(new Set([1]))
  expect(values('layer1.0.conv1.weight')).not.toEqual(values('layer1.0.conv2.weight'))
  expect(values('layer1.0.conv1.weight')).not.toEqual(
    numbersOf(withFreshWeights(teacherOf('resnet-20'), 8).initializers.get('layer1.0.conv1.weight') as never),
  )
})

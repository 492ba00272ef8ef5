import { describe, expect, test } from 'vitest'
import type { Executor } from '../executors/executor.ts'
import { referenceExecutor } from '../executors/reference/index.ts'
import { ortCpu } from '../executors/ort/executor.ts'
import { asFloat32, castFloat } from '../graph/float.ts'
import type { Graph } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { gaussian, mulberry32 } from '../graph/random.ts'
import { sizeOf, type Tensor } from '../graph/tensor.ts'
import { numberTensor } from '../passes/scalar.ts'
import { largestDifference, randomTensor } from '../testing/onnxruntime.ts'
import { trainBriefly } from '../testing/train-briefly.ts'
import { inferTypes } from '../ops/infer.ts'
import { verify } from '../graph/verify.ts'
import { trainableParameters } from './layout.ts'
import { trainability, trainingSource } from './source.ts'

/** A graph whose constants of zeros are noise of their own type. */
function noisy(text: string): Graph {
  const graph = parse(text)
  const random = mulberry32(3)
  const noise = ({ dtype, dims, bytes }: Tensor): Tensor => {
    if (bytes.some((byte) => byte !== 0)) return { dtype, dims, bytes }
    if (dtype === 'i4') return { dtype, dims, bytes: bytes.map(() => Math.floor(random() * 256)) }
    const isInteger = dtype === 'i8' || dtype === 'u8'
    const values = Array.from({ length: sizeOf(dims) }, () => gaussian(random) / 2)
    return numberTensor(
      isInteger ? values.map((v) => Math.max(dtype === 'u8' ? 0 : -127, Math.round(60 * v))) : values,
      dims,
      dtype,
    )
  }
  const nodes = graph.nodes.map((node) => {
    const { value } = node.attributes
    return value?.kind === 'tensor'
      ? { ...node, attributes: { ...node.attributes, value: { ...value, value: noise(value.value) } } }
      : node
  })
  return graph.with({ nodes, initializers: new Map([...graph.initializers].map(([name, t]) => [name, noise(t)])) })
}

async function run(graph: Graph, x: Tensor, executor: Executor = referenceExecutor): Promise<number[]> {
  const program = await executor.compile(inferTypes(graph), { threads: 1 })
  try {
    const [input] = graph.requiredInputs
    const dtype = input?.type.kind === 'tensor' ? (input.type.dtype ?? 'f32') : 'f32'
    const results = await program.run({ [input?.name ?? '']: castFloat(x, dtype) })
    return [...asFloat32(results[graph.outputs[0]?.name ?? ''] as Tensor)]
  } finally {
    await program.dispose()
  }
}

const body = 'h = MatMul(x, w) r = Tanh(h) y = MatMul(r, v)'
const half = (dtype: string) =>
  `graph (x: ${dtype}[N,6]) -> (y: ${dtype}[N,3]) opset 18 { const w: ${dtype}[6,8] = 0 const v: ${dtype}[8,3] = 0 ${body} }`
const full = (weights: string) =>
  `graph (x: f32[N,6]) -> (y: f32[N,3]) opset 21 { const v: f32[8,3] = 0 ${weights} ${body} }`

const behind: readonly (readonly [name: string, text: string, trained: string])[] = [
  ['a Constant', full('w = Constant() {value = f32[6,8] 0}'), 'w'],
  ['an Identity', full('const a: f32[6,8] = 0 w = Identity(a)'), 'a'],
  ['a Cast from float16', full('const a: f16[6,8] = 0 w = Cast(a) {to = 1}'), 'a'],
  ['a Transpose', full('const a: f32[8,6] = 0 w = Transpose(a) {perm = [1,0]}'), 'a'],
  [
    'a Constant, Cast and Transpose',
    full('a = Constant() {value = f16[8,6] 0} b = Cast(a) {to = 1} w = Transpose(b)'),
    'a',
  ],
  [
    'a DequantizeLinear of int8, per tensor',
    full('const q: i8[6,8] = 0 const s: f32[] = 0.02 const z: i8[] = 3 w = DequantizeLinear(q, s, z)'),
    'w',
  ],
  [
    'a DequantizeLinear of uint8, per axis',
    full(
      'const q: u8[3,8] = 0 const s: f32[3] = [0.01,0.02,0.03] const z: u8[3] = [3,2,1] const u: f32[6,3] = 0 d = DequantizeLinear(q, s, z) {axis = 0} w = MatMul(u, d)',
    ),
    'd',
  ],
  [
    'a DequantizeLinear of int4, in blocks',
    full('const q: i4[6,8] = 0 const s: f32[2,8] = 0 w = DequantizeLinear(q, s) {axis = 0, block_size = 3}'),
    'w',
  ],
  ...[
    ['of 4 bits', 'const q: u8[8,2,2] = 0 const s: f32[16] = 0', 'q, s', 'bits = 4'],
    ['with zero points', 'const q: u8[8,2,2] = 0 const s: f32[16] = 0 const z: u8[8] = 1', 'q, s, z', 'bits = 4'],
    [
      'of 8 bits with a bias',
      'const q: u8[8,2,4] = 0 const s: f32[16] = 0.01 const b: f32[8] = 0',
      'q, s, _, _, b',
      'bits = 8',
    ],
  ].map(([what, constants, inputs, bits]) => {
    const call = `h = com.microsoft.MatMulNBits(x, ${inputs}) {K = 6, N = 8, block_size = 4, ${bits}}`
    const text = full(`${constants}`).replace('h = MatMul(x, w)', call).replace('opset 21', 'opset 21, com.microsoft 1')
    return [`a MatMulNBits ${what}`, text, 'q.float'] as const
  }),
  [
    'a DequantizeLinear behind a Transpose',
    full(
      'const q: i8[8,6] = 0 const s: f32[] = 0.02 t = Transpose(q) {perm = [1,0]} d = DequantizeLinear(t, s) w = Identity(d)',
    ),
    'd',
  ],
]

const x = randomTensor([2, 6], 5)

describe('weights behind', () => {
  test.each(behind)('%s', async (_, text, name) => {
    const model = noisy(text)
    const before = await run(model, x)
    expect(largestDifference(before, await run(trainingSource(model).graph, x))).toBeLessThan(1e-5)
    const { losses, source, trained } = await trainBriefly(model)
    expect(losses.at(-1)).toBeLessThan(0.98 * (losses[0] as number))
    const own = source.graph.initializers.get(name) as Tensor
    expect(largestDifference([...asFloat32(trained.get(name) as Tensor)], [...asFloat32(own)])).toBeGreaterThan(1e-3)
    const restored = source.restore(trained)
    verify(restored)
    const wanted = await run(
      source.graph.with({ initializers: new Map([...source.graph.initializers, ...trained]) }),
      x,
    )
    // Float16 weights are rounded on their way back.
    expect(largestDifference(wanted, await run(restored, x))).toBeLessThan(2e-3)
    expect(largestDifference(before, await run(restored, x))).toBeGreaterThan(1e-3)
    expect(largestDifference(wanted, await run(restored, x, ortCpu))).toBeLessThan(2e-3)
  })
})

describe('models of other floats', () => {
  test.each(['f16', 'f64'])('%s is trained in float32 and written as it was', async (dtype) => {
    const model = noisy(half(dtype))
    const { losses, source, trained } = await trainBriefly(model)
    expect(losses.at(-1)).toBeLessThan(0.98 * (losses[0] as number))
    expect(source.notes).toEqual([`Trained in float32: ${dtype} became f32; the result is written as the model was.`])
    const restored = source.restore(trained)
    expect([...restored.initializers].map(([name, t]) => [name, t.dtype])).toEqual([
      ['w', dtype],
      ['v', dtype],
    ])
    expect(restored.nodes).toBe(model.nodes)
    const master = await run(source.graph.with({ initializers: trained }), x)
    expect(largestDifference(master, await run(restored, x))).toBeLessThan(dtype === 'f16' ? 5e-3 : 1e-5)
    expect(largestDifference(master, await run(restored, x, ortCpu))).toBeLessThan(dtype === 'f16' ? 5e-3 : 1e-5)
  })

  test('the master weights keep steps that float16 would lose', async () => {
    const model = noisy(half('f16'))
    // At 0.5, float16 has steps of 2⁻¹²: twenty steps of 10⁻⁶ only show in float32.
    const { source, trained } = await trainBriefly(model, { lr: 1e-6 })
    const [own, now] = [source.graph.initializers.get('w'), trained.get('w')].map((t) => asFloat32(t as Tensor))
    const moved = largestDifference([...(own as Float32Array)], [...(now as Float32Array)])
    expect(moved).toBeGreaterThan(1e-5)
    expect(moved).toBeLessThan(3e-5)
  })

  test('casts to float16 and back are gone, casts to integers stay', () => {
    const graph = trainingSource(
      parse(
        'graph (x: f32[2]) -> (z) opset 18 { const w: f16[2] = [1,2] a = Cast(x) {to = 10} b = Mul(a, w) c = Cast(b) {to = 1} d = Cast(c) {to = 7} z = Cast(d) {to = 10} }',
      ),
    ).graph
    expect(graph.nodes.map((node) => node.op)).toEqual(['Identity', 'Mul', 'Identity', 'Cast', 'Cast'])
    expect(inferTypes(graph).type('z')).toEqual({ kind: 'tensor', dtype: 'f32', shape: [2] })
  })

  test('branches too', () => {
    const graph = trainingSource(
      parse(
        'graph (c: bool[], x: f16[2]) -> (y: f16[2]) opset 18 { y = If(c) {then_branch = graph () -> (a) { const w: f16[2] = [1,2] a = Mul(x, w) }, else_branch = graph () -> (b) { b = Neg(x) }} }',
      ),
    ).graph
    verify(graph)
    const [inner] = Object.values(graph.nodes[0]?.attributes ?? {})
    expect(inner?.kind === 'graph' && inner.value.initializers.get('w')?.dtype).toBe('f32')
  })
})

test('an activation quantizer stands in the way, a weight’s does not', () => {
  const text = (x: string) =>
    `graph (x: f32[2,4]) -> (y) opset 18 { const q: i8[4,4] = 1 const s: f32[] = 0.1 const w: f32[4,4] = 1 d = DequantizeLinear(q, s) a = MatMul(x, w) ${x} y = MatMul(b, d) }`
  expect(trainability(parse(text('b = Relu(a)')))).toEqual({ parameters: 2, blocked: [] })
  const { blocked } = trainability(parse(text('r = QuantizeLinear(a, s) b = DequantizeLinear(r, s)')))
  expect(blocked.map(({ op, reason }) => `${op}: ${reason}`)).toEqual([
    'QuantizeLinear: it rounds activations to integers: train the float model that this one was made from',
    'DequantizeLinear: its input is integer, computed from activations',
  ])
})

test('a mask of logits among the constants is not trained, a bias is', () => {
  const graph = parse(`graph (x: f32[1,2,4]) -> (y) opset 18 {
    const m: f32[2,2] = [0, -10000, 0, 0]  const w: f32[4,4] = 1  const b: f32[4] = 1
    h = MatMul(x, w)  k = Add(h, b)  t = Transpose(k) {perm = [0,2,1]}  l = MatMul(k, t)  s = Add(l, m)
    p = Softmax(s)  y = MatMul(p, k)
  }`)
  expect([...trainableParameters(graph).keys()]).toEqual(['w', 'b'])
})

import { describe, expect, test } from 'vitest'
import type { Graph } from '../../graph/graph.ts'
import { parse } from '../../graph/parse.ts'
import { print } from '../../graph/print.ts'
import { schemas, type OpType } from '../../graph/schema.ts'
import { verify } from '../../graph/verify.ts'
import { inferTypes } from '../../ops/infer.ts'
import { largestDifference, randomFeeds, runInOnnxruntime } from '../../testing/onnxruntime.ts'
import { adapters } from './adapters.ts'
import { newestOpset, oldestOpset, upgrade } from './upgrade.ts'

/** One operator change: a graph of the old form, and the opset at which it must compute the same. */
type Change = readonly [what: string, operators: string, to: number, text: string]

const one = (opset: number, shape: string, call: string, constants = '') =>
  `graph (x: f32[${shape}]) -> (y: f32) opset ${opset} { ${constants} y = ${call} }`

const reductions = ['L1', 'L2', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare'].map((kind) => `Reduce${kind}`)
const norm =
  'const s: f32[3] = [1, 2, -1] const b: f32[3] = [0, 1, 2] const m: f32[3] = [0.5, 0, 1] const v: f32[3] = [1, 4, 2]'

const changes: readonly Change[] = [
  [
    'BatchNormalization 9: spatial',
    'BatchNormalization',
    9,
    one(7, '2,3,4', 'BatchNormalization(x, s, b, m, v) {spatial=1}', norm),
  ],
  [
    'BatchNormalization 9: spatial=0',
    'Sub Add Sqrt Div Mul Add',
    9,
    one(
      7,
      '2,3,2',
      'BatchNormalization(x, s, b, m, v) {spatial=0, epsilon=0.1}',
      `const s: f32[3,2] = [1, 2, 3, -1, 0, 2] const b: f32[3,2] = [0, 1, 2, 3, 4, 5]
       const m: f32[3,2] = [0.5, 0, 1, 1, 2, 0] const v: f32[3,2] = [1, 4, 2, 1, 1, 3]`,
    ),
  ],
  [
    'BatchNormalization 14',
    'BatchNormalization',
    14,
    one(9, '2,3,4', 'BatchNormalization(x, s, b, m, v) {epsilon=0.1}', norm),
  ],
  ['Clip 11: both limits', 'Clip', 11, one(7, '20', 'Clip(x) {min=-0.5, max=0.25}')],
  ['Clip 11: only the upper limit', 'Clip', 13, one(7, '20', 'Clip(x) {max=0.25}')],
  ['Clip 11: no limit', 'Clip', 11, one(7, '20', 'Clip(x)')],
  ['DFT 20: the default axis', 'DFT', 20, one(17, '1,8,2', 'DFT(x)')],
  ['DFT 20: axis', 'DFT', 20, one(17, '1,3,8,2', 'DFT(x) {axis=2, inverse=1}')],
  ['Dropout 12', 'Dropout', 13, one(7, '5', 'Dropout(x) {ratio=0.3}')],
  [
    'GridSample 20: linear',
    'GridSample',
    20,
    'graph (x: f32[1,2,4,4], grid: f32[1,3,3,2]) -> (y: f32) opset 16 { y = GridSample(x, grid) }',
  ],
  [
    'GridSample 20: cubic',
    'GridSample',
    20,
    'graph (x: f32[1,2,4,4], grid: f32[1,3,3,2]) -> (y: f32) opset 16 { y = GridSample(x, grid) {mode="bicubic"} }',
  ],
  ['Pad 11: a value', 'Pad', 11, one(7, '2,3', 'Pad(x) {pads=[0, 1, 2, 0], value=7.5}')],
  ['Pad 11: reflection', 'Pad', 18, one(7, '2,5', 'Pad(x) {pads=[0, 2, 0, 1], mode="reflect"}')],
  ...reductions.map((op): Change => [
    `${op} 18: axes`,
    op,
    18,
    one(11, '2,3,4', `${op}(x) {axes=[0, -1], keepdims=0}`),
  ]),
  [
    'ReduceLogSum 18: axes',
    'Abs ReduceLogSum',
    18,
    'graph (x: f32[2,3,4]) -> (y: f32) opset 11 { p = Abs(x)  y = ReduceLogSum(p) {axes=[1]} }',
  ],
  ['ReduceMax 18: all axes', 'ReduceMax', 18, one(11, '2,3,4', 'ReduceMax(x)')],
  ['ReduceSum 13: axes', 'ReduceSum', 13, one(11, '2,3,4', 'ReduceSum(x) {axes=[1]}')],
  [
    'Resize 11: enlarging by nearest',
    'Resize',
    11,
    one(10, '1,2,3,3', 'Resize(x, s)', 'const s: f32[4] = [1, 1, 1.7, 2.5]'),
  ],
  [
    'Resize 11: shrinking by nearest',
    'Resize',
    11,
    one(10, '1,2,7,9', 'Resize(x, s)', 'const s: f32[4] = [1, 1, 0.6, 0.4]'),
  ],
  [
    'Resize 11: linear',
    'Resize',
    11,
    one(10, '1,2,3,5', 'Resize(x, s) {mode="linear"}', 'const s: f32[4] = [1, 1, 2, 0.6]'),
  ],
  [
    'Resize 13 and later: empty inputs',
    'Resize',
    19,
    one(10, '1,2,3,3', 'Resize(x, s)', 'const s: f32[4] = [1, 1, 2, 2]'),
  ],
  [
    'Resize 13: sizes',
    'Resize',
    18,
    one(
      11,
      '1,2,3,3',
      'Resize(x, r, s, n) {mode="linear"}',
      'const r: f32[0] = [] const s: f32[0] = [] const n: i64[4] = [1, 2, 6, 4]',
    ),
  ],
  [
    'RoiAlign 16: half pixels of the output',
    'RoiAlign',
    16,
    one(
      10,
      '1,2,8,8',
      'RoiAlign(x, r, i) {output_height=2, output_width=2, spatial_scale=0.5}',
      'const r: f32[2,4] = [0, 0, 7, 7, 2, 3, 9, 11] const i: i64[2] = [0, 0]',
    ),
  ],
  [
    'Scatter 11',
    'ScatterElements',
    11,
    one(9, '3,2', 'Scatter(x, i, u) {axis=0}', 'const i: i64[1,2] = [2, 0] const u: f32[1,2] = [9, 8]'),
  ],
  ['Slice 10', 'Slice', 10, one(7, '4,5', 'Slice(x) {starts=[1, 0], ends=[3, 4], axes=[0, 1]}')],
  ['Slice 10: without axes', 'Slice', 13, one(7, '4,5', 'Slice(x) {starts=[1, 0], ends=[9223372036854775807, -1]}')],
  [
    'Split 13: sizes',
    'Split',
    13,
    'graph (x: f32[5,2]) -> (y: f32, z: f32) opset 11 { y, z = Split(x) {split=[3, 2]} }',
  ],
  [
    'Split 18: equal parts',
    'Split',
    18,
    'graph (x: f32[4,2]) -> (y: f32, z: f32) opset 11 { y, z = Split(x) {axis=0} }',
  ],
  ['Squeeze 13', 'Squeeze', 13, one(11, '1,3,1', 'Squeeze(x) {axes=[0]}')],
  ['Squeeze 13: all', 'Squeeze', 13, one(11, '1,3,1', 'Squeeze(x)')],
  ['TopK 11', 'TopK', 11, 'graph (x: f32[3,6]) -> (y: f32, i: i64) opset 9 { y, i = TopK(x) {k=2, axis=1} }'],
  ['Unsqueeze 13', 'Unsqueeze', 13, one(11, '3', 'Unsqueeze(x) {axes=[0, 2]}')],
  ['Upsample 9', 'Upsample', 9, one(7, '1,1,2,3', 'Upsample(x) {scales=[1, 1, 2, 3]}')],
  ['Upsample 10: nearest', 'Resize', 13, one(7, '1,1,2,3', 'Upsample(x) {scales=[1, 1, 2, 3]}')],
  [
    'Upsample 10: linear',
    'Resize',
    18,
    one(9, '1,1,3,3', 'Upsample(x, s) {mode="linear"}', 'const s: f32[4] = [1, 1, 2, 3]'),
  ],
]

/** Softmax and its kin, whose axis meant "from here on" until 12. */
const softmaxes: readonly Change[] = ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): Change[] => [
  [`${op} 13: over the last axis`, op, 13, one(11, '2,3', `${op}(x)`)],
  [`${op} 13: over trailing ones`, op, 13, one(11, '2,3,1,1', `${op}(x)`)],
  [`${op} 13: over several axes`, `Shape Flatten ${op} Reshape`, 13, one(11, '2,3,4', `${op}(x)`)],
  [`${op} 13: over everything`, `Shape Flatten ${op} Reshape`, 13, one(11, '2,3,4', `${op}(x) {axis=0}`)],
  [`${op} 13: counted from the end`, op, 13, one(11, '2,3,4', `${op}(x) {axis=-1}`)],
])

const operators = (graph: Graph) => graph.nodes.map((node) => node.op).join(' ')

async function sameResults(before: Graph, after: Graph): Promise<void> {
  const feeds = randomFeeds(before)
  const expected = await runInOnnxruntime(before, feeds)
  const found = await runInOnnxruntime(after, feeds)
  expect(Object.keys(found)).toEqual(Object.keys(expected))
  for (const [name, { dims, values }] of Object.entries(expected)) {
    expect(found[name]?.dims).toEqual(dims)
    expect(largestDifference(values, found[name]?.values ?? [])).toBeLessThan(1e-6)
  }
}

describe('an operator change keeps the results', () => {
  test.each([...changes, ...softmaxes])('%s', async (_, becomes, to, text) => {
    const before = inferTypes(parse(text))
    const after = upgrade(before, to)
    verify(after)
    expect(after.opset).toBe(to)
    expect(operators(after)).toBe(becomes)
    await sameResults(before, after)
  })

  test('Softmax without known ranks goes through a matrix', async () => {
    const before = parse(one(11, '2,3,4', 'Softmax(h) {axis=2}').replace('y = ', 'h = Abs(x) y = '))
    const after = upgrade(before, 13)
    expect(operators(after)).toBe('Abs Shape Flatten Softmax Reshape')
    await sameResults(before, after)
  })

  test('float64 limits and pads stay float64', async () => {
    const clip = inferTypes(parse('graph (x: f64[2,3]) -> (y: f64) opset 7 { y = Clip(x) {min=0, max=1} }'))
    expect([...upgrade(clip, 13).initializers.values()].map((tensor) => tensor.dtype)).toEqual(['f64', 'f64'])
    const pad = inferTypes(parse('graph (x: f64[2,3]) -> (y: f64) opset 7 { y = Pad(x) {pads=[0, 0, 1, 1], value=2} }'))
    await sameResults(pad, upgrade(pad, 18))
  })

  // What the mask holds at inference, opset 12 was the first to say: onnxruntime gives zeros before, ones since.
  test('Dropout 10: the mask was of the type of the data', async () => {
    const before = inferTypes(parse('graph (x: f32[5]) -> (y: f32, z: f32) opset 7 { y, z = Dropout(x) }'))
    const after = upgrade(before, 10)
    expect(operators(after)).toBe('Dropout Cast')
    await sameResults(before, after)
  })

  test('unread training outputs of BatchNormalization go', () => {
    const text = one(9, '2,3', 'BatchNormalization(x, s, b, m, v)', norm).replace('y = ', 'y, a, b2, c, d = ')
    expect(upgrade(parse(text), 14).nodes[0]?.outputs).toEqual(['y'])
  })

  test('read ones are training mode', () => {
    const text = `graph (x: f32[2,3]) -> (y, a, w) opset 9 { ${norm} y, a, w, _, _ = BatchNormalization(x, s, b, m, v) }`
    const [node] = upgrade(parse(text), 15).nodes
    expect(node?.outputs).toEqual(['y', 'a', 'w'])
    expect(node?.attributes['training_mode']).toEqual({ kind: 'int', value: 1 })
  })

  test('GroupNormalization 21: scales of groups become those of channels', async () => {
    const affine = 'const s: f32[2] = [2, -1] const b: f32[2] = [0.5, 3]'
    const after = upgrade(inferTypes(parse(one(18, '2,4,3', 'GroupNormalization(x, s, b) {num_groups=2}', affine))), 21)
    verify(after)
    const wide = 'const s: f32[4] = [2, 2, -1, -1] const b: f32[4] = [0.5, 0.5, 3, 3]'
    await sameResults(parse(one(21, '2,4,3', 'GroupNormalization(x, s, b) {num_groups=2}', wide)), after)
  })

  test('subgraphs are upgraded with the graph around them', async () => {
    const before = inferTypes(
      parse(`graph (x: f32[2,3]) -> (y: f32) opset 10 {
        total = ReduceSum(x) {keepdims=0}
        const zero: f32[] = 0
        positive = Greater(total, zero)
        y = If(positive) {
          then_branch = graph () -> (a: f32) { u = Unsqueeze(x) {axes=[0]}  a = Squeeze(u) {axes=[0]} },
          else_branch = graph () -> (c: f32) { c = Clip(x) {min=0} }
        }
      }`),
    )
    const after = upgrade(before, 17)
    verify(after)
    await sameResults(before, after)
  })
})

describe('the upgraded graph', () => {
  test('reads like the new opset', () => {
    const graph = parse(
      'graph (x: f32[N,8]) -> (y: f32) opset 7 { h = Clip(x) {min=0, max=6}  y = Slice(h) {axes=[1], ends=[4], starts=[0]} }',
    )
    expect(print(upgrade(graph, 17))).toMatchInlineSnapshot(`
      "graph main (x: f32[N,8]) -> (y: f32) opset 17 {
        const y.starts: i64[1] = [0]
        const y.ends: i64[1] = [4]
        const y.axes: i64[1] = [1]
        const h.min: f32[] = 0
        const h.max: f32[] = 6
        h = Clip(x, h.min, h.max)
        y = Slice(h, y.starts, y.ends, y.axes)
      }"
    `)
  })

  test('keeps value and weight names', () => {
    const graph = parse(
      'graph (x: f32[1,3]) -> (y) opset 7 { const w: f32[3,2] = 1  h = MatMul(x, w)  y = Softmax(h) }',
    )
    const after = upgrade(graph, 18)
    expect(after.outputs.map((v) => v.name)).toEqual(['y'])
    expect(after.initializers.get('w')).toBe(graph.initializers.get('w'))
  })

  test('is the graph itself when it is new enough', () => {
    const graph = parse('graph (x: f32[1]) -> (y) opset 18 { y = Relu(x) }')
    expect(upgrade(graph, 17)).toBe(graph)
    expect(upgrade(graph, 18)).toBe(graph)
  })

  test('shares no new name with a subgraph', () => {
    const graph = parse(`graph (c: bool[], x: f32[3]) -> (y, z) opset 7 {
      y = Clip(x) {min=0}
      z = If(c) {then_branch = graph () -> (a) { "y.min" = Abs(x)  a = Neg("y.min") }, else_branch = graph () -> (b) { b = Neg(x) }}
    }`)
    verify(upgrade(graph, 17))
  })
})

describe('what can not be upgraded is said', () => {
  test.each([
    ['upgrade.version', 'graph (x: f32[1]) -> (y) opset 6 { y = Relu(x) }', 17],
    ['upgrade.version', 'graph (x: f32[1]) -> (y) opset 17 { y = Relu(x) }', newestOpset + 1],
    ['upgrade.node', one(10, '1,1,4,4', 'Resize(x, s)', 'const s: f32[4] = [1, 1, 2, 0.5]'), 11],
    [
      'upgrade.node',
      'graph (x) -> (y) opset 18 { const s: f32[2] = 1 y = GroupNormalization(x, s, s) {num_groups=2} }',
      21,
    ],
    [
      'upgrade.node',
      `graph (x: f32[2,3]) -> (y, d) opset 9 { ${norm} y, _, _, d = BatchNormalization(x, s, b, m, v) }`,
      14,
    ],
  ])('%s: %s', (code, text, to) => {
    expect(() => upgrade(parse(text), to)).toThrow(expect.objectContaining({ code }))
  })

  test('a Scan of opset 8 names its node', () => {
    const graph = parse(
      'graph (x: f32[1,2,3]) -> (y) opset 8 { y = Scan(_, x) {num_scan_inputs=1, body = graph (a) -> (b) { b = Neg(a) }} "loop" }',
    )
    expect(() => upgrade(graph, 9)).toThrow('node "loop" (Scan)')
  })
})

describe('the table of adapters', () => {
  test('has only versions at which the operator changed', () => {
    for (const [op, versions] of Object.entries(adapters)) {
      const { since } = schemas[op as OpType]
      // Split without sizes and the deprecated operators change with the opset that replaces them.
      const known = [...since, ...(op === 'Scatter' ? [11] : []), ...(op === 'Upsample' ? [10] : [])]
      for (const version of Object.keys(versions)) expect(known, op).toContain(Number(version))
    }
  })

  test('has nothing that is not tested above', () => {
    // These have tests of their own: masks, training outputs, channels that must be known, and what is refused.
    const alone = ['BatchNormalization 14', 'Dropout 10', 'GroupNormalization 21', 'Scan 9']
    const untested = Object.entries(adapters).flatMap(([op, versions]) =>
      Object.keys(versions)
        .map(Number)
        .filter((version) => !alone.includes(`${op} ${version}`))
        .filter(
          (version) =>
            ![...changes, ...softmaxes].some(([, , to, text]) => {
              return parse(text).opset < version && to >= version && text.includes(`${op}(`)
            }),
        )
        .map((version) => `${op} ${version}`),
    )
    expect(untested).toEqual([])
  })

  // Attributes that operators lost, with the version that took them (change logs of onnx 1.23).
  const gone: Readonly<Record<string, readonly string[]>> = {
    BatchNormalization: ['spatial'],
    Clip: ['min', 'max'],
    DFT: ['axis'],
    Dropout: ['ratio'],
    Pad: ['pads', 'value'],
    Slice: ['starts', 'ends', 'axes'],
    Split: ['split'],
    Squeeze: ['axes'],
    TopK: ['k'],
    Unsqueeze: ['axes'],
    ...Object.fromEntries([...reductions, 'ReduceLogSum', 'ReduceSum'].map((op) => [op, ['axes']])),
  }

  test.each([...changes, ...softmaxes])('%s, all the way to the newest opset', async (_, _becomes, _to, text) => {
    const before = inferTypes(parse(text))
    const after = upgrade(before, newestOpset)
    verify(after)
    for (const node of after.nodes) {
      for (const attribute of gone[node.op] ?? []) expect(node.attributes).not.toHaveProperty(attribute)
    }
    // onnxruntime 1.30 has no RoiAlign of opset 22, which only takes more element types.
    const runnable = after.nodes.some((node) => node.op === 'RoiAlign') ? upgrade(before, 21) : after
    await sameResults(before, runnable)
  })

  const gates = (n: number) => `const w: f32[1,${4 * n},3] = 0.1 const r: f32[1,${4 * n},4] = 0.2`
  test.each([
    one(7, '2,3', 'Gemm(x, w, c)', 'const w: f32[3,4] = 0.5 const c: f32[4] = 1'),
    one(7, '2,3', 'MatMul(x, w)', 'const w: f32[3,4] = 0.5'),
    one(7, '2,3', 'Pow(a, e)', 'const e: f32[] = 1.5 a = Abs(x)'),
    one(7, '2,3', 'Cast(g) {to=1}', 'const e: f32[3] = 0 g = Greater(x, e)'),
    one(7, '2,3', 'Cast(q) {to=1}', 'i = Cast(x) {to=6} const e: i32[3] = 0 q = Equal(i, e)'),
    one(7, '2,3', 'PRelu(x, s)', 'const s: f32[3] = 0.3'),
    one(7, '1,2,5,5', 'MaxPool(x) {kernel_shape=[2, 2], pads=[0, 1, 0, 1], strides=[2, 2]}'),
    one(7, '1,2,5,5', 'AveragePool(x) {kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1}'),
    one(7, '1,2,5,5', 'LpPool(x) {kernel_shape=[2, 2], p=2}'),
    one(7, '1,2,5,5', 'LRN(x) {size=3}'),
    one(7, '2,3,4', 'Flatten(x) {axis=2}'),
    one(7, '2,3', 'Concat(x, x) {axis=1}'),
    one(7, '2,3', 'Cast(i) {to=1}', 'i = ArgMax(x) {axis=1}'),
    one(7, '2,3,4', 'InstanceNormalization(x, s, s)', 'const s: f32[3] = 0.5'),
    one(7, '2,3', 'Tile(x, r)', 'const r: i64[2] = [2, 1]'),
    one(7, '2,3', 'Gather(x, i)', 'const i: i64[2] = [1, 0]'),
    one(7, '2,3', 'Reshape(x, s)', 'const s: i64[2] = [-1, 2]'),
    one(7, '1,4,2,2', 'DepthToSpace(x) {blocksize=2}'),
    one(7, '1,3,4,4', 'Conv(x, w)', 'const w: f32[2,3,3,3] = 0.5'),
    one(7, '1,3,4,4', 'ConvTranspose(x, w) {strides=[2, 2]}', 'const w: f32[3,2,3,3] = 0.5'),
    one(7, '2,3', 'Max(x, c)', 'const c: f32[2,3] = 0.5'),
    one(9, '2,3', 'Where(g, x, e)', 'const e: f32[3] = 0 g = Greater(x, e)'),
    one(9, '2,3', 'MeanVarianceNormalization(x) {axes=[1]}'),
    one(10, '2,3', 'DequantizeLinear(q, s, z)', 'const s: f32[] = 0.1 const z: u8[] = 7 q = QuantizeLinear(x, s, z)'),
    one(11, '2,3', 'CumSum(x, a)', 'const a: i64[] = 1'),
    `graph (x: f32[5,2,3]) -> (y: f32, h: f32) opset 7 { ${gates(4)} y, h = LSTM(x, w, r) {hidden_size=4} }`,
    `graph (x: f32[5,2,3]) -> (y: f32, h: f32) opset 7 { ${gates(3)} y, h = GRU(x, w, r) {hidden_size=4} }`,
    'graph (x: f32[5,2,3]) -> (y: f32) opset 7 { const w: f32[1,4,3] = 0.1 const r: f32[1,4,4] = 0.2 y = RNN(x, w, r) {hidden_size=4} }',
  ])('needs nothing for what went on as it was: %s', async (text) => {
    const before = inferTypes(parse(text))
    const after = upgrade(before, newestOpset)
    expect(operators(after)).toBe(operators(before))
    await sameResults(before, after)
  })

  test(`knows opsets ${oldestOpset} to ${newestOpset}`, () => {
    const graph = parse('graph (x: f32[2]) -> (y) opset 7 { y = Relu(x) }')
    for (let opset = oldestOpset; opset <= newestOpset; opset++) expect(upgrade(graph, opset).opset).toBe(opset)
  })
})

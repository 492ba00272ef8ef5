import { describe, expect, test } from 'vitest'
import type { Node } from '../graph/graph.ts'
import { parse } from '../graph/parse.ts'
import { print } from '../graph/print.ts'
import { tensorType } from '../graph/types.ts'
import { problemsOf } from '../graph/verify.ts'
import { inferTypes, typeProblems, whyUnknown } from './infer.ts'

const typed = (text: string) => print(inferTypes(parse(text)), { types: true })
const strict = (text: string) => () => inferTypes(parse(text), { strict: true })

describe('contradictions', () => {
  test.each([
    [
      'graph (x: f32[N,6,8,8], w: f32[16,2,3,3]) -> (y) { y = Conv(x, w) {group=3} "conv3" }',
      'node "conv3" (Conv): group=3 does not divide 16 output channels',
    ],
    [
      'graph (x: f32[N,6,8,8], w: f32[16,3,3,3]) -> (y) { y = Conv(x, w) }',
      'node "y" (Conv): its weight is made for 3 input channels (group=1), its input has 6',
    ],
    ['graph (x: f32[N,4], w: f32[5,2]) -> (y) { y = MatMul(x, w) }', 'node "y" (MatMul): its inner sizes differ'],
    [
      'graph (x: f32[2,4], w: f32[3,4]) -> (y) { y = Add(x, w) }',
      'node "y" (Add): its inputs cannot be broadcast together',
    ],
    [
      'graph (x: f32[2,4], w: f32[3,5]) -> (y) { y = Concat(x, w) {axis=0} }',
      'node "y" (Concat): input 1 differs from the others in more than the axis of concatenation',
    ],
    [
      'graph (x: f32[2,4]) -> (y) { const s: i64[2] = [3, 3]  y = Reshape(x, s) }',
      'node "y" (Reshape): its input has 8 elements, which do not fit the shape [3, 3]',
    ],
    [
      'graph (x: f32[2,4]) -> (y) { const s: i64[2] = [3, -1]  y = Reshape(x, s) }',
      'node "y" (Reshape): its input has 8 elements, which do not fit the shape [3, -1]',
    ],
    [
      'graph (x: f32[2,4]) -> (y) { y = Gather(x, x) {axis=5} }',
      'node "y" (Gather): axis 5 does not exist in a tensor of rank 2',
    ],
    [
      'graph (x: f32[1,3,2,2]) -> (y) { y = MaxPool(x) {kernel_shape=[5,5]} }',
      'node "y" (MaxPool): its window is larger than the padded input along spatial axis 0',
    ],
    [
      'graph (x: f32[2,4]) -> (y) { y = Transpose(x) {perm=[0,0]} }',
      'node "y" (Transpose): perm does not permute the axes of its input',
    ],
    [
      'graph (x: f32[2,4], b: f32[3,7]) -> (y) { y = Einsum(x, b) {equation="ij,jk->ik"} }',
      'node "y" (Einsum): axis "j" has two sizes',
    ],
  ])('%s', (text, message) => {
    expect(strict(text)).toThrow(expect.objectContaining({ code: 'ops.contradiction', message }))
    // Without `strict` the same graph is typed as far as it goes.
    expect(inferTypes(parse(text)).type('y')?.kind ?? 'unknown').toBe('unknown')
    expect(typeProblems(parse(text)).map((p) => p.message)).toContain(message)
  })

  test('say what was expected and found', () => {
    expect(strict('graph (x: f32[N,4], w: f32[5,2]) -> (y) { y = Gemm(x, w) }')).toThrow(
      expect.objectContaining({ subject: 'y', expected: '4 in both', found: '[N, 4] and [5, 2]' }),
    )
  })

  test('declared types that are wrong are problems of the verifier; names are not', () => {
    const graph = parse(`graph (x: f32[N,4]) -> (y: f32[M,4]) {
      h: f32[N,5] = Relu(x)
      k: i64[N,4] = Neg(x)
      y = Add(x, k)
    }`)
    expect(problemsOf(graph, { types: typeProblems }).map((p) => [p.node, p.expected, p.found])).toEqual([
      ['h', 'f32[N,4]', 'f32[N,5]'],
      ['k', 'f32[N,4]', 'i64[N,4]'],
    ])
  })

  test('attributes of a wrong kind are as good as absent', () => {
    const graph = parse('graph (x: f32[2,4]) -> (y) { y = Transpose(x) }')
    const [node] = graph.nodes
    const odd = { ...(node as Node), attributes: { perm: { kind: 'string' as const, value: 'ab' } } }
    expect(inferTypes(graph.with({ nodes: [odd] })).outputs[0]?.type).toEqual(tensorType('f32', [4, 2]))
  })
})

describe('declared types', () => {
  test('fill what no rule knows, and stay where inputs and outputs declare them', () => {
    expect(
      typed(`graph (x: f32[N,4]) -> (y: f32[M,?]) opset 17, vendor 1 {
        h: f32[N,8] = vendor.Magic(x)
        y = Relu(h)
      }`),
    ).toMatchInlineSnapshot(`
      "graph main (x: f32[N,4]) -> (y: f32[M,8]) opset 17, vendor 1 {
        h: f32[N,8] = vendor.Magic(x)
        y = Relu(h)
      }"
    `)
  })

  test('an operator without a rule is named with its reason', () => {
    const graph = parse('graph (x: f32[4]) -> (s) opset 17, vendor 1 { s = SequenceConstruct(x)  m = vendor.Magic(x) }')
    expect(graph.nodes.map(whyUnknown)).toEqual([
      'it works on a list of tensors; Alambic knows the types of single tensors only',
      'operator vendor::Magic is unknown here',
    ])
  })
})

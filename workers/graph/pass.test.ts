import { describe, expect, test } from 'vitest'
import { graphHash } from './hash.ts'
import { parse } from './parse.ts'
import { runPass, type Pass } from './pass.ts'
import { print } from './print.ts'
import { Rewriter } from './rewrite.ts'
import type { Problem } from './verify.ts'

const dropDropout: Pass<{ modified: boolean; removed: number }> = {
  name: 'drop-dropout',
  run: (graph) => {
    const found = graph.nodes.filter((node) => node.op === 'Dropout')
    const r = new Rewriter(graph)
    found.forEach((node) => r.bypass(node))
    return {
      graph: found.length > 0 ? r.apply() : graph,
      report: { modified: found.length > 0, removed: found.length },
    }
  },
}

const before = parse('graph (x) -> (y) { h = Dropout(x)  y = Relu(h) }')
const after = parse('graph (x) -> (y) { y = Relu(x) }')
const problem: Problem = { code: 'test.no', node: 'h', message: 'node "h" is in the way', fix: 'Remove it.' }

describe('runPass', () => {
  test('gives the new graph and the report', () => {
    const { graph, report } = runPass(dropDropout, before)
    expect(print(graph)).toBe(print(after))
    expect(report).toEqual({ modified: true, removed: 1 })
    expect(runPass(dropDropout, graph)).toEqual({ graph, report: { modified: false, removed: 0 } })
  })

  test('checks what the pass requires and ensures', () => {
    const picky = { ...dropDropout, requires: () => [problem] }
    expect(() => runPass(picky, before)).toThrow('pass "drop-dropout" cannot run: node "h" is in the way')
    const boastful = { ...dropDropout, ensures: () => [problem] }
    expect(() => runPass(boastful, before)).toThrow('pass "drop-dropout" broke its promise: node "h" is in the way')
  })

  test('verifies the result', () => {
    const broken: Pass = {
      name: 'broken',
      run: (graph) => ({ graph: graph.with({ nodes: [] }), report: { modified: true } }),
    }
    expect(() => runPass(broken, before)).toThrow('output "y" of graph "main" is computed by nothing')
    const types = () => [problem]
    expect(() => runPass(dropDropout, before, { types })).toThrow('node "h" is in the way')
  })

  test('does not take "nothing modified" with another graph', () => {
    const silent: Pass = { name: 'silent', run: () => ({ graph: after, report: { modified: false } }) }
    expect(() => runPass(silent, before)).toThrow('pass "silent" reports no change but returned another graph')
  })
})

describe('graphHash', () => {
  const text = 'graph (x) -> (y) { const a: f32[2] = [1, 2]  const b: f32[] = 3  h = Add(x, a)  y = Mul(h, b) }'
  const hash = graphHash(parse(text))

  test('is the same for the same computation', () => {
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    const other = parse(
      text.replace('const a: f32[2] = [1, 2]  const b: f32[] = 3', 'const b: f32[] = 3 const a: f32[2] = [1, 2]'),
    )
    expect(graphHash(other)).toBe(hash)
    expect(graphHash(parse(text.replace('h =', 'h: f32[2] =')).with({ doc: 'words' }))).toBe(hash)
  })

  test.each([
    ['h = Add(x, a)', 'h = Sub(x, a)'],
    ['[1, 2]', '[1, 2.0000002]'],
    ['(y)', '(y: f32[2])'],
    ['h = Add(x, a)', 'h = Add(x, a) "name"'],
    ['graph (x) -> (y)', 'graph (x) -> (y) opset 18'],
  ])('changes with %s to %s', (from, to) => {
    expect(graphHash(parse(text.replace(from, to)))).not.toBe(hash)
  })
})

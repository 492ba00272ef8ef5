import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyAttributeGraph, anyGraph, anyTensor } from '../testing/arbitrary-graph.ts'
import { randomGraphs } from '../testing/random-graph.ts'
import { Graph } from './graph.ts'
import { graphHash, weightsOf } from './hash.ts'
import { parse } from './parse.ts'
import { print } from './print.ts'

const everything = { weights: 'all', types: true, doc: true } as const

describe('parse(print(graph))', () => {
  test('gives back any graph: all dtypes, kinds of attributes and names', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        expect(parse(print(graph, everything))).toEqual(graph)
      }),
      { numRuns: 400 },
    )
  })

  test('gives back every kind of attribute', () => {
    fc.assert(
      fc.property(anyAttributeGraph, (graph) => {
        expect(parse(print(graph, everything))).toEqual(graph)
      }),
      { numRuns: 400 },
    )
  })

  test('gives back the bytes of any tensor', () => {
    fc.assert(
      fc.property(anyTensor, (tensor) => {
        const graph = new Graph({ initializers: new Map([['w', tensor]]) })
        expect(parse(print(graph, everything)).initializers.get('w')).toEqual(tensor)
      }),
      { numRuns: 1000 },
    )
  })

  test('gives back a graph whose weights are given by hash, with the weights beside it', () => {
    fc.assert(
      fc.property(anyGraph, (graph) => {
        const options = { ...everything, weights: 'small' } as const
        expect(parse(print(graph, options), { weights: weightsOf(graph) })).toEqual(graph)
      }),
      { numRuns: 100 },
    )
  })

  test('is a fixed point: the text of what was read is the text', () => {
    fc.assert(
      fc.property(randomGraphs(), (graph) => {
        const text = print(graph, { weights: 'all', types: true })
        const again = parse(text)
        expect(print(again, { weights: 'all', types: true })).toBe(text)
        expect(graphHash(again)).toBe(graphHash(graph))
      }),
      { numRuns: 50 },
    )
  })
})

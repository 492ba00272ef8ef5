import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Graph } from '../graph/graph.ts'
import { inferTypes } from '../ops/infer.ts'
import { tensorType } from '../graph/types.ts'
import { print } from '../graph/print.ts'
import { upgrade } from '../passes/index.ts'
import { gradientError } from '../testing/gradient-check.ts'
import { randomGraphs } from '../testing/random-graph.ts'

/** A graph whose float constants come from outside, so that they are differentiated too. */
function withWeightsAsInputs(graph: Graph): Graph {
  const weights = [...graph.initializers].filter(([, tensor]) => tensor.dtype === 'f32' && tensor.dims.length > 0)
  const names = new Set(weights.map(([name]) => name))
  return graph.with({
    inputs: [...graph.inputs, ...weights.map(([name, { dims }]) => ({ name, type: tensorType('f32', dims) }))],
    initializers: new Map([...graph.initializers].filter(([name]) => !names.has(name))),
  })
}

/** `ALAMBIC_LONG=1` takes ten times as many, from other seeds. */
const [runs, seed] = process.env['ALAMBIC_LONG'] ? [5000, 2] : [500, 1]

test(`the gradients of ${runs} random graphs agree with finite differences`, () => {
  fc.assert(
    fc.property(randomGraphs(), (graph) => {
      const open = upgrade(inferTypes(withWeightsAsInputs(graph)), 18)
      expect(gradientError(open, { map: (v) => v / 2 }), print(open)).toBeLessThan(1e-4)
    }),
    { numRuns: runs, seed },
  )
})

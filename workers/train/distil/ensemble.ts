import { AlambicError } from '../../protocol/errors.ts'
import { merge } from '../../graph/merge.ts'
import type { Graph } from '../../graph/graph.ts'
import { asTensor } from '../../graph/types.ts'
import { Emitter, EMIT_OPSET } from '../../ops/emit.ts'
import { inferTypes } from '../../ops/infer.ts'
import { simplify, upgrade } from '../../passes/index.ts'

/**
 * One teacher of several: the mean of their logits, that is the geometric mean of what they say (Hinton et al. 2015,
 * arXiv:1503.02531, §2 and §5). All must have one input and put out the same classes; none may end in Softmax.
 *
 * @throws AlambicError `distil.ensemble` where they differ
 */
export function averaged(teachers: readonly Graph[]): Graph {
  const [first, ...others] = teachers
  if (!first) throw new AlambicError('distil.ensemble', 'there is no teacher')
  if (others.length === 0) return first
  for (const [i, other] of others.entries()) checkAlike(first, other, i + 2)
  const opset = Math.max(EMIT_OPSET, ...teachers.map((graph) => graph.opset))
  const ready = (graph: Graph) => onlyLogits(upgrade(simplify(graph), opset))
  const input = first.requiredInputs[0]?.name ?? ''
  const joined = others.reduce(
    (graph, other, i) =>
      merge(graph, ready(other), {
        prefix: `teacher${i + 2}.`,
        bind: { [other.requiredInputs[0]?.name ?? '']: input },
      }),
    ready(first),
  )
  const g = new Emitter(inferTypes(joined))
  const logits = g.outputs.map((v) => v.name)
  const mean = g.div(
    logits.reduce((sum, z) => g.add(sum, z)),
    logits.length,
  )
  g.outputs.length = 0
  g.output(mean)
  return g.build()
}

const onlyLogits = (graph: Graph): Graph => graph.with({ outputs: graph.outputs.slice(0, 1) })

function checkAlike(first: Graph, other: Graph, position: number): void {
  const shapes = (graph: Graph) =>
    [graph.requiredInputs[0], graph.outputs[0]].map((v) => asTensor(v?.type)?.shape?.slice(1).join('×') ?? '?')
  const [input, classes] = shapes(first)
  const [otherInput, otherClasses] = shapes(other)
  if (input === otherInput && classes === otherClasses) return
  throw new AlambicError('distil.ensemble', `teacher ${position} does not go with the first`, {
    expected: `input ${input}, ${classes} classes`,
    found: `input ${otherInput}, ${otherClasses} classes`,
    fix: 'Average only teachers of the same input and classes.',
  })
}

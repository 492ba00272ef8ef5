import { AlambicError } from '../../protocol/errors.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, type Dim } from '../../graph/types.ts'
import { setBatch } from '../../ops/batch.ts'
import { bindDims } from '../../ops/bind.ts'
import { isWritable, numberTensor } from '../scalar.ts'
import { simplify } from './simplify.ts'

export interface Specialization {
  /** Inputs that get one number for good, in every element: `{ sr: 16000, state: 0 }`. */
  readonly inputs?: Readonly<Record<string, number>>
  /** Symbolic sizes that become numbers: `{ batch: 1 }`. */
  readonly dims?: Readonly<Record<string, number>>
  /** Axis 0 of the data, fixed until now: a number, or a name for any. */
  readonly batch?: Dim | undefined
}

/**
 * The model for one way of using it: inputs that never change are constants, sizes are numbers, and what they decide
 * (an If, shape arithmetic) is decided. What reads no weight of a branch that is never taken loses it.
 *
 * @throws AlambicError `graph.no-input`, `graph.open-input`, `ops.unknown-dimension`, `ops.fixed-batch`
 */
export function specialize(graph: Graph, { inputs = {}, dims = {}, batch }: Specialization): Graph {
  const batched = batch === undefined ? graph : setBatch(graph, batch)
  const bound = Object.keys(dims).length > 0 ? bindDims(batched, dims) : batched
  const fixed = new Map(Object.entries(inputs).map(([name, value]) => [name, constantFor(bound, name, value)]))
  return simplify(
    bound.with({
      inputs: bound.inputs.filter((v) => !fixed.has(v.name)),
      initializers: new Map([...bound.initializers, ...fixed]),
    }),
  )
}

function constantFor(graph: Graph, name: string, number: number): Tensor {
  const input = graph.inputs.find((v) => v.name === name)
  if (!input) {
    throw new AlambicError('graph.no-input', `the model has no input "${name}"`, {
      subject: name,
      expected: `one of: ${graph.inputs.map((v) => v.name).join(', ')}`,
      found: name,
    })
  }
  return filled(input, number)
}

function filled({ name, type }: Value, value: number): Tensor {
  const { dtype, shape } = asTensor(type) ?? {}
  const dims = shape?.filter((dim) => typeof dim === 'number')
  if (!shape || dims?.length !== shape.length) {
    throw new AlambicError('graph.open-input', `the input "${name}" has no fixed shape: no constant can stand for it`, {
      subject: name,
      expected: 'numbers as sizes',
      found: shape ? `[${shape.join(', ')}]` : 'an unknown rank',
      fix: 'Fix its sizes too.',
    })
  }
  const values = Array<number>(sizeOf(dims)).fill(value)
  if (dtype === 'bool') return { dtype, dims, bytes: Uint8Array.from(values, (v) => (v === 0 ? 0 : 1)) }
  if (dtype && isWritable(dtype)) return numberTensor(values, dims, dtype)
  throw new AlambicError('graph.open-input', `the input "${name}" takes no numbers`, {
    subject: name,
    expected: 'an input of numbers',
    found: dtype ?? 'an unknown element type',
  })
}

import { AlambicError } from '../../protocol/errors.ts'
import { nodeLabel, type Node } from '../../graph/graph.ts'

/** What TensorFlow and JavaScript say when memory does not suffice. */
const MEMORY =
  /OOM when allocating|out of memory|bad_alloc|Array buffer allocation failed|Invalid typed array length|Invalid array length/i

/** What ended a node, as an error that names it. */
export function asTfError(thrown: unknown, node: Node, runtime: string): AlambicError {
  if (thrown instanceof AlambicError) return thrown
  const found = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n')[0] ?? ''
  if (MEMORY.test(found)) {
    return new AlambicError('device.out-of-memory', 'there is not enough memory for this computation', {
      subject: node.name,
      found: `${nodeLabel(node)}: ${found}`,
      fix: 'Use a smaller --batch, or a device with more memory.',
      cause: thrown,
    })
  }
  return new AlambicError('tf.failed', `${nodeLabel(node)}: ${runtime} failed`, {
    subject: node.name,
    found,
    cause: thrown,
  })
}

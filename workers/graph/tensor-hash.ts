import { createHash } from 'node:crypto'
import type { Tensor } from './tensor.ts'

/** Tensors are never written to, so a hash is computed once. */
const known = new WeakMap<Tensor, string>()

/** SHA-256 (hex) of a tensor's bytes, of the JSON array of its strings for a tensor of strings; dims do not count. */
export function tensorHash(tensor: Tensor): string {
  let hash = known.get(tensor)
  if (hash === undefined) {
    const content = tensor.strings ? JSON.stringify(tensor.strings) : tensor.bytes
    hash = createHash('sha256').update(content).digest('hex')
    known.set(tensor, hash)
  }
  return hash
}

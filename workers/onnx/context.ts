import { AlambicError } from '../protocol/errors.ts'
import type { Limits } from './limits.ts'

/** Something about a model that a person should know but that does not stop anything. */
export interface Finding {
  /** Stable and dotted, as the codes of errors: `onnx.nan-weights`. */
  readonly code: string
  readonly message: string
  /** The node, tensor or value it is about. */
  readonly subject?: string
}

/** Where the weights of a tensor lie outside the model's file. */
export interface ExternalReference {
  readonly location: string
  readonly offset: number
  /** Bytes that the file declares; undefined when it does not say. */
  readonly length: number | undefined
}

/** Gives the bytes of external weights: exactly `size` of them, or throws an AlambicError. */
export type ReadExternal = (reference: ExternalReference, size: number) => Uint8Array

/** What one decoding carries along: its limits, what it used up of them, and what it found. */
export class Context {
  readonly limits: Limits
  readonly readExternal: ReadExternal | undefined
  readonly findings: Finding[] = []
  /** Bytes of sparse initializers that were made dense. */
  sparseBytes = 0
  /** Operator sets of the model or function that is being read; its subgraphs have the same. */
  opsets: ReadonlyMap<string, number> = new Map()
  #depth = 0
  #items = 0
  #nodes = 0

  constructor(limits: Limits, readExternal?: ReadExternal) {
    this.limits = limits
    this.readExternal = readExternal
  }

  /** Counts decoded list entries, so that tiny fields can't become an unbounded number of objects. */
  spend(items: number): void {
    this.#items += items
    if (this.#items > this.limits.items) throw beyond('items', 'list entries in all', this.limits.items)
  }

  spendNode(): void {
    if (++this.#nodes > this.limits.nodes) throw beyond('nodes', 'nodes', this.limits.nodes)
  }

  found(code: string, message: string, subject: string): void {
    this.findings.push({ code, message, subject })
  }

  /** Runs a part of the decoding one level deeper; after an error the context is of no more use. */
  nested<T>(read: () => T): T {
    if (++this.#depth > this.limits.depth) throw beyond('depth', 'messages inside one another', this.limits.depth)
    const result = read()
    this.#depth--
    return result
  }
}

/** The error for a model that passes one of the limits. */
export function beyond(limit: keyof Limits, unit: string, most: number, found?: number): AlambicError {
  return new AlambicError(`onnx.limit-${limit.toLowerCase()}`, `there are more than ${most} ${unit}`, {
    expected: `at most ${most}`,
    ...(found !== undefined && { found: String(found) }),
    fix: `If the file is to be trusted, raise the limit "${limit}".`,
  })
}

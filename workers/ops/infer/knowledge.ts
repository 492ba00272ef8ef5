import type { Tensor } from '../../graph/tensor.ts'
import { asTensor, tensorType, type Shape, type ValueType } from '../../graph/types.ts'
import { unify } from '../dims.ts'
import type { Scope } from '../shape/call.ts'
import { contentOf, type Content } from '../shape/content.ts'

/** What is known of the values of one graph, on top of what is known of the graphs around it. */
export class Knowledge implements Scope {
  readonly types = new Map<string, ValueType>()
  readonly #contents = new Map<string, Content | undefined>()
  readonly #constants: ReadonlyMap<string, Tensor>
  readonly #outer: Scope | undefined

  constructor(constants: ReadonlyMap<string, Tensor>, outer?: Scope) {
    this.#constants = constants
    this.#outer = outer
  }

  type(value: string): ValueType | undefined {
    const own = this.types.get(value)
    if (own) return own
    const constant = this.#constants.get(value)
    return constant ? tensorType(constant.dtype, constant.dims) : this.#outer?.type(value)
  }

  content(value: string): Content | undefined {
    if (this.#contents.has(value)) return this.#contents.get(value)
    const constant = this.#constants.get(value)
    if (!constant) return this.types.has(value) ? undefined : this.#outer?.content(value)
    const content = contentOf(constant)
    this.#contents.set(value, content)
    return content
  }

  learn(value: string, type: ValueType | undefined, content?: Content): void {
    if (value === '') return
    if (type) this.types.set(value, type)
    if (content) this.#contents.set(value, content)
  }
}

/** The first type, with what it leaves open taken from the second. Contradicting parts are the first's. */
export function refine(first: ValueType | undefined, second: ValueType | undefined): ValueType | undefined {
  if (!first) return second
  if (first.kind === 'unknown') return first.verbatim ? first : (second ?? first)
  if (first.kind !== 'tensor' || second?.kind !== 'tensor') return first
  const dtype = first.dtype ?? second.dtype
  const shape = refineShape(first.shape, second.shape)
  return dtype === first.dtype && shape === first.shape ? first : { ...first, dtype, shape }
}

function refineShape(first: Shape | undefined, second: Shape | undefined): Shape | undefined {
  if (!first || !second) return first ?? second
  if (first.length !== second.length || !first.includes('?')) return first
  return first.map((d, i) => (d === '?' ? (second[i] ?? '?') : d))
}

/** A declared type of an input or output, with what inference adds: open parts, and numbers where names stand. */
export function complete(declared: ValueType, inferred: ValueType | undefined): ValueType {
  const refined = refine(declared, inferred) ?? declared
  const other = asTensor(inferred)?.shape
  if (refined.kind !== 'tensor' || other?.length !== refined.shape?.length || !other) return refined
  return { ...refined, shape: refined.shape?.map((d, i) => unify(d, other[i] ?? '?') ?? d) }
}

/** Whether anything at all is known: a dtype, a rank, a kind. */
export const saysSomething = (type: ValueType | undefined): boolean =>
  type !== undefined && type.kind !== 'unknown' && (type.kind !== 'tensor' || !!type.dtype || !!type.shape)

import { dtypes } from '../../graph/dtype.ts'
import type { Graph, Node } from '../../graph/graph.ts'
import { withoutDead } from '../../graph/dead.ts'
import { sizeOf, type Tensor } from '../../graph/tensor.ts'
import { asTensor, type Dim, type ValueType } from '../../graph/types.ts'
import { verify } from '../../graph/verify.ts'
import { isLive, type Axis } from '../../ops/coupling/axis.ts'
import type { Cut } from '../../ops/coupling/call.ts'
import { inferTypes } from '../../ops/infer.ts'
import { AlambicError } from '../../protocol/errors.ts'
import { FreshNames } from '../names.ts'
import type { CoupledConstant, Coupling } from './analysis.ts'
import type { Groups } from './groups.ts'

/** Units to cut, by group id. */
export type Removal = ReadonlyMap<number, readonly number[]>

export interface CutOptions {
  /** Weights without their bytes: only the shapes are right. For counting what a cut would cost. */
  readonly shapesOnly?: boolean
}

/** The graph without these units: weights sliced, sizes written anew, shapes inferred and checked. */
export function cut({ coupling, groups }: Groups, removal: Removal, options: CutOptions = {}): Graph {
  const roots = groups.flatMap((group) => (removal.get(group.id) ?? []).map((unit) => group.atoms[unit] as number))
  if (roots.length === 0) return coupling.graph
  return new Surgery(coupling, roots, options).run()
}

class Surgery implements Cut {
  readonly #coupling: Coupling
  readonly #gone: Uint8Array
  readonly #kept = new Map<Int32Array, readonly number[] | undefined>()
  readonly #initializers: Map<string, Tensor>
  readonly #names: FreshNames
  readonly #renamed = new Map<CoupledConstant, string>()
  readonly #options: CutOptions

  constructor(coupling: Coupling, roots: readonly number[], options: CutOptions) {
    this.#coupling = coupling
    this.#options = options
    this.#gone = new Uint8Array(coupling.atoms.count)
    for (const root of roots) this.#gone[coupling.atoms.find(root)] = 1
    this.#initializers = new Map(coupling.graph.initializers)
    this.#names = new FreshNames(coupling.graph)
  }

  run(): Graph {
    const { graph } = this.#coupling
    this.#sliceConstants()
    const nodes = graph.nodes.flatMap((node) => this.#node(node))
    const types = new Map([...graph.types].map(([name, type]) => [name, this.#sized(name, type)]))
    const inputs = graph.inputs.map((v) => {
      const tensor = this.#initializers.get(v.name)
      return tensor && v.type.kind === 'tensor' ? { ...v, type: { ...v.type, shape: tensor.dims } } : v
    })
    const edited = withoutDead(graph.with({ nodes, types, inputs, initializers: this.#initializers }))
    if (this.#options.shapesOnly) return inferTypes(edited)
    const typed = inferTypes(edited, { strict: true })
    this.#check(typed)
    verify(typed)
    return typed
  }

  // --- what rules ask for -------------------------------------------------------------------------------------------

  kept(axis: Axis | undefined): readonly number[] | undefined {
    if (!isLive(axis)) return undefined
    if (this.#kept.has(axis)) return this.#kept.get(axis)
    const { atoms } = this.#coupling
    const left: number[] = []
    axis.forEach((atom, i) => this.#gone[atoms.find(atom)] === 0 && left.push(i))
    const result = left.length === axis.length ? undefined : left
    this.#kept.set(axis, result)
    return result
  }

  size(axis: Axis, old: number): number {
    return this.kept(axis)?.length ?? old
  }

  constant(hint: string, tensor: Tensor): string {
    const name = this.#names.take(hint)
    this.#initializers.set(name, tensor)
    return name
  }

  fresh(hint: string): string {
    return this.#names.take(hint)
  }

  // --- weights ------------------------------------------------------------------------------------------------------

  /** Slices every constant that loses something; uses of one vector that lose different things get their own copy. */
  #sliceConstants(): void {
    const { constants, graph } = this.#coupling
    const byName = new Map<string, CoupledConstant[]>()
    for (const constant of constants) {
      const list = byName.get(constant.name)
      if (list) list.push(constant)
      else byName.set(constant.name, [constant])
    }
    for (const [name, uses] of byName) this.#sliceUses(name, uses, hasOtherReaders(graph, uses))
  }

  #sliceUses(name: string, uses: readonly CoupledConstant[], isRead: boolean): void {
    const versions = new Map<string, string>()
    const keeps = uses.map((constant) => constant.axes.map((axis) => this.kept(axis)))
    const isWhole = (kept: (typeof keeps)[number]) => kept.every((k) => k === undefined)
    // Whoever keeps all of it keeps its name; else the first who is cut.
    let isTaken = isRead || keeps.some(isWhole)
    for (const [i, constant] of uses.entries()) {
      const kept = keeps[i] as (typeof keeps)[number]
      if (isWhole(kept)) continue
      const key = uses.length === 1 ? '' : JSON.stringify(kept)
      let version = versions.get(key)
      if (version === undefined) {
        version = isTaken ? this.#names.take(name) : name
        isTaken = true
        versions.set(key, version)
        this.#initializers.set(version, this.#sliced(constant.tensor, kept))
      }
      this.#renamed.set(constant, version)
    }
  }

  #sliced(tensor: Tensor, kept: readonly (readonly number[] | undefined)[]): Tensor {
    const isWeight = dtypes[tensor.dtype].name.toLowerCase().includes('float')
    if (this.#options.shapesOnly && isWeight) {
      return { ...tensor, dims: tensor.dims.map((d, k) => kept[k]?.length ?? d), bytes: new Uint8Array(0) }
    }
    return sliceTensor(tensor, kept)
  }

  // --- nodes --------------------------------------------------------------------------------------------------------

  #node(node: Node): readonly Node[] {
    const { coupling, renamed } = { coupling: this.#coupling, renamed: this.#renamed }
    const inputs = node.inputs.map((name, i) => {
      const constant = coupling.constantOf(node, i)
      return (constant && renamed.get(constant)) ?? name
    })
    const moved = inputs.every((name, i) => name === node.inputs[i]) ? node : { ...node, inputs }
    const coupled = coupling.nodes.get(node)
    return coupled?.cut && this.#touches(node) ? coupled.cut(this, moved) : [moved]
  }

  #touches(node: Node): boolean {
    const isCut = (axes: readonly Axis[] | undefined) => axes?.some((axis) => this.kept(axis) !== undefined) ?? false
    const { coupling } = { coupling: this.#coupling }
    return (
      node.outputs.some((output) => isCut(coupling.values.get(output))) ||
      node.inputs.some((input, i) => isCut(coupling.values.get(input)) || isCut(coupling.constantOf(node, i)?.axes))
    )
  }

  // --- types --------------------------------------------------------------------------------------------------------

  #sized(name: string, type: ValueType): ValueType {
    const axes = this.#coupling.values.get(name)
    if (type.kind !== 'tensor' || !type.shape || !axes) return type
    return { ...type, shape: type.shape.map((dim, k) => this.#dim(axes[k], dim)) }
  }

  #dim(axis: Axis | undefined, dim: Dim): Dim {
    return axis && typeof dim === 'number' ? this.size(axis, dim) : dim
  }

  /** Inference must find the sizes that the atoms predict, value by value. */
  #check(graph: Graph): void {
    for (const [name, axes] of this.#coupling.values) {
      const before = asTensor(this.#coupling.graph.type(name))?.shape
      const after = asTensor(graph.type(name))?.shape
      if (!before || !after) continue
      const expected = before.map((dim, k) => this.#dim(axes[k], dim))
      const differs = expected.some(
        (dim, k) => typeof dim === 'number' && typeof after[k] === 'number' && dim !== after[k],
      )
      if (!differs) continue
      throw new AlambicError('prune.inconsistent', `cutting gave "${name}" another shape than it should have`, {
        subject: name,
        expected: `[${expected.join(', ')}]`,
        found: `[${after.join(', ')}]`,
        fix: 'Exclude the layers around it with a rule, and report the model.',
      })
    }
  }
}

/** Whether something reads a vector that the analysis did not see: a subgraph, an output, an operator that ignores it. */
const hasOtherReaders = (graph: Graph, uses: readonly CoupledConstant[]): boolean =>
  uses[0]?.use !== undefined && uses.length < graph.uses(uses[0].name).length

/** The tensor with only these indices of each axis; undefined keeps an axis whole. Elements of whole bytes. */
export function sliceTensor(tensor: Tensor, kept: readonly (readonly number[] | undefined)[]): Tensor {
  return kept.reduce<Tensor>((t, indices, axis) => (indices ? sliceAxis(t, axis, indices) : t), tensor)
}

function sliceAxis(tensor: Tensor, axis: number, indices: readonly number[]): Tensor {
  const { dims, dtype } = tensor
  const [from, perElement] = wordsOf(tensor)
  const inner = sizeOf(dims.slice(axis + 1)) * perElement
  const outer = sizeOf(dims.slice(0, axis))
  const stride = (dims[axis] as number) * inner
  const to =
    from instanceof Uint32Array
      ? new Uint32Array(outer * indices.length * inner)
      : new Uint8Array(outer * indices.length * inner)
  const starts = Int32Array.from(indices, (index) => index * inner)
  let at = 0
  for (let base = 0; base < outer * stride; base += stride) {
    for (const start of starts) {
      // Copying word by word beats a call for short runs.
      if (inner > 24) to.set(from.subarray(base + start, base + start + inner), at)
      else for (let k = 0; k < inner; k++) to[at + k] = from[base + start + k] as number
      at += inner
    }
  }
  return { dtype, dims: dims.map((d, k) => (k === axis ? indices.length : d)), bytes: new Uint8Array(to.buffer) }
}

/** The elements as 32-bit words where they are such, else as bytes; and how many make one element. */
function wordsOf({ dtype, bytes }: Tensor): readonly [Uint32Array | Uint8Array, number] {
  const width = dtypes[dtype].bits / 8
  if (width % 4 !== 0) return [bytes, width]
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return [new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4), width / 4]
}

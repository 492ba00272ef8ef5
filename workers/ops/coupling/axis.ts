import { sizeOf } from '../../graph/tensor.ts'
/*
 * Channels as atoms. Every axis of every value is a list of atoms, one for each index; two indices with the same atom
 * (after all joins) can only be cut together. Fang et al. 2023 (DepGraph, arXiv:2301.12900) join layers and carry index
 * maps along; joining single indices needs no maps, because a concatenation is then a concatenation of atoms, a flatten
 * a repetition and a shuffle a permutation.
 */

/** An axis that nothing may be cut from, and why. */
export interface Fixed {
  readonly fixed: string
}

/** The atoms of an axis by index, or the reason why it stays whole. */
export type Axis = Int32Array | Fixed

const repeating = new WeakSet<Int32Array>()

/**
 * The atoms of an axis of open size that repeats them: a batch of unknown size times 12 heads has 12 atoms. Whatever is
 * cut is cut from every repetition.
 */
export function periodic(period: Int32Array): Int32Array {
  const own = period.slice()
  repeating.add(own)
  return own
}

export const isPeriodic = (axis: Axis | undefined): axis is Int32Array => isLive(axis) && repeating.has(axis)

export const fixed = (reason: string): Fixed => ({ fixed: reason })
export const isLive = (axis: Axis | undefined): axis is Int32Array => axis instanceof Int32Array

/** Axis `whole`, row-major, is the product of `factors`; only one of them can be cut, the others then stay whole. */
export interface Product {
  readonly whole: Int32Array
  readonly factors: readonly Axis[]
  readonly sizes: readonly number[]
  /** What says so, for a person. */
  readonly by: string
}

/** Union-find over atoms with what is known of each class: a reason not to cut it, whether it is a head of attention. */
export class Atoms {
  #parent = new Int32Array(1024)
  /** Index into `#reasons`; 0 is none. */
  #pinned = new Int32Array(1024)
  #heads = new Uint8Array(1024)
  #count = 0
  readonly #reasons: string[] = ['']
  readonly #reasonIds = new Map<string, number>()

  get count(): number {
    return this.#count
  }

  fresh(size: number): Int32Array {
    const first = this.#count
    this.#count += size
    this.#grow()
    const atoms = new Int32Array(size)
    for (let i = 0; i < size; i++) this.#parent[first + i] = atoms[i] = first + i
    return atoms
  }

  #grow(): void {
    if (this.#count <= this.#parent.length) return
    const size = 2 ** Math.ceil(Math.log2(this.#count))
    const [parent, pinned, heads] = [new Int32Array(size), new Int32Array(size), new Uint8Array(size)]
    parent.set(this.#parent)
    pinned.set(this.#pinned)
    heads.set(this.#heads)
    this.#parent = parent
    this.#pinned = pinned
    this.#heads = heads
  }

  /** The representative of an atom's class. */
  find(atom: number): number {
    const parent = this.#parent
    let root = atom
    while (parent[root] !== root) {
      const above = parent[parent[root] as number] as number
      parent[root] = above
      root = above
    }
    return root
  }

  union(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)]
    if (x === y) return
    // The older atom stays: then the representative of a group is where it begins.
    const [root, child] = x < y ? [x, y] : [y, x]
    this.#parent[child] = root
    if (this.#pinned[root] === 0) this.#pinned[root] = this.#pinned[child] as number
    this.#heads[root] = (this.#heads[root] as number) | (this.#heads[child] as number)
  }

  /** Keeps a class whole; the first reason stays. */
  pin(atom: number, reason: string): void {
    const root = this.find(atom)
    if (this.#pinned[root] !== 0) return
    let id = this.#reasonIds.get(reason)
    if (id === undefined) this.#reasonIds.set(reason, (id = this.#reasons.push(reason) - 1))
    this.#pinned[root] = id
  }

  /** Why a class cannot be cut; undefined when it can. */
  reason(atom: number): string | undefined {
    const id = this.#pinned[this.find(atom)] as number
    return id === 0 ? undefined : this.#reasons[id]
  }

  markHead(atom: number): void {
    this.#heads[this.find(atom)] = 1
  }

  isHead(atom: number): boolean {
    return this.#heads[this.find(atom)] === 1
  }
}

/** Each atom `times` over, one after the other: what a row-major axis of `[C, times]` has. */
export function repeatEach(axis: Int32Array, times: number): Int32Array {
  const out = new Int32Array(axis.length * times)
  axis.forEach((atom, i) => out.fill(atom, i * times, (i + 1) * times))
  return out
}

/** The whole list `times` over: what a row-major axis of `[times, C]` has. */
export function tile(axis: Int32Array, times: number): Int32Array {
  const out = new Int32Array(axis.length * times)
  for (let k = 0; k < times; k++) out.set(axis, k * axis.length)
  return out
}

/** The atoms of a product of which only factor `p` can be cut. */
export function spread(factor: Int32Array, sizes: readonly number[], p: number): Int32Array {
  const inner = sizeOf(sizes.slice(p + 1))
  const outer = sizeOf(sizes.slice(0, p))
  return tile(repeatEach(factor, inner), outer)
}

/*
 * C += A·B as WebAssembly with 128-bit SIMD, written down instruction by instruction: JavaScript engines make no vector
 * code, and products of large matrices are nearly all of the time of a factorization. Rows of A come in panels of four,
 * columns of B in panels of two vectors, so that the inner loop reads both in order and keeps eight vectors of sums in
 * registers (Goto & van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
 */

/** Rows that one pass of the inner loop makes. */
const ROWS = 4
/** Bytes of a vector, and vectors of columns that one pass makes. */
const VECTOR = 16
const HALVES = 2
/** Terms of a sum that one turn of the inner loop adds; missing ones are zeros. */
const UNROLLED = 4
/** Terms of a sum that are added in one go: both panels stay in the cache. */
const BLOCK = 512

type Code = readonly number[]

/** Parameters and locals of the function, in order. */
const names = ['a', 'b', 'c', 'rows', 'columns', 'terms', 'i', 'k', 'bp', 'cp', 'stride'] as const
const local = (name: (typeof names)[number]): number => names.indexOf(name)
/** Vector locals come behind: eight sums (four rows of two vectors), two vectors of B, one element of A. */
const sum = (row: number, half: number): number => names.length + 2 * row + half
const [B0, B1, A0] = [names.length + 8, names.length + 9, names.length + 10]

function leb(value: number): Code {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)]
}

const get = (index: number): Code => [0x20, ...leb(index)]
const set = (index: number): Code => [0x21, ...leb(index)]
/** i32.const; the values here are small enough to need no sign extension beyond one byte of six bits. */
const constant = (value: number): Code => [0x41, ...(value < 64 ? [value] : [(value & 127) | 128, value >>> 7])]
const advance = (name: (typeof names)[number], by: Code): Code => [
  ...get(local(name)),
  ...by,
  0x6a,
  ...set(local(name)),
]
const load = (address: Code, offset: number): Code => [...address, 0xfd, 0x00, 3, ...leb(offset)]
const store = (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 3, 0]

/** Numbers of one width: how many a vector has, and the instructions that differ. */
interface Lanes {
  readonly bytes: 4 | 8
  readonly splat: number
  readonly multiply: number
  readonly add: number
  /** a·b + c, rounded once where the processor can (the relaxed-SIMD proposal, phase 5). */
  readonly multiplyAdd: number
}

const lanes = {
  f32: { bytes: 4, splat: 0x09, multiply: 0xe6, add: 0xe4, multiplyAdd: 0x105 },
  f64: { bytes: 8, splat: 0x0a, multiply: 0xf2, add: 0xf0, multiplyAdd: 0x107 },
} as const satisfies Readonly<Record<string, Lanes>>

const splat = ({ splat: code, bytes }: Lanes, address: Code, index: number): Code => [
  ...address,
  ...[0xfd, code, Math.log2(bytes), ...leb(bytes * index)],
]
const multiplyAdd = (kind: Lanes, isFused: boolean, to: number, x: number, y: number): Code =>
  isFused
    ? [...get(x), ...get(y), ...get(to), 0xfd, ...leb(kind.multiplyAdd), ...set(to)]
    : [...get(to), ...get(x), ...get(y), 0xfd, ...leb(kind.multiply), 0xfd, ...leb(kind.add), ...set(to)]

/** Repeats the body until the counter, which it decreases, is zero. */
const countdown = (name: (typeof names)[number], body: Code): Code => [
  ...[0x03, 0x40],
  ...body,
  ...get(local(name)),
  ...constant(1),
  0x6b,
  ...[0x22, local(name)],
  ...[0x0d, 0],
  0x0b,
]

const four = [0, 1, 2, 3]
/** Address of a row of the tile: cp + row·stride, and 16 bytes on for its second half. */
const tile = (row: number, half: number): Code => [
  ...get(local('cp')),
  ...constant(row),
  ...get(local('stride')),
  0x6c,
  0x6a,
  ...constant(16 * half),
  0x6a,
]

const term = (kind: Lanes, isFused: boolean, at: number): Code => [
  ...load(get(local('bp')), at * HALVES * VECTOR),
  ...set(B0),
  ...load(get(local('bp')), at * HALVES * VECTOR + VECTOR),
  ...set(B1),
  ...four.flatMap((row) => [
    ...splat(kind, get(local('a')), at * ROWS + row),
    ...set(A0),
    ...multiplyAdd(kind, isFused, sum(row, 0), A0, B0),
    ...multiplyAdd(kind, isFused, sum(row, 1), A0, B1),
  ]),
]

const inner = (kind: Lanes, isFused: boolean): Code => [
  ...Array.from({ length: UNROLLED }, (_, at) => term(kind, isFused, at)).flat(),
  ...advance('a', constant(UNROLLED * ROWS * kind.bytes)),
  ...advance('bp', constant(UNROLLED * HALVES * VECTOR)),
]

const perTile = (kind: Lanes, isFused: boolean): Code => [
  ...four.flatMap((row) => [0, 1].flatMap((half) => [...load(tile(row, half), 0), ...set(sum(row, half))])),
  ...get(local('b')),
  ...set(local('bp')),
  ...get(local('terms')),
  ...set(local('k')),
  ...countdown('k', inner(kind, isFused)),
  ...four.flatMap((row) => [0, 1].flatMap((half) => store(tile(row, half), get(sum(row, half))))),
  ...advance('cp', [...get(local('stride')), ...constant(ROWS), 0x6c]),
]

/** Panels of B outside, panels of A inside: `a` walks through all of A and is wound back. */
const perColumns = (kind: Lanes, isFused: boolean): Code => [
  ...get(local('c')),
  ...set(local('cp')),
  ...get(local('rows')),
  ...set(local('i')),
  ...countdown('i', perTile(kind, isFused)),
  ...get(local('bp')),
  ...set(local('b')),
  ...get(local('a')),
  ...[...get(local('rows')), ...get(local('terms')), 0x6c, ...constant(UNROLLED * ROWS * kind.bytes), 0x6c],
  0x6b,
  ...set(local('a')),
  ...advance('c', constant(HALVES * VECTOR)),
]

const body = (kind: Lanes, isFused: boolean): Code => [
  ...[2, names.length - 6, 0x7f, 11, 0x7b],
  ...[...get(local('columns')), ...constant(HALVES * VECTOR), 0x6c, ...set(local('stride'))],
  ...countdown('columns', perColumns(kind, isFused)),
  0x0b,
]

const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content]
const text = (word: string): Code => [word.length, ...new TextEncoder().encode(word)]

const moduleBytes = (code: Code): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text('memory'), 2, 0, ...text('multiply'), 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ])

/** The part of the global that is used; its types otherwise come with those of browsers. */
declare const WebAssembly: {
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Memory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

interface Kernel {
  readonly memory: Memory
  /** Addresses of A, B and C, and the numbers of row panels, column panels and terms. */
  readonly multiply: (a: number, b: number, c: number, rows: number, columns: number, terms: number) => void
}

type Numbers = Float32Array | Float64Array

const known = new Map<Lanes, Kernel>()
function kernelOf(kind: Lanes): Kernel {
  const found = known.get(kind)
  if (found) return found
  const fused = moduleBytes(body(kind, true))
  const bytes = WebAssembly.validate(fused) ? fused : moduleBytes(body(kind, false))
  const made = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Kernel
  known.set(kind, made)
  return made
}

const PAGE = 2 ** 16

/** How an operand lies in memory: element (line, term) is at line·`line` + term·`term`. */
export interface Operand<Data extends Numbers = Float64Array> {
  readonly data: Data
  readonly lines: number
  readonly line: number
  readonly term: number
}

/** Σ_k A(i, k)·B(j, k) for every line i of A and j of B, as `[lines of A, lines of B]`, in the precision of both. */
export function products<Data extends Numbers>(a: Operand<Data>, b: Operand<Data>, terms: number): Data {
  const make = a.data.constructor as new (of: number | ArrayBuffer, offset?: number, length?: number) => Data
  const kind = a.data instanceof Float32Array ? lanes.f32 : lanes.f64
  const { memory, multiply } = kernelOf(kind)
  const width = (HALVES * VECTOR) / kind.bytes
  const [rows, columns] = [Math.ceil(a.lines / ROWS), Math.ceil(b.lines / width)]
  const block = UNROLLED * Math.ceil(Math.min(BLOCK, terms) / UNROLLED)
  const [sizeA, sizeB, sizeC] = [rows * ROWS * block, columns * width * block, rows * columns * ROWS * width]
  const missing = kind.bytes * (sizeA + sizeB + sizeC) - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE))
  const [atA, atB] = [kind.bytes * sizeC, kind.bytes * (sizeC + sizeA)]
  const c = new make(memory.buffer, 0, sizeC)
  c.fill(0)
  for (let from = 0; from < terms; from += block) {
    const count = Math.min(block, terms - from)
    intoPanels(a, from, count, new make(memory.buffer, atA, sizeA), ROWS)
    intoPanels(b, from, count, new make(memory.buffer, atB, sizeB), width)
    multiply(atA, atB, 0, rows, columns, Math.ceil(count / UNROLLED))
  }
  const out = new make(a.lines * b.lines)
  for (let i = 0; i < a.lines; i++) {
    const start = i * columns * width
    out.set(c.subarray(start, start + b.lines), i * b.lines)
  }
  return out
}

/**
 * So many lines side by side, term by term. Lines that are missing in the last panel are zero, and so are terms up to a
 * whole turn of the inner loop.
 */
function intoPanels(
  { data, lines, line, term: step }: Operand<Numbers>,
  from: number,
  count: number,
  to: Numbers,
  width: number,
): void {
  const length = UNROLLED * Math.ceil(count / UNROLLED) * width
  for (let panel = 0, at = 0; panel < lines; panel += width, at += length) {
    const whole = Math.min(width, lines - panel)
    if (line === 1 && whole === width) {
      // Lines lie side by side already: what is read together is copied together.
      let [source, i] = [panel + from * step, at]
      for (let term = 0; term < count; term++, source += step) {
        for (let t = 0; t < width; t++) to[i++] = data[source + t] as number
      }
      to.fill(0, i, at + length)
      continue
    }
    for (let t = 0; t < width; t++) {
      const end = at + (t < whole ? count * width : 0)
      let source = (panel + t) * line + from * step
      let i = at + t
      for (; i < end; i += width, source += step) to[i] = data[source] as number
      for (; i < at + length; i += width) to[i] = 0
    }
  }
}

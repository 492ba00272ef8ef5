/*
 * C += A·B in float64 as WebAssembly with 128-bit SIMD, written down instruction by instruction: JavaScript engines make
 * no vector code, and products of large matrices are nearly all of the time of a factorization. Rows of A and columns of
 * B come in panels of four, so that the inner loop reads both in order and keeps sixteen sums in registers (Goto &
 * van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
 */

/** Rows and columns that one pass of the inner loop makes. */
const TILE = 4
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
const splat = (address: Code, offset: number): Code => [...address, 0xfd, 0x0a, 3, ...leb(offset)]
const store = (address: Code, value: Code): Code => [...address, ...value, 0xfd, 0x0b, 3, 0]
const multiplyAdd = (to: number, x: number, y: number): Code => [
  ...get(to),
  ...get(x),
  ...get(y),
  ...[0xfd, 0xf2, 0x01],
  ...[0xfd, 0xf0, 0x01],
  ...set(to),
]

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

const inner: Code = [
  ...load(get(local('bp')), 0),
  ...set(B0),
  ...load(get(local('bp')), 16),
  ...set(B1),
  ...four.flatMap((row) => [
    ...splat(get(local('a')), 8 * row),
    ...set(A0),
    ...multiplyAdd(sum(row, 0), A0, B0),
    ...multiplyAdd(sum(row, 1), A0, B1),
  ]),
  ...advance('a', constant(32)),
  ...advance('bp', constant(32)),
]

const perTile: Code = [
  ...four.flatMap((row) => [0, 1].flatMap((half) => [...load(tile(row, half), 0), ...set(sum(row, half))])),
  ...get(local('b')),
  ...set(local('bp')),
  ...get(local('terms')),
  ...set(local('k')),
  ...countdown('k', inner),
  ...four.flatMap((row) => [0, 1].flatMap((half) => store(tile(row, half), get(sum(row, half))))),
  ...advance('cp', [...get(local('stride')), ...constant(4), 0x6c]),
]

/** Panels of B outside, panels of A inside: `a` walks through all of A and is wound back. */
const perColumns: Code = [
  ...get(local('c')),
  ...set(local('cp')),
  ...get(local('rows')),
  ...set(local('i')),
  ...countdown('i', perTile),
  ...get(local('bp')),
  ...set(local('b')),
  ...get(local('a')),
  ...[...get(local('rows')), ...get(local('terms')), 0x6c, ...constant(32), 0x6c],
  0x6b,
  ...set(local('a')),
  ...advance('c', constant(32)),
]

const body: Code = [
  ...[2, names.length - 6, 0x7f, 11, 0x7b],
  ...[...get(local('columns')), ...constant(32), 0x6c, ...set(local('stride'))],
  ...countdown('columns', perColumns),
  0x0b,
]

const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content]
const text = (word: string): Code => [word.length, ...new TextEncoder().encode(word)]

const moduleBytes = (): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 6, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, ...text('memory'), 2, 0, ...text('multiply'), 0, 0]),
    ...section(10, [1, ...leb(body.length), ...body]),
  ])

/** The part of the global that is used; its types otherwise come with those of browsers. */
declare const WebAssembly: {
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

let known: Kernel | undefined
const kernel = (): Kernel =>
  (known ??= new WebAssembly.Instance(new WebAssembly.Module(moduleBytes())).exports as Kernel)

const PAGE = 2 ** 16
const panels = (count: number): number => Math.ceil(count / TILE)

/** How an operand lies in memory: element (line, term) is at line·`line` + term·`term`. */
export interface Operand {
  readonly data: Float64Array
  readonly lines: number
  readonly line: number
  readonly term: number
}

/** Σ_k A(i, k)·B(j, k) for every line i of A and j of B, as `[lines of A, lines of B]`. */
export function products(a: Operand, b: Operand, terms: number): Float64Array {
  const { memory, multiply } = kernel()
  const [rows, columns] = [panels(a.lines), panels(b.lines)]
  const block = Math.min(BLOCK, terms)
  const [sizeA, sizeB, sizeC] = [rows * TILE * block, columns * TILE * block, rows * columns * TILE * TILE]
  const missing = 8 * (sizeA + sizeB + sizeC) - memory.buffer.byteLength
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE))
  const [atA, atB] = [8 * sizeC, 8 * (sizeC + sizeA)]
  const c = new Float64Array(memory.buffer, 0, sizeC)
  c.fill(0)
  for (let from = 0; from < terms; from += block) {
    const count = Math.min(block, terms - from)
    intoPanels(a, from, count, new Float64Array(memory.buffer, atA, sizeA))
    intoPanels(b, from, count, new Float64Array(memory.buffer, atB, sizeB))
    multiply(atA, atB, 0, rows, columns, count)
  }
  const out = new Float64Array(a.lines * b.lines)
  for (let i = 0; i < a.lines; i++) {
    const start = i * columns * TILE
    out.set(c.subarray(start, start + b.lines), i * b.lines)
  }
  return out
}

/** Four lines side by side, term by term; lines that are missing in the last panel are zero. */
function intoPanels({ data, lines, line, term }: Operand, from: number, count: number, to: Float64Array): void {
  let at = 0
  for (let panel = 0; panel < lines; panel += TILE) {
    for (let k = from; k < from + count; k++) {
      for (let t = 0; t < TILE; t++) {
        to[at++] = panel + t < lines ? (data[(panel + t) * line + k * term] as number) : 0
      }
    }
  }
}

/**
 * onnxruntime's arena (core/framework/bfc_arena.cc, after TensorFlow's best-fit allocator with coalescing): regions that
 * double in size, chunks that are split when much would be left over and joined when their neighbours are free. Only
 * bytes that a chunk once covered are ever touched, and therefore resident.
 */
export class Arena {
  readonly #regions: Region[] = []
  #next = FIRST_REGION

  /** Bytes that were handed out at least once. */
  get touched(): number {
    return this.#regions.reduce((sum, region) => sum + region.touched, 0)
  }

  /** Takes memory; what comes back is to be given to `free`. */
  allocate(bytes: number): Chunk {
    const size = Math.max(1, Math.ceil(bytes / ROUND)) * ROUND
    const chunk = this.#bestFit(size) ?? this.#extend(size)
    const left = chunk.size - size
    if (chunk.size >= 2 * size || left >= MOST_LEFT) split(chunk, size)
    chunk.free = false
    const { region } = chunk
    region.touched = Math.max(region.touched, chunk.at + Math.min(bytes, chunk.size))
    return chunk
  }

  free(chunk: Chunk): void {
    chunk.free = true
    if (chunk.next?.free) join(chunk, chunk.next)
    if (chunk.before?.free) join(chunk.before, chunk)
  }

  #bestFit(size: number): Chunk | undefined {
    let best: Chunk | undefined
    for (const { first } of this.#regions) {
      for (let chunk: Chunk | undefined = first; chunk; chunk = chunk.next) {
        if (chunk.free && chunk.size >= size && (best === undefined || chunk.size < best.size)) best = chunk
      }
    }
    return best
  }

  #extend(size: number): Chunk {
    const enough = this.#next >= size
    while (this.#next < size) this.#next *= 2
    const chunk = newRegion(this.#next)
    this.#regions.push(chunk.region)
    if (enough && this.#next < LARGEST_REGION) this.#next *= 2
    return chunk
  }
}

/** In bytes: sizes are multiples of this; the first region; where regions stop to double; most that is left unsplit. */
const ROUND = 256
const FIRST_REGION = 2 ** 20
const LARGEST_REGION = 2 ** 30
const MOST_LEFT = 128 * 2 ** 20

interface Region {
  first: Chunk
  touched: number
}

/** A piece of a region, in a list with its neighbours. */
export interface Chunk {
  readonly region: Region
  readonly at: number
  size: number
  free: boolean
  before: Chunk | undefined
  next: Chunk | undefined
}

function newRegion(size: number): Chunk {
  const region = { touched: 0 } as Region
  const chunk: Chunk = { region, at: 0, size, free: true, before: undefined, next: undefined }
  region.first = chunk
  return chunk
}

function split(chunk: Chunk, size: number): void {
  const { region, at, next } = chunk
  const rest: Chunk = { region, at: at + size, size: chunk.size - size, free: true, before: chunk, next }
  if (next) next.before = rest
  chunk.next = rest
  chunk.size = size
}

function join(left: Chunk, right: Chunk): void {
  left.size += right.size
  left.next = right.next
  if (right.next) right.next.before = left
}

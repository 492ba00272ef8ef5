import { parse } from 'yaml'

/** A field and what it shall be in turn. */
export interface Axis {
  /** As `createRun` takes it: `steps.0.ratio`. */
  readonly path: string
  /** Values in YAML with commas between, or a range `0.1..0.9`. */
  readonly text: string
}

export type Point = Readonly<Record<string, unknown>>

type Values =
  { readonly list: readonly unknown[] } | { readonly low: number; readonly high: number; readonly whole: boolean }

/** More runs than anybody waits for. */
export const MOST_RUNS = 200

/** Values of a range where all are tried. */
const IN_A_GRID = 5

/** Undefined for a text that is neither a list nor a range. */
export function valuesOf(text: string): Values | undefined {
  const range = /^\s*(-?[\d.]+(?:e-?\d+)?)\s*\.\.\s*(-?[\d.]+(?:e-?\d+)?)\s*$/i.exec(text)
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])]
    if (!(low < high)) return undefined
    return {
      low,
      high,
      whole: Number.isInteger(low) && Number.isInteger(high) && !/[.e]/i.test(`${range[1]}${range[2]}`),
    }
  }
  try {
    const list = parse(`[${text}]`) as unknown[]
    return list.length > 0 && list.every((value) => value !== null) ? { list } : undefined
  } catch {
    return undefined
  }
}

function spread(values: Values): readonly unknown[] {
  if ('list' in values) return values.list
  const { low, high, whole } = values
  const all = Array.from({ length: IN_A_GRID }, (_, i) => low + ((high - low) * i) / (IN_A_GRID - 1))
  return [...new Set(all.map((value) => tidy(value, whole)))]
}

const tidy = (value: number, whole: boolean): number => (whole ? Math.round(value) : Number(value.toPrecision(4)))

/** Every combination, the first axis changing slowest. */
export function grid(axes: readonly Axis[]): readonly Point[] {
  return axes.reduce<readonly Point[]>(
    (points, { path, text }) => {
      const values = valuesOf(text)
      if (!values) return []
      return points.flatMap((point) => spread(values).map((value) => ({ ...point, [path]: value })))
    },
    [{}],
  )
}

/** So many points, each axis drawn by itself; the same seed gives the same ones. Ranges over decades are drawn by their logarithm. */
export function random(axes: readonly Axis[], count: number, seed: number): readonly Point[] {
  const draw = generator(seed)
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      axes.flatMap(({ path, text }) => {
        const values = valuesOf(text)
        return values ? [[path, drawn(values, draw())]] : []
      }),
    ),
  )
}

function drawn(values: Values, u: number): unknown {
  if ('list' in values) return values.list[Math.floor(u * values.list.length)]
  const { low, high, whole } = values
  if (whole) return low + Math.floor(u * (high - low + 1))
  return tidy(low > 0 && high / low >= 100 ? low * (high / low) ** u : low + u * (high - low), false)
}

/** Numbers from 0 to 1 that depend on the seed alone: mulberry32. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What tells a point from the others: `ratio=0.3, lr=0.01`. */
export const pointTitle = (point: Point): string =>
  Object.entries(point)
    .map(
      ([path, value]) =>
        `${path.split('.').slice(2).join('.')}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(', ')

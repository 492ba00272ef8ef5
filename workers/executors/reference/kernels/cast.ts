import { dtypeOf, dtypes, type DType } from '../../../graph/dtype.ts'
import { tensorOf } from '../../../graph/tensor.ts'
import type { Call, Kernels } from '../call.ts'
import { floatFormats, roundToFormat, roundToPower, type PowerRounding, type SmallFloat } from '../formats.ts'
import { allocate, array, fromTensor, isBig, isFloating, toTensor, wrapInteger, type NdArray } from '../value.ts'

interface CastOptions {
  /** float8: too large values become the largest instead of infinity or NaN. */
  readonly saturate?: boolean
  readonly roundMode?: PowerRounding
}

/** Converts to another dtype: floats to integers truncate, integers wrap, floats round to the nearest even. */
export function cast(x: NdArray, dtype: DType, options: CastOptions = {}): NdArray {
  if (x.dtype === dtype) return x
  const data = allocate(dtype, x.data.length)
  if (Array.isArray(data)) {
    const text = textOf(x.dtype)
    for (let i = 0; i < data.length; i++) data[i] = text(x.data[i] as number | bigint | string)
  } else if (isBig(data)) {
    for (let i = 0; i < data.length; i++) data[i] = toBig(x.data[i] as number | bigint | string)
  } else {
    const convert = converterTo(dtype, options)
    const to = data
    for (let i = 0; i < to.length; i++) to[i] = convert(x.data[i] as number | bigint | string)
  }
  return array(dtype, x.dims, data)
}

function toBig(v: number | bigint | string): bigint {
  if (typeof v === 'bigint') return v
  const number = typeof v === 'string' ? Number(v) : v
  return Number.isFinite(number) ? BigInt(Math.trunc(number)) : number > 0 ? 2n ** 63n - 1n : -(2n ** 63n)
}

type Converter = (v: number | bigint | string) => number

function converterTo(dtype: DType, { saturate = true, roundMode = 'up' }: CastOptions): Converter {
  if (dtype === 'bool') return (v) => (Number(v) !== 0 ? 1 : 0)
  if (dtype === 'f8e8m0') return (v) => roundToPower(parse(v), roundMode, saturate)
  if (dtype in floatFormats && dtypes[dtype].bits <= 8)
    return (v) => roundToFormat(parse(v), dtype as SmallFloat, saturate)
  if (isFloating(dtype)) return parse
  if (dtypes[dtype].bits < 8) return (v) => wrapInteger(Number(typeof v === 'bigint' ? v : Math.trunc(parse(v))), dtype)
  // The low 32 bits decide, and a typed array keeps the ones that it has room for.
  return (v) => (typeof v === 'bigint' ? Number(BigInt.asIntN(32, v)) : Math.trunc(parse(v)))
}

/** Numbers as Python and C write them, which include `nan` and `inf`. */
function parse(v: number | bigint | string): number {
  if (typeof v !== 'string') return Number(v)
  const text = v.trim().toLowerCase().replace('+inf', 'inf')
  return text === 'inf' ? Infinity : text === '-inf' ? -Infinity : Number(text)
}

/** The shortest text that reads back as the same float of its width, in Python's notation. */
function textOf(dtype: DType): (v: number | bigint | string) => string {
  return (v) => {
    if (typeof v !== 'number') return String(v)
    if (dtype === 'bool') return v ? 'True' : 'False'
    if (!isFloating(dtype)) return String(v)
    if (Number.isNaN(v)) return 'nan'
    if (!Number.isFinite(v)) return v > 0 ? 'inf' : '-inf'
    return pythonNotation(shortest(v, dtype))
  }
}

function shortest(v: number, dtype: DType): string {
  const round = (n: number) =>
    dtype === 'f32' ? Math.fround(n) : dtype in floatFormats ? roundToFormat(n, dtype as SmallFloat) : n
  for (let digits = 1; digits < 17; digits++) {
    const text = v.toPrecision(digits)
    if (round(Number(text)) === v) return String(Number(text))
  }
  return String(v)
}

const pythonNotation = (text: string): string =>
  text.includes('e') ? text.replace(/e([+-])(\d)$/, 'e$10$2') : text.includes('.') ? text : `${text}.0`

const targetOf = (call: Call): DType =>
  dtypeOf(call.number('to', 0)) ?? call.fail(`has no dtype ${call.number('to', 0)}`)

const optionsOf = (call: Call): CastOptions => ({
  saturate: call.flag('saturate', true),
  roundMode: call.text('round_mode', 'up') as PowerRounding,
})

export const casts: Kernels = {
  Cast: (call) => cast(call.input(0), targetOf(call), optionsOf(call)),
  CastLike: (call) => cast(call.input(0), call.input(1).dtype, optionsOf(call)),
  // The same bytes under another dtype of the same width.
  BitCast: (call) => {
    const tensor = toTensor(call.input(0))
    return fromTensor(tensorOf(targetOf(call), tensor.dims, tensor.bytes))
  },
}

import { AlambicError } from '../../protocol/errors.ts'

/** What a model may cost at most. */
export const targetKinds = ['latency', 'bytes', 'packed', 'macs', 'params'] as const
export type TargetKind = (typeof targetKinds)[number]

export interface Target {
  readonly kind: TargetKind
  /** A share of what the input costs when `isShare`; else milliseconds, bytes or a count. */
  readonly limit: number
  readonly isShare: boolean
}

const pattern = new RegExp(`^(${targetKinds.join('|')})\\s*=\\s*(\\d*\\.?\\d+(?:e\\d+)?)\\s*(%?)$`)

/** `macs=50%`, `latency=1.5` (milliseconds), `packed=30000` (bytes of a .cmpz container). */
export function parseTarget(text: string): Target {
  const [, kind, amount, percent] = pattern.exec(text.trim()) ?? []
  const number = Number(amount)
  if (kind !== undefined && number > 0) {
    return { kind: kind as TargetKind, limit: percent === '%' ? number / 100 : number, isShare: percent === '%' }
  }
  throw new AlambicError('usage.target', `"${text}" is no target`, {
    subject: text,
    expected: `one of ${targetKinds.join(', ')}, then = and a number or a percentage, such as macs=50%`,
    found: text,
  })
}

/** What a model costs in every kind. */
export type Costs = Readonly<Record<TargetKind, number>>

/** The target as a share of what the input costs. */
export const shareOf = (target: Target, input: Costs): number =>
  target.isShare ? target.limit : target.limit / input[target.kind]

import type { Coupled, CouplingCall, CouplingRules } from './call.ts'

/** Scales and zero points, one for each index of an axis or one for all. */
function scaled(c: CouplingCall<{ readonly axis?: number; readonly block_size?: number }>): Coupled {
  const axes = c.axes(0)
  if (!axes) return c.barrier('its rank is not known')
  if (c.attr.block_size) return c.barrier('it scales block by block')
  const axis = axes.at(c.attr.axis ?? 1)
  for (const i of [1, 2]) {
    if (axis && c.rank(i) === 1 && c.shape(i)?.[0] !== 1) c.perChannel(i, axis, 'operand', 'one scale for each channel')
  }
  return { outputs: [axes] }
}

export const quantization = { QuantizeLinear: scaled, DequantizeLinear: scaled } satisfies CouplingRules

import { freemem } from 'node:os'

/** Bytes that this process may still take: what the system has, and what its control group leaves it. */
export function freeMemory(): number {
  const given = process.env['ALAMBIC_MEMORY']
  if (given !== undefined && Number(given) > 0) return Number(given)
  const available = process.availableMemory()
  // 0: the system does not say.
  return available > 0 ? Math.min(available, freemem()) : freemem()
}

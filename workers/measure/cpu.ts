import { readFile } from 'node:fs/promises'

/** Instruction sets that decide how fast float and int8 kernels are, by the names Linux gives them. */
const telling = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_tile', 'amx_int8', 'asimddp', 'i8mm']

/** Those that multiply int8 and add up in 32 bits in one go, so that nothing saturates on the way. */
const native: ReadonlySet<string> = new Set(['avx512_vnni', 'avx_vnni', 'amx_int8', 'asimddp', 'i8mm'])

/** The telling instruction sets of this processor; empty where the system does not list them. */
export async function cpuFlags(): Promise<readonly string[]> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const present = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/) ?? [])
  return telling.filter((flag) => present.has(flag))
}

/** What to expect of int8 models on a processor. */
export interface Int8Ability {
  readonly verdict: 'fast' | 'slow' | 'unknown'
  readonly reason: string
}

/** Tells from a processor's flags how it fares with int8. */
export function int8Ability(flags: readonly string[]): Int8Ability {
  const own = flags.filter((flag) => native.has(flag))
  if (own.length > 0) return { verdict: 'fast', reason: `the processor multiplies int8 natively (${own.join(', ')})` }
  if (flags.includes('avx2')) {
    return {
      verdict: 'slow',
      reason:
        'no VNNI: int8 models are often slower than float here, and sums of u8·s8 pairs saturate; use reduceRange',
    }
  }
  return { verdict: 'unknown', reason: 'the system does not tell what the processor can do' }
}

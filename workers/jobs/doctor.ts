import { arch, availableParallelism, cpus, freemem, platform, totalmem } from 'node:os'
import { readFile, statfs } from 'node:fs/promises'
import type { Executor } from '../executors/executor.ts'
import { tensorOf } from '../graph/tensor.ts'
import { asAlambicError } from '../protocol/errors.ts'
import type { Report } from '../protocol/worker.ts'
import { Emitter } from '../ops/emit.ts'

/** Instruction sets that decide how fast float and int8 kernels are, by the names Linux gives them. */
const telling = ['avx2', 'fma', 'avx512f', 'avx512_vnni', 'avx_vnni', 'amx_tile', 'amx_int8', 'asimddp', 'i8mm']

/** What this machine can do, and whether the engine really computes here. */
export async function doctor(executor: () => Promise<Executor>): Promise<Report> {
  const flags = await cpuFlags()
  const disk = await statfs(process.cwd()).catch(() => undefined)
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    cpuFlags: flags,
    int8: int8Ability(flags),
    memory: { total: totalmem(), free: freemem() },
    disk: disk ? { free: disk.bavail * disk.bsize } : undefined,
    engines: [await selfTest(executor)],
  }
}

async function cpuFlags(): Promise<readonly string[]> {
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  const present = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(info)?.[1]?.trim().split(/\s+/) ?? [])
  return telling.filter((flag) => present.has(flag))
}

/** What to expect of int8 models on this processor. */
function int8Ability(flags: readonly string[]): string {
  if (flags.some((f) => f.includes('vnni') || f === 'amx_int8' || f === 'i8mm' || f === 'asimddp'))
    return 'fast: the processor multiplies int8 natively'
  if (flags.includes('avx2')) return 'slow: no VNNI, int8 models are often slower than float here'
  return 'unknown'
}

/** Loads the engine and checks one product by hand: 2×3 + 4 = 10. */
async function selfTest(executor: () => Promise<Executor>): Promise<Report> {
  try {
    const engine = await executor()
    const g = new Emitter()
    g.input('x', 'f32', [1])
    g.output(g.add(g.mul('x', 3), 4))
    const program = await engine.compile(g.build())
    const started = performance.now()
    const [result] = Object.values(await program.run({ x: tensorOf('f32', [1], Float32Array.of(2)) }))
    await program.dispose()
    const ok = result !== undefined && new Float32Array(result.bytes.slice().buffer)[0] === 10
    return { id: engine.id, runtime: engine.runtime, available: ok, milliseconds: performance.now() - started }
  } catch (thrown) {
    return { id: 'ort-cpu', available: false, reason: asAlambicError(thrown).describe() }
  }
}

import { arch, availableParallelism, cpus, freemem, platform, totalmem } from 'node:os'
import { statfs } from 'node:fs/promises'
import type { Executor } from '../executors/executor.ts'
import { tensorOf } from '../graph/tensor.ts'
import { asAlambicError } from '../protocol/errors.ts'
import type { Report } from '../protocol/worker.ts'
import { cpuFlags, int8Ability } from '../measure/cpu.ts'
import { Emitter } from '../ops/emit.ts'

/** What this machine can do, and whether the engine really computes here. */
export async function doctor(executor: () => Promise<Executor>): Promise<Report> {
  const flags = await cpuFlags()
  const int8 = int8Ability(flags)
  const disk = await statfs(process.cwd()).catch(() => undefined)
  return {
    node: process.version,
    platform: `${platform()} ${arch()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    cpuFlags: flags,
    int8: `${int8.verdict}: ${int8.reason}`,
    memory: { total: totalmem(), free: freemem() },
    disk: disk ? { free: disk.bavail * disk.bsize } : undefined,
    engines: [await selfTest(executor)],
  }
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

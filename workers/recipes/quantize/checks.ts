import type { Graph } from '../../graph/graph.ts'
import { modelOf } from '../../graph/graph.ts'
import { cpuFlags, int8Ability } from '../../measure/cpu.ts'
import { timeInTurn, type Timing } from '../../measure/quantization/index.ts'
import { encodeForRuntime } from '../../onnx/index.ts'
import { AlambicError } from '../../protocol/errors.ts'
import type { StepContext } from '../step.ts'

/** Operators whose float form must not be left between integers. */
const multiplying = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'FusedConv', 'FusedMatMul'] as const

export interface Fused {
  /** Operators after onnxruntime's own fusions. */
  readonly operators: Readonly<Record<string, number>>
  /** Float layers among them. */
  readonly float: number
}

/** What onnxruntime makes of a graph; undefined where the executor is another. */
export async function fusedBy(context: StepContext, graph: Graph): Promise<Fused | undefined> {
  if (context.executor.id !== 'ort-cpu') return undefined
  const { optimizedByOrt } = await import('../../executors/ort/optimized.ts')
  const operators: Record<string, number> = {}
  for (const node of (await optimizedByOrt(graph)).nodes) operators[node.op] = (operators[node.op] ?? 0) + 1
  return { operators, float: multiplying.reduce((sum, op) => sum + (operators[op] ?? 0), 0) }
}

/**
 * A QDQ graph in operator form: QLinearConv, QLinearMatMul and onnxruntime's own, as its fusions write them.
 *
 * @throws AlambicError `quantize.format` where the executor is not onnxruntime
 */
export async function asIntegerOperators(context: StepContext, graph: Graph): Promise<Graph> {
  if (context.executor.id !== 'ort-cpu') {
    throw new AlambicError('quantize.format', 'integer operators are written by onnxruntime', {
      expected: 'the executor ort-cpu',
      found: context.executor.id,
      fix: 'Take the format qdq, or run on ort-cpu.',
    })
  }
  const { optimizedByOrt } = await import('../../executors/ort/optimized.ts')
  const fused = await optimizedByOrt(graph)
  // It imports every domain that it knows.
  const used = new Set(['', 'ai.onnx', ...fused.nodes.map((node) => node.domain)])
  return fused.with({ name: graph.name, opsets: new Map([...fused.opsets].filter(([domain]) => used.has(domain))) })
}

export interface Gain {
  readonly bytes: { readonly float: number; readonly quantized: number }
  readonly latency: { readonly float: Timing; readonly quantized: Timing; readonly speedup: number }
  readonly processor: { readonly flags: readonly string[]; readonly verdict: string; readonly reason: string }
}

/** Size and speed before and after, measured in turn on this machine. */
export async function gainOf(context: StepContext, before: Graph, after: Graph): Promise<Gain> {
  const [float, quantized] = (await timeInTurn([before, after], context)) as [Timing, Timing]
  const flags = await cpuFlags()
  const bytesOf = (graph: Graph) => encodeForRuntime(modelOf(graph)).byteLength
  return {
    bytes: { float: bytesOf(before), quantized: bytesOf(after) },
    latency: { float, quantized, speedup: float.medianMs / quantized.medianMs },
    processor: { flags, ...int8Ability(flags) },
  }
}

/** A model that got smaller and slower: said before a person finds out. */
export function speedWarning({ latency, processor }: Gain): string | undefined {
  if (latency.speedup >= 1) return undefined
  const times = `${latency.float.medianMs.toFixed(2)} ms before, ${latency.quantized.medianMs.toFixed(2)} ms after`
  return `smaller, but slower on this machine: ${times} (median of ${latency.float.n}); ${processor.reason}`
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import { modelOf, type Graph } from '../../graph/graph.ts'
import { encodeForRuntime, readModel } from '../../onnx/index.ts'

/**
 * The graph that onnxruntime really runs after its own fusions: what tells whether a quantized layer became an integer
 * kernel. Layouts of the processor at hand are left out, so that operators keep their names.
 */
export async function optimizedByOrt(graph: Graph): Promise<Graph> {
  const folder = await mkdtemp(join(tmpdir(), 'alambic-optimized-'))
  try {
    const path = join(folder, 'model.onnx')
    const session = await ort.InferenceSession.create(encodeForRuntime(modelOf(graph)), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'extended',
      optimizedModelFilePath: path,
      logSeverityLevel: 4,
      extra: { session: { qdqisint8allowed: '1' } },
    })
    await session.release()
    return (await readModel(path)).model.graph
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
